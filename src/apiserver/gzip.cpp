#include "apiserver/gzip.h"

#include <zlib.h>

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

}  // namespace

std::unique_ptr<Gzip> Gzip::make() {
  auto gzip = std::make_unique<ZlibGzip>();
  if (!gzip->open()) return nullptr;
  return gzip;
}

bool accepts_gzip(std::string_view accept_encoding) {
  return accept_encoding.find("gzip") != std::string_view::npos;
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
