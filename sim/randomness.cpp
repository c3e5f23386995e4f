#include "sim/randomness.h"

#include <openssl/rand.h>

#include "base/error.h"
#include "base/random.h"

// The only way to hand OpenSSL a generator without loading a provider.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace keelway::sim {
namespace {

// OpenSSL's hook carries no context.
thread_local base::Random generator(0);

int draw(unsigned char* into, int count) {
  for (int i = 0; i < count; ++i) into[i] = static_cast<unsigned char>(generator.below(256));
  return 1;
}
int ready() {
  return 1;
}

}  // namespace

void seed_openssl(std::uint64_t seed) {
  static const RAND_METHOD method = {nullptr, draw, nullptr, nullptr, draw, ready};
  generator = base::Random(seed);
  KEELWAY_INVARIANT(RAND_set_rand_method(&method) == 1, "OpenSSL takes a generator");
}

}  // namespace keelway::sim
