#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "store/sealed/sealed.h"

namespace keelway::store {
namespace {

constexpr char format = 1;
constexpr std::size_t key_size = 32;
constexpr std::size_t header_size = 5;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(char* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

// Lengths stand before the parts, so no two (keyspace, key) pairs give the same bytes.
std::string associated_data(std::string_view header, const std::string& keyspace,
                            const std::string& key) {
  std::string data(header);
  data += std::to_string(keyspace.size()) + ":" + keyspace + std::to_string(key.size()) + ":" + key;
  return data;
}

std::string make_header(std::uint32_t id) {
  std::string header(1, format);
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(id >> shift);
  return header;
}

struct Parts {
  std::uint32_t id = 0;
  std::string_view header, nonce, ciphertext, tag;
};

std::optional<Parts> split(std::string_view sealed) {
  if (sealed.size() < header_size + nonce_size + tag_size || sealed[0] != format) {
    return std::nullopt;
  }
  Parts parts;
  parts.header = sealed.substr(0, header_size);
  for (const char c : parts.header.substr(1)) {
    parts.id = parts.id << 8 | static_cast<unsigned char>(c);
  }
  parts.nonce = sealed.substr(header_size, nonce_size);
  parts.tag = sealed.substr(sealed.size() - tag_size);
  const std::size_t start = header_size + nonce_size;
  parts.ciphertext = sealed.substr(start, sealed.size() - tag_size - start);
  return parts;
}

base::Error broken(const std::string& keyspace, const std::string& key, const std::string& why) {
  return {base::ErrorCode::internal,
          "sealed value of key " + key + " in keyspace " + keyspace + ": " + why};
}

}  // namespace

base::Result<std::shared_ptr<const Seal>> Seal::make(runtime::Runtime& runtime, KeyRing ring) {
  for (const auto& [id, key] : ring.keys) {
    if (key.size() != key_size) {
      return base::fail(base::ErrorCode::invalid,
                        "sealing key " + std::to_string(id) + " is not 32 bytes long");
    }
  }
  if (!ring.keys.contains(ring.current)) {
    return base::fail(
        base::ErrorCode::invalid,
        "the current sealing key " + std::to_string(ring.current) + " is not in the ring");
  }
  return std::shared_ptr<const Seal>(new Seal(runtime, std::move(ring)));
}

Seal::~Seal() {
  for (auto& [id, key] : ring_.keys) OPENSSL_cleanse(key.data(), key.size());
}

Bytes Seal::close(const std::string& keyspace, const std::string& key, const Bytes& plain) const {
  std::string out = make_header(ring_.current);
  out.reserve(header_size + nonce_size + plain->size() + tag_size);
  const std::string data = associated_data(out, keyspace, key);
  const std::string nonce = runtime_.random_bytes(nonce_size);
  out += nonce;
  const std::size_t start = out.size();
  out.resize(start + plain->size() + tag_size);
  const std::string& secret = ring_.keys.at(ring_.current);
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool sealed =
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(secret), raw(nonce)) == 1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &size, raw(data), static_cast<int>(data.size())) ==
          1 &&
      EVP_EncryptUpdate(context.get(), raw(&out[start]), &size, raw(*plain),
                        static_cast<int>(plain->size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), raw(&out[start + plain->size()]), &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size,
                          &out[start + plain->size()]) == 1;
  KEELWAY_INVARIANT(sealed, "AES-256-GCM of " + key);
  return std::make_shared<const std::string>(std::move(out));
}

base::Result<Bytes> Seal::open(const std::string& keyspace, const std::string& key,
                               const Bytes& sealed) const {
  const std::optional<Parts> parts = split(*sealed);
  if (!parts) {
    return std::unexpected(
        broken(keyspace, key, "not in a known format; restore it from a backup"));
  }
  const auto secret = ring_.keys.find(parts->id);
  if (secret == ring_.keys.end()) {
    return std::unexpected(broken(
        keyspace, key,
        "sealed with key " + std::to_string(parts->id) + ", which is not in the ring; add it"));
  }
  const std::string data = associated_data(parts->header, keyspace, key);
  std::string plain(parts->ciphertext.size(), '\0');
  std::string tag(parts->tag);
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool opened =
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(secret->second),
                         raw(parts->nonce)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &size, raw(data), static_cast<int>(data.size())) ==
          1 &&
      EVP_DecryptUpdate(context.get(), raw(plain.data()), &size, raw(parts->ciphertext),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), raw(plain.data()) + plain.size(), &size) == 1;
  if (!opened) {
    return std::unexpected(
        broken(keyspace, key,
               "it does not open (changed, moved, or another key); restore it from a backup"));
  }
  return std::make_shared<const std::string>(std::move(plain));
}

}  // namespace keelway::store
