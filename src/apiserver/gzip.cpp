#include "apiserver/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace keelway::apiserver {
namespace {

constexpr std::size_t kBytesMin = 128u << 10;
constexpr int kLevel = 1;             // fast: the peer is near
constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for gzip framing

class ZlibGzip final : public Gzip {
 public:
  ~ZlibGzip() override { deflateEnd(&stream_); }
  bool open() {
    return deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }

  void add(std::string& piece, bool last) override {
    stream_.next_in = reinterpret_cast<Bytef*>(piece.data());
    stream_.avail_in = static_cast<uInt>(piece.size());
    const std::size_t before = out_.size();
    // Enough for the piece and for what zlib still holds of those before it.
    out_.resize(before + deflateBound(&stream_, stream_.avail_in) + kHeld);
    stream_.next_out = reinterpret_cast<Bytef*>(out_.data() + before);
    stream_.avail_out = static_cast<uInt>(out_.size() - before);
    const int result = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
    KEELWAY_INVARIANT(stream_.avail_in == 0 && (!last || result == Z_STREAM_END),
                      "a piece fits in its bound");
    out_.resize(out_.size() - stream_.avail_out);
  }
  std::string take() override { return std::exchange(out_, {}); }

 private:
  static constexpr std::size_t kHeld = 256u << 10;
  z_stream stream_{};
  std::string out_;
};

// What stands before the mark; `text` keeps what stands behind it.
std::string_view cut(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return head;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_word(std::string_view text, std::string_view lower) {
  text = trimmed(text);
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'Z' && static_cast<char>(a - 'A' + 'a') == b);
  });
}

// Whether the parameters of a coding say q=0, in any of its spellings: it is refused then.
bool weighs_nothing(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = cut(parameters, ';');
    if (!is_word(cut(value, '='), "q")) continue;
    value = trimmed(value);
    return value.starts_with('0') && value.find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

}  // namespace

std::unique_ptr<Gzip> Gzip::make() {
  auto gzip = std::make_unique<ZlibGzip>();
  if (!gzip->open()) return nullptr;
  return gzip;
}

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const std::string_view choice = cut(accept_encoding, ',');
    std::string_view rest = choice;
    if (!is_word(cut(rest, ';'), "gzip")) continue;
    return !weighs_nothing(rest);
  }
  return false;
}

void compress_if_wanted(std::string_view accept_encoding, http::Response& response) {
  if (response.body.size() <= kBytesMin || !accepts_gzip(accept_encoding)) return;
  for (const http::Header& header : response.headers) {
    if (header.first == "content-encoding") return;  // done already
  }
  const auto gzip = Gzip::make();
  if (!gzip) return;
  gzip->add(response.body, true);
  response.body = gzip->take();
  response.headers.emplace_back("content-encoding", "gzip");
  response.headers.emplace_back("vary", "Accept-Encoding");
}

}  // namespace keelway::apiserver
