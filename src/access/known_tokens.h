// Bearer tokens that have been verified, so that a caller pays for it once and not with each
// request. Whatever else a token stands on is for the caller to look at each time.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/by_text.h"

namespace keelway::access {

// Bounded: who was not seen while `tokens_max` others came is forgotten.
template <class T>
class KnownTokens {
 public:
  explicit KnownTokens(std::size_t tokens_max) : tokens_max_(tokens_max) {}
  KnownTokens(const KnownTokens&) = delete;

  // Null where it is not known. In place until the next call.
  const T* find(std::string_view token) {
    Entry*& usual = last_seen(token);
    if (usual != nullptr && usual->first == token) return &usual->second;
    auto found = recent_.find(token);
    if (found == recent_.end()) {
      const auto older = older_.find(token);
      if (older == older_.end()) return nullptr;
      auto node = older_.extract(older);
      make_room();
      found = recent_.insert(std::move(node)).position;
    }
    usual = &*found;
    return &found->second;
  }

  void add(std::string_view token, T known) {
    if (token.size() > kTokenBytesMax) return;
    make_room();
    last_seen(token) = &*recent_.insert_or_assign(std::string(token), std::move(known)).first;
  }

  void clear() {
    recent_.clear();
    older_.clear();
    last_seen_ = {};
  }

 private:
  using Entry = typename base::ByText<T>::value_type;
  static constexpr std::size_t kTokenBytesMax = 4096;  // longer ones are verified each time

  // A token is long, and its hash dearer than a comparison with the one that came last time: tokens
  // end in signatures, so that few share a place.
  Entry*& last_seen(std::string_view token) {
    std::uint32_t tail = 0;
    if (token.size() >= sizeof tail) {
      std::memcpy(&tail, token.data() + token.size() - sizeof tail, sizeof tail);
    }
    return last_seen_[tail * 0x9E3779B1u >> 24];
  }
  void make_room() {
    if (recent_.size() < tokens_max_) return;
    older_ = std::exchange(recent_, {});
    last_seen_ = {};
  }

  const std::size_t tokens_max_;  // of each of two generations
  base::ByText<T> recent_, older_;
  std::array<Entry*, 256> last_seen_ = {};
};

}  // namespace keelway::access
