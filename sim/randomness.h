// Keys and signatures are drawn by OpenSSL itself: their lengths reach the wire, so they must come
// from the seed as everything does.
#pragma once

#include <cstdint>

namespace keelway::sim {

// From now on OpenSSL draws from this seed, in the whole process.
void seed_openssl(std::uint64_t seed);

}  // namespace keelway::sim
