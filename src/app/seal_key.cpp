#include "app/seal_key.h"

#include "base/encoding.h"

namespace keelway::app {
namespace {

constexpr std::size_t seal_key_bytes = 32;
constexpr std::uint32_t first_seal_key = 1;

}  // namespace

base::Result<store::KeyRing> parse_seal_key(const std::string& text, const std::string& path) {
  std::string line = text;
  while (line.ends_with('\n')) line.pop_back();
  const auto bytes = base::base64_decode(line);
  if (!bytes || bytes->size() != seal_key_bytes) {
    return base::fail(base::ErrorCode::invalid,
                      path + " is not a sealing key; put back the one this data was made with");
  }
  store::KeyRing ring;
  ring.keys[first_seal_key] = *bytes;
  ring.current = first_seal_key;
  return ring;
}

base::Result<store::KeyRing> read_seal_key(runtime::Files& files, const std::string& folder) {
  const std::string path = folder + "/" + seal_key_file;
  const auto text = files.read(path);
  if (!text) return std::unexpected(text.error());
  return parse_seal_key(*text, path);
}

base::Result<store::KeyRing> read_or_make_seal_key(runtime::Runtime& runtime,
                                                   const std::string& folder) {
  auto ring = read_seal_key(runtime.files(), folder);
  if (ring || ring.error().code != base::ErrorCode::not_found) return ring;
  const std::string path = folder + "/" + seal_key_file;
  const std::string text = base::base64_encode(runtime.random_bytes(seal_key_bytes)) + "\n";
  const auto written = runtime.files().write_private(path, text);
  if (!written) return std::unexpected(written.error());
  return parse_seal_key(text, path);
}

}  // namespace keelway::app
