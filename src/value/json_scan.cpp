#include "value/json_scan.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace keelway::value {
namespace {

// Past the closing quote of the string that opens at `at`.
std::size_t skip_string(std::string_view json, std::size_t at) {
  std::size_t quote = at;
  while ((quote = json.find('"', quote + 1)) != std::string_view::npos) {
    // Escaped where an odd number of backslashes stands before it.
    std::size_t first = quote;
    while (first > at + 1 && json[first - 1] == '\\') --first;
    if ((quote - first) % 2 == 0) return quote + 1;
  }
  return json.size();
}

#if defined(__SSE2__)
// 64 bytes of text, a bit for each.
class Block {
 public:
  explicit Block(const char* text) {
    for (int i = 0; i < 4; ++i) {
      part_[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * i));
    }
  }
  std::uint64_t equal_to(char c) const {
    return where([&](__m128i part) { return _mm_cmpeq_epi8(part, _mm_set1_epi8(c)); });
  }
  bool has_quote_or_backslash() const {
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    __m128i any = _mm_setzero_si128();
    for (const __m128i part : part_) {
      any = _mm_or_si128(any, _mm_cmpeq_epi8(part, quote));
      any = _mm_or_si128(any, _mm_cmpeq_epi8(part, backslash));
    }
    return _mm_movemask_epi8(any) != 0;
  }
  // Braces and brackets differ in one bit, which no other character of theirs has.
  std::uint64_t equal_or_bracket(char brace) const {
    return where([&](__m128i part) {
      return _mm_cmpeq_epi8(_mm_or_si128(part, _mm_set1_epi8(0x20)), _mm_set1_epi8(brace));
    });
  }

 private:
  template <class Compare>
  std::uint64_t where(Compare compare) const {
    std::uint64_t bits = 0;
    for (int i = 3; i >= 0; --i) {
      bits = bits << 16 | static_cast<std::uint16_t>(_mm_movemask_epi8(compare(part_[i])));
    }
    return bits;
  }
  __m128i part_[4];
};

// Each bit: whether the number of bits set up to it is odd.
std::uint64_t parity_so_far(std::uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// Past the end of the object or array that begins at `at`.
std::size_t skip_container(std::string_view json, std::size_t at) {
  std::uint64_t in_string = 0;     // all ones: the block begins within a string
  std::uint64_t first_quoted = 0;  // 1: a backslash stands before the block
  int depth = 0;
  for (; at < json.size(); at += 64) {
    char rest[64] = {};
    const std::size_t left = json.size() - at;
    if (left < sizeof rest) std::memcpy(rest, json.data() + at, left);
    const Block block(left < sizeof rest ? rest : json.data() + at);
    if (in_string != 0 && first_quoted == 0 && !block.has_quote_or_backslash()) continue;
    std::uint64_t quotes = block.equal_to('"') & ~first_quoted;
    std::uint64_t backslashes = block.equal_to('\\') & ~first_quoted;
    first_quoted = 0;
    while (backslashes != 0) {
      const std::uint64_t escape = backslashes & -backslashes;
      const std::uint64_t escaped = escape << 1;
      if (escaped == 0) first_quoted = 1;
      quotes &= ~escaped;
      backslashes &= ~(escape | escaped);
    }
    const std::uint64_t strings = parity_so_far(quotes) ^ in_string;
    in_string = strings >> 63 != 0 ? ~std::uint64_t{0} : 0;
    const std::uint64_t opening = block.equal_or_bracket('{') & ~strings;
    std::uint64_t closing = block.equal_or_bracket('}') & ~strings;
    if (std::popcount(closing) < depth) {
      depth += std::popcount(opening) - std::popcount(closing);
      continue;
    }
    std::uint64_t before = 0;  // what was counted already
    for (; closing != 0; closing &= closing - 1) {
      const std::uint64_t upto = (closing & -closing) - 1;
      depth += std::popcount(opening & upto & ~before) - 1;
      before = upto;
      if (depth == 0) return at + static_cast<std::size_t>(std::countr_zero(closing)) + 1;
    }
    depth += std::popcount(opening & ~before);
  }
  return json.size();
}
#else
std::size_t skip_container(std::string_view json, std::size_t at) {
  int depth = 0;
  while (at < json.size()) {
    const char c = json[at];
    if (c == '"') {
      at = skip_string(json, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    ++at;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return at;
}
#endif

// Past the value that begins at `at`.
std::size_t skip_value(std::string_view json, std::size_t at) {
  if (at >= json.size()) return at;
  if (json[at] == '"') return skip_string(json, at);
  if (json[at] == '{' || json[at] == '[') return skip_container(json, at);
  return std::min(json.find_first_of(",}]", at), json.size());
}

struct Member {
  std::string_view name, value;
  std::size_t begin = 0;  // of the quoted name
};

// The members of the object `json`, until `visit` answers false. The offset where it ended.
template <class Visit>
std::optional<std::size_t> walk(std::string_view json, Visit visit) {
  if (json.empty() || json.front() != '{') return std::nullopt;
  std::size_t at = 1;
  while (at < json.size() && json[at] == '"') {
    const std::size_t key_end = skip_string(json, at);
    if (key_end >= json.size()) return std::nullopt;
    const std::size_t begin = key_end + 1;  // past the colon
    const std::size_t end = skip_value(json, begin);
    const Member member{json.substr(at + 1, key_end - at - 2),
                        begin <= end ? json.substr(begin, end - begin) : std::string_view(), at};
    if (!visit(member)) return at;
    if (end >= json.size() || json[end] == '}') return end;
    at = end + 1;  // past the comma
  }
  return at < json.size() ? std::optional(at) : std::nullopt;
}

// Where the value of the member `key` begins, of the object at the start of `json`.
std::optional<std::size_t> find_value(std::string_view json, std::string_view key) {
  if (json.empty() || json.front() != '{') return std::nullopt;
  std::size_t at = 1;
  while (at < json.size() && json[at] == '"') {
    const std::size_t key_end = skip_string(json, at);
    if (key_end >= json.size()) return std::nullopt;
    const std::size_t begin = key_end + 1;  // past the colon
    if (json.substr(at + 1, key_end - at - 2) == key) return begin;
    const std::size_t end = skip_value(json, begin);
    if (end >= json.size() || json[end] == '}') return std::nullopt;
    at = end + 1;  // past the comma
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_json_member(std::string_view json,
                                                 std::string_view dotted_path) {
  while (!dotted_path.empty()) {
    const std::size_t dot = dotted_path.find('.');
    const std::optional<std::size_t> begin = find_value(json, dotted_path.substr(0, dot));
    if (!begin) return std::nullopt;
    json.remove_prefix(*begin);
    if (dot == std::string_view::npos) return json.substr(0, skip_value(json, 0));
    dotted_path.remove_prefix(dot + 1);
  }
  return json;
}

std::optional<std::size_t> json_member_place(std::string_view json, std::string_view key) {
  bool present = false;
  const auto place = walk(json, [&](const Member& member) {
    present = present || member.name == key;
    return member.name < key;
  });
  return present ? std::nullopt : place;
}

void each_json_member(
    std::string_view json,
    const std::function<void(std::string_view name, std::string_view value)>& see) {
  walk(json, [&](const Member& member) {
    see(member.name, member.value);
    return true;
  });
}

void each_json_item(std::string_view json, const std::function<void(std::string_view item)>& see) {
  if (json.empty() || json.front() != '[') return;
  std::size_t at = 1;
  while (at < json.size() && json[at] != ']') {
    const std::size_t end = skip_value(json, at);
    if (end <= at) return;
    see(json.substr(at, end - at));
    at = end < json.size() && json[end] == ',' ? end + 1 : end;
  }
}

}  // namespace keelway::value
