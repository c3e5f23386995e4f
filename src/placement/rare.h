// A part that few have: the room of a pointer where it says nothing.
#pragma once

#include <memory>
#include <utility>

namespace keelway::placement {

// A value of T, copied with its owner; T::empty() tells whether it says anything.
template <class T>
class Rare {
 public:
  Rare() = default;
  Rare(T value) : value_(value.empty() ? nullptr : std::make_unique<const T>(std::move(value))) {}
  Rare(const Rare& other)
      : value_(other.value_ ? std::make_unique<const T>(*other.value_) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }

  const T& operator*() const { return value_ ? *value_ : nothing(); }
  const T* operator->() const { return &**this; }
  operator const T&() const { return **this; }

 private:
  static const T& nothing() {
    static const T none{};
    return none;
  }
  std::unique_ptr<const T> value_;
};

}  // namespace keelway::placement
