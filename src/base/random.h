// Randomness as a value: a seeded generator that is handed in. runtime seeds the root from the
// OS in production and from the run's seed in simulation.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace keelway::base {

// xoshiro256** (Blackman, Vigna). Not for keys: those come from OpenSSL through runtime.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), bound > 0
  bool chance(double probability);
  Random fork() { return Random(next()); }

 private:
  std::uint64_t state_[4];
};

// A version-4 UUID, "f81d4fae-7dec-41d0-a765-00a0c91e6bf6".
std::string make_uuid(Random& random);
// `length` characters of Kubernetes' name alphabet bcdfghjklmnpqrstvwxz2456789.
std::string make_name_suffix(Random& random, int length);
// `length` lower-case hexadecimal digits.
std::string make_hex(Random& random, int length);

}  // namespace keelway::base
