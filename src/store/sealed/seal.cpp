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
constexpr std::size_t nonces_at_once = 64;

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

// A context that has one key; values differ in the nonce alone.
struct SealContexts::Cipher {
  explicit Cipher(bool closes) : context(EVP_CIPHER_CTX_new()), is_closing(closes) {}

  EVP_CIPHER_CTX* with_key(std::uint32_t id, const std::string& secret) {
    if (key_id == id) return context.get();
    key_id.reset();
    const bool ready = EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(secret),
                                         nullptr, is_closing ? 1 : 0) == 1;
    KEELWAY_INVARIANT(ready, "AES-256-GCM takes a key of 32 bytes");
    key_id = id;
    return context.get();
  }

  const Context context;
  const bool is_closing;
  std::optional<std::uint32_t> key_id;
};

SealContexts::SealContexts() = default;
SealContexts::~SealContexts() = default;

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

std::string Seal::take_nonce(SealContexts& contexts) const {
  if (contexts.nonces_.empty()) {
    contexts.nonces_ = runtime_.random_bytes(nonce_size * nonces_at_once);
  }
  const std::size_t left = contexts.nonces_.size() - nonce_size;
  std::string nonce = contexts.nonces_.substr(left);
  contexts.nonces_.resize(left);
  return nonce;
}

Bytes Seal::close(SealContexts& contexts, const std::string& keyspace, const std::string& key,
                  const Bytes& plain) const {
  if (!contexts.closing_) contexts.closing_ = std::make_unique<SealContexts::Cipher>(true);
  EVP_CIPHER_CTX* context =
      contexts.closing_->with_key(ring_.current, ring_.keys.at(ring_.current));
  std::string out = make_header(ring_.current);
  out.reserve(header_size + nonce_size + plain->size() + tag_size);
  const std::string data = associated_data(out, keyspace, key);
  const std::string nonce = take_nonce(contexts);
  out += nonce;
  const std::size_t start = out.size();
  out.resize(start + plain->size() + tag_size);
  int size = 0;
  const bool sealed =
      EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, raw(nonce)) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &size, raw(data), static_cast<int>(data.size())) == 1 &&
      EVP_EncryptUpdate(context, raw(&out[start]), &size, raw(*plain),
                        static_cast<int>(plain->size())) == 1 &&
      EVP_EncryptFinal_ex(context, raw(&out[start + plain->size()]), &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, tag_size, &out[start + plain->size()]) ==
          1;
  KEELWAY_INVARIANT(sealed, "AES-256-GCM of " + key);
  return std::make_shared<const std::string>(std::move(out));
}

Bytes Seal::close(const std::string& keyspace, const std::string& key, const Bytes& plain) const {
  SealContexts contexts;
  return close(contexts, keyspace, key, plain);
}

base::Result<Bytes> Seal::open(const std::string& keyspace, const std::string& key,
                               const Bytes& sealed) const {
  SealContexts contexts;
  return open(contexts, keyspace, key, sealed);
}

base::Result<Bytes> Seal::open(SealContexts& contexts, const std::string& keyspace,
                               const std::string& key, const Bytes& sealed) const {
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
  if (!contexts.opening_) contexts.opening_ = std::make_unique<SealContexts::Cipher>(false);
  EVP_CIPHER_CTX* context = contexts.opening_->with_key(parts->id, secret->second);
  int size = 0;
  const bool opened =
      EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, raw(parts->nonce)) == 1 &&
      EVP_DecryptUpdate(context, nullptr, &size, raw(data), static_cast<int>(data.size())) == 1 &&
      EVP_DecryptUpdate(context, raw(plain.data()), &size, raw(parts->ciphertext),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context, raw(plain.data()) + plain.size(), &size) == 1;
  if (!opened) {
    return std::unexpected(
        broken(keyspace, key,
               "it does not open (changed, moved, or another key); restore it from a backup"));
  }
  return std::make_shared<const std::string>(std::move(plain));
}

}  // namespace keelway::store
