#include "apiserver/gzip.h"

#include <zlib.h>

namespace keelway::apiserver {
namespace {

constexpr std::size_t kBytesMin = 128u << 10;
constexpr int kLevel = 1;             // fast: the peer is near
constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for gzip framing

}  // namespace

void compress_if_wanted(std::string_view accept_encoding, http::Response& response) {
  if (response.body.size() <= kBytesMin) return;
  if (accept_encoding.find("gzip") == std::string_view::npos) return;
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return;
  }
  std::string out(deflateBound(&stream, response.body.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(response.body.data());
  stream.avail_in = static_cast<uInt>(response.body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return;
  response.body = std::move(out);
  response.headers.emplace_back("content-encoding", "gzip");
  response.headers.emplace_back("vary", "Accept-Encoding");
}

}  // namespace keelway::apiserver
