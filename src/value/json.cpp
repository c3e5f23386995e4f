#include "value/json.h"

#include <fmt/core.h>
#include <simdjson.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <unordered_set>

namespace keelway::value {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::size_t kKeptBytes = 32u << 10;

// Walks simdjson's tree into a Value and notes duplicate keys.
class Converter {
 public:
  explicit Converter(std::vector<std::string>* duplicates) : duplicates_(duplicates) {}

  Value convert(element e) {
    switch (e.type()) {
      case element_type::ARRAY:
        return convert_array(e.get_array().value_unsafe());
      case element_type::OBJECT:
        return convert_object(e.get_object().value_unsafe());
      case element_type::INT64:
        return Value(std::int64_t{e.get_int64().value_unsafe()});
      case element_type::UINT64:
        return Value(static_cast<double>(e.get_uint64().value_unsafe()));
      case element_type::DOUBLE:
        return Value(e.get_double().value_unsafe());
      case element_type::STRING:
        return Value(e.get_string().value_unsafe());
      case element_type::BOOL:
        return Value(e.get_bool().value_unsafe());
      case element_type::NULL_VALUE:
        break;
    }
    return Value();
  }

 private:
  // Where the walk is; read only where there is something to say.
  // Whether an object has a member already: few names are compared one by one, many are hashed.
  class SeenNames {
   public:
    bool has(const Members& members, std::string_view name) {
      if (members.size() <= compared_max) {
        return std::any_of(members.begin(), members.end(),
                           [name](const Member& member) { return member.first == name; });
      }
      for (; hashed_ < members.size(); ++hashed_) names_.emplace(members[hashed_].first);
      return names_.contains(name);
    }

   private:
    static constexpr std::size_t compared_max = 32;
    // Of the members before hashed_, which stay where they are: their number is known beforehand.
    std::unordered_set<std::string_view> names_;
    std::size_t hashed_ = 0;
  };

  struct Place {
    const Place* above;
    std::string_view name;  // of an object's member
    std::size_t index = 0;  // of an array's item, where there is no name
    bool is_item = false;
  };
  static std::string path_of(const Place* place) {
    if (place == nullptr) return "";
    std::string path = path_of(place->above);
    if (place->is_item) return path + fmt::format("[{}]", place->index);
    if (!path.empty()) path += '.';
    return path.append(place->name);
  }

  Value convert_array(simdjson::dom::array array) {
    Array items;
    items.reserve(array.size());
    Place here{place_, {}, 0, true};
    place_ = &here;
    for (const element item : array) {
      items.push_back(convert(item));
      ++here.index;
    }
    place_ = here.above;
    return Value(std::move(items));
  }

  Value convert_object(simdjson::dom::object object) {
    Members members;
    members.reserve(object.size());
    Place here{place_, {}, 0, false};
    place_ = &here;
    SeenNames seen;
    bool ascending = true;  // so far: then no later greater key is there already
    for (const auto field : object) {
      here.name = field.key;
      ascending = ascending && (members.empty() || members.back().first < here.name);
      if (!ascending && duplicates_ != nullptr && seen.has(members, here.name)) {
        duplicates_->push_back(path_of(&here));
      }
      members.emplace_back(std::string(field.key), convert(field.value));
    }
    place_ = here.above;
    return Value::object_of(std::move(members));
  }

  std::vector<std::string>* duplicates_;
  const Place* place_ = nullptr;
};

constexpr std::array<bool, 256> kMayNeedEscape = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = true;
  for (const unsigned char c : {0x22, 0x5c, 0x3c, 0x3e, 0x26, 0xe2}) table[c] = true;  // "\\<>&
  return table;
}();

#ifdef __SSE2__
// All ones where a byte of the sixteen at `text` may need an escape.
inline __m128i may_need_escape(const char* text) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const auto is = [](__m128i these, char c) { return _mm_cmpeq_epi8(these, _mm_set1_epi8(c)); };
  // Unsigned "at most 0x1f" is "the minimum with 0x1f is the byte itself".
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i single = _mm_or_si128(is(bytes, '\\'), is(bytes, '\xe2'));
  // Pairs that differ in one bit: '"' and '&', '<' and '>'.
  const __m128i pairs = _mm_or_si128(is(_mm_or_si128(bytes, _mm_set1_epi8('"' ^ '&')), '&'),
                                     is(_mm_or_si128(bytes, _mm_set1_epi8('<' ^ '>')), '>'));
  return _mm_or_si128(control, _mm_or_si128(single, pairs));
}
#endif

// From `i` on, the first byte that may need an escape, or the end.
std::size_t skip_plain(std::string_view text, std::size_t i) {
#ifdef __SSE2__
  const char* const data = text.data();
  for (; i + 64 <= text.size(); i += 64) {
    const __m128i any =
        _mm_or_si128(_mm_or_si128(may_need_escape(data + i), may_need_escape(data + i + 16)),
                     _mm_or_si128(may_need_escape(data + i + 32), may_need_escape(data + i + 48)));
    if (_mm_movemask_epi8(any) != 0) break;
  }
  for (; i + 16 <= text.size(); i += 16) {
    const int mask = _mm_movemask_epi8(may_need_escape(data + i));
    if (mask != 0) return i + static_cast<std::size_t>(std::countr_zero(unsigned(mask)));
  }
#endif
  while (i < text.size() && !kMayNeedEscape[static_cast<unsigned char>(text[i])]) ++i;
  return i;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Whether `digits`, without leading zeros, are more than simdjson has an integer for.
bool exceeds_integers(std::string_view digits, bool negative) {
  const std::string_view greatest = negative ? "9223372036854775808" : "18446744073709551615";
  return digits.size() > greatest.size() || (digits.size() == greatest.size() && digits > greatest);
}

// simdjson refuses integers of more than 64 bits, which JSON has and which our own doubles print
// as: with a fraction they are doubles to it.
std::string with_fractions(std::string_view text) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    if (quoted || !is_digit(text[i])) {
      const std::size_t count = quoted && text[i] == '\\' && i + 1 < text.size() ? 2 : 1;
      if (text[i] == '"') quoted = !quoted;
      out += text.substr(i, count);
      i += count;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    const std::string_view digits = text.substr(i, end - i);
    out += digits;
    const bool negative = i > 0 && text[i - 1] == '-';
    // Digits after a point or in an exponent are no integers of their own.
    const bool inside =
        i > 0 && (text[i - 1] == '.' || text[i - 1] == 'e' || text[i - 1] == 'E' ||
                  text[i - 1] == '+' || (negative && i > 1 && (text[i - 2] | 0x20) == 'e'));
    const bool whole = end == text.size() || (text[end] != '.' && (text[end] | 0x20) != 'e');
    if (!inside && whole && digits[0] != '0' && exceeds_integers(digits, negative)) out += ".0";
    i = end;
  }
  return out;
}

// The shortest digits that mean `d`, then zeros: std::to_chars would print them all.
void append_large(std::string& out, double d) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific);
  const std::string_view text(buffer, end.ptr - buffer);
  const std::size_t mark = text.find('e');
  int exponent = 0;  // printed as "e+20"
  std::from_chars(buffer + mark + 2, end.ptr, exponent);
  std::size_t digits = 0;
  for (const char c : text.substr(0, mark)) {
    if (c == '.') continue;
    out += c;
    if (c != '-') ++digits;
  }
  out.append(static_cast<std::size_t>(exponent) + 1 - digits, '0');
}

void append_double(std::string& out, double d) {
  if (!std::isfinite(d)) {  // JSON has no such numbers
    out += "null";
    return;
  }
  if (d == 0) {  // a sign would make two texts of equal documents
    out += '0';
    return;
  }
  const double magnitude = std::abs(d);
  if (magnitude >= 1e16 && magnitude < 1e21) return append_large(out, d);
  const bool scientific = magnitude < 1e-6 || magnitude >= 1e21;
  char buffer[400];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, d,
                    scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string_view text(buffer, end.ptr - buffer);
  if (scientific) {
    // Go trims "e-09" to "e-9".
    const auto exponent = text.find('e');
    if (exponent != std::string_view::npos && exponent + 3 < text.size() &&
        text[exponent + 2] == '0') {
      out += text.substr(0, exponent + 2);
      out += text.substr(exponent + 3);
      return;
    }
  }
  out += text;
}

void append_pretty(std::string& out, const Value& v, int indent, int depth) {
  const std::string inner(static_cast<std::size_t>(indent * (depth + 1)), ' ');
  const std::string outer(static_cast<std::size_t>(indent * depth), ' ');
  if (v.is_array() && !v.empty()) {
    const char* separator = "[\n";
    for (const Value& item : v.items()) {
      out += separator + inner;
      append_pretty(out, item, indent, depth + 1);
      separator = ",\n";
    }
    out += "\n" + outer + "]";
  } else if (v.is_object() && !v.empty()) {
    const char* separator = "{\n";
    for (const auto& [key, member] : v.members()) {
      out += separator + inner;
      append_json_string(out, key);
      out += ": ";
      append_pretty(out, member, indent, depth + 1);
      separator = ",\n";
    }
    out += "\n" + outer + "}";
  } else {
    append_json(out, v);
  }
}

}  // namespace

base::Result<Value> parse_json(std::string_view text, const JsonLimits& limits,
                               std::vector<std::string>* duplicates) {
  if (text.size() > limits.bytes_max) {
    return base::fail(base::ErrorCode::exhausted,
                      fmt::format("document of {} bytes exceeds the limit of {} bytes", text.size(),
                                  limits.bytes_max));
  }
  if (text.data() == nullptr) text = "";  // simdjson copies from there, be it nothing
  const auto depth = static_cast<std::size_t>(limits.depth_max);
  // A parser's memory is several times its document's and costs more to get than the parsing of
  // a small one. Each thread keeps that of one parser, which holds nothing else between calls.
  thread_local simdjson::dom::parser kept(kKeptBytes);
  simdjson::dom::parser own(limits.bytes_max);
  const bool small = text.size() <= kKeptBytes;
  simdjson::dom::parser& parser = small ? kept : own;
  const std::size_t capacity = small ? kKeptBytes : text.size();
  const bool ready = parser.capacity() >= capacity && parser.max_depth() == depth;
  if (!ready && parser.allocate(capacity, depth) != simdjson::SUCCESS) {
    return base::fail(base::ErrorCode::exhausted, "no memory to parse the document");
  }
  element root;
  auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    const std::string widened = with_fractions(text);
    if (widened.size() > text.size()) {
      error = parser.parse(widened.data(), widened.size()).get(root);
    }
  }
  if (error != simdjson::SUCCESS) {
    return base::fail(base::ErrorCode::invalid,
                      std::string("invalid JSON: ") + simdjson::error_message(error));
  }
  return Converter(duplicates).convert(root);
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = skip_plain(text, 0); i < text.size(); i = skip_plain(text, i + 1)) {
    const auto c = static_cast<unsigned char>(text[i]);
    // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
    const bool separator = c == 0xe2 && i + 2 < text.size() && text[i + 1] == '\x80' &&
                           (text[i + 2] == '\xa8' || text[i + 2] == '\xa9');
    if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && !separator) {
      continue;
    }
    out += text.substr(plain, i - plain);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case 0xe2:
        out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
        i += 2;
        break;
      default:
        out += "\\u00";
        out += digits[c >> 4];
        out += digits[c & 15];
    }
    plain = i + 1;
  }
  out += text.substr(plain);
  out += '"';
}

void append_json(std::string& out, const Value& v) {
  switch (v.type()) {
    case Type::null:
      out += "null";
      break;
    case Type::boolean:
      out += v.as_bool() ? "true" : "false";
      break;
    case Type::integer:
      out += std::to_string(v.as_int());
      break;
    case Type::number:
      append_double(out, v.as_double());
      break;
    case Type::string:
      append_json_string(out, v.as_string());
      break;
    case Type::array: {
      out += '[';
      bool first = true;
      for (const Value& item : v.items()) {
        if (!first) out += ',';
        first = false;
        append_json(out, item);
      }
      out += ']';
      break;
    }
    case Type::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : v.members()) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, key);
        out += ':';
        append_json(out, member);
      }
      out += '}';
      break;
    }
  }
}

// Texts are kept for long: what grew by doubling would hold half as much again in reserve.
std::string to_json(const Value& v) {
  constexpr std::size_t kept_max = 64u << 10;
  thread_local std::string scratch;
  scratch.clear();
  append_json(scratch, v);
  std::string out(scratch);
  if (scratch.capacity() > kept_max) scratch = std::string();
  return out;
}

std::string to_pretty_json(const Value& v, int indent) {
  std::string out;
  append_pretty(out, v, indent, 0);
  return out;
}

}  // namespace keelway::value
