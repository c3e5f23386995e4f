#include "base/random.h"

#include <bit>
#include <iterator>

#include "base/error.h"

namespace keelway::base {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::string draw(Random& random, std::string_view alphabet, int length) {
  std::string text(static_cast<std::size_t>(length), '0');
  for (char& c : text) c = alphabet[random.below(alphabet.size())];
  return text;
}

}  // namespace

Random::Random(std::uint64_t seed) {
  for (auto& word : state_) word = split_mix(seed);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  KEELWAY_INVARIANT(bound > 0, "an empty range has no member");
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

bool Random::chance(double probability) {
  return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
}

std::string make_uuid(Random& random) {
  static constexpr std::uint8_t places[] = {0,  1,  2,  3,  4,  5,  6,  7,  9,  10, 11,
                                            12, 14, 15, 16, 17, 19, 20, 21, 22, 24, 25,
                                            26, 27, 28, 29, 30, 31, 32, 33, 34, 35};
  std::string text(36, '-');
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < std::size(places); ++i) {
    if (i % 16 == 0) bits = random.next();
    text[places[i]] = "0123456789abcdef"[bits & 15];
    bits >>= 4;
  }
  text[14] = '4';
  text[19] = "89ab"[random.below(4)];
  return text;
}

std::string make_name_suffix(Random& random, int length) {
  return draw(random, "bcdfghjklmnpqrstvwxz2456789", length);
}

std::string make_hex(Random& random, int length) {
  return draw(random, "0123456789abcdef", length);
}

}  // namespace keelway::base
