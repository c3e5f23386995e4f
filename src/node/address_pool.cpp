#include "node/address_pool.h"

#include <fmt/core.h>

#include <charconv>

namespace keelway::node {
namespace {

constexpr std::uint32_t first = (100u << 24) + (64u << 16) + 256;
constexpr std::uint32_t count = (1u << 22) - 512;

std::string to_text(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

std::optional<std::uint32_t> parse(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value > 255) return std::nullopt;
    text.remove_prefix(end - text.data());
    address = address << 8 | value;
    if (part == 3) break;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  return text.empty() ? std::optional(address) : std::nullopt;
}

}  // namespace

std::optional<std::string> AddressPool::take(const std::string& pod_uid) {
  if (const auto held = by_pod_.find(pod_uid); held != by_pod_.end()) {
    return to_text(held->second);
  }
  if (by_address_.size() >= count) return std::nullopt;
  // The next one after the last that was given, so that an address rests before it is used again.
  while (by_address_.contains(first + next_)) next_ = (next_ + 1) % count;
  const std::uint32_t address = first + next_;
  next_ = (next_ + 1) % count;
  by_address_[address] = pod_uid;
  by_pod_[pod_uid] = address;
  return to_text(address);
}

void AddressPool::note(const std::string& pod_uid, std::string_view text) {
  const auto address = parse(text);
  if (!address || *address < first || *address >= first + count) return;
  give_back(pod_uid);
  by_address_[*address] = pod_uid;
  by_pod_[pod_uid] = *address;
}

void AddressPool::give_back(const std::string& pod_uid) {
  const auto held = by_pod_.find(pod_uid);
  if (held == by_pod_.end()) return;
  by_address_.erase(held->second);
  by_pod_.erase(held);
}

}  // namespace keelway::node
