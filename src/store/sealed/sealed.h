// Encryption at rest over any engine: every value is AES-256-GCM, keys and revisions are clear.
//
// A sealed value is: format (1 byte, 1), the key's id (4 bytes, big-endian), a random 96-bit nonce,
// the ciphertext, a 128-bit tag. Associated data are keyspace, key and the header, so a
// value that was moved to another key or keyspace does not open.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace keelway::store {

struct KeyRing {
  std::map<std::uint32_t, std::string> keys;  // id -> 32 bytes
  std::uint32_t current = 0;                  // of new values; the others open old ones
};

// Hears of every value that does not open, each time it is met, on the keyspace's executor.
using BrokenSeal = std::function<void(const std::string& keyspace, const std::string& key,
                                      const base::Error& error)>;

// Fails where the ring is not as described. A value that does not open is delivered as null, in
// ranges and watches, and told to `broken`; other keys are not concerned. As the current entry of
// a conflict it is an error that names the key. It may be written anew or deleted as any other.
// Changing the current id does not rewrite old values.
base::Result<std::unique_ptr<Engine>> make_sealed(std::unique_ptr<Engine> inner,
                                                  runtime::Runtime& runtime, KeyRing ring,
                                                  BrokenSeal broken = nullptr);

// What setting up a cipher for a key costs, paid once for many values. One executor's.
class SealContexts {
 public:
  SealContexts();
  ~SealContexts();
  SealContexts(const SealContexts&) = delete;

 private:
  friend class Seal;
  struct Cipher;
  std::unique_ptr<Cipher> closing_, opening_;
  std::string nonces_;  // random bytes drawn ahead
};

// The seal alone: for the check of a database and for single secrets.
class Seal {
 public:
  static base::Result<std::shared_ptr<const Seal>> make(runtime::Runtime& runtime, KeyRing ring);
  Bytes close(const std::string& keyspace, const std::string& key, const Bytes& plain) const;
  base::Result<Bytes> open(const std::string& keyspace, const std::string& key,
                           const Bytes& sealed) const;
  // The same, for whoever has many.
  Bytes close(SealContexts& contexts, const std::string& keyspace, const std::string& key,
              const Bytes& plain) const;
  base::Result<Bytes> open(SealContexts& contexts, const std::string& keyspace,
                           const std::string& key, const Bytes& sealed) const;
  ~Seal();

 private:
  Seal(runtime::Runtime& runtime, KeyRing ring) : runtime_(runtime), ring_(std::move(ring)) {}
  std::string take_nonce(SealContexts& contexts) const;
  runtime::Runtime& runtime_;
  KeyRing ring_;
};

struct SealCheck {
  std::size_t opened = 0;
  std::vector<std::string> broken;  // messages that name the keys
};
// Opens every current value of one keyspace of the unsealed `inner` and goes on past those that
// do not open.
void check_sealed(Keyspace& inner, const std::string& keyspace, std::shared_ptr<const Seal> seal,
                  std::move_only_function<void(base::Result<SealCheck>)> done);

}  // namespace keelway::store
