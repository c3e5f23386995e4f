// Memory that requests and answers under way hold, over all servers that share the budget. Any
// thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace keelway::http {

class Budget {
 public:
  struct Bounds {
    // Heads and bodies of requests until they are answered. Above, requests are told to come again.
    std::size_t request_bytes_max = 256u << 20;
    // Unsent answers. Above, readers that make no progress lose their connection at once.
    std::size_t answer_bytes_max = 512u << 20;
  };
  explicit Budget(Bounds bounds) : bounds_(bounds) {}

  bool take_request(std::size_t bytes) {
    if (requests_.fetch_add(bytes, std::memory_order_relaxed) + bytes <=
        bounds_.request_bytes_max) {
      return true;
    }
    give_request(bytes);
    return false;
  }
  void give_request(std::size_t bytes) { requests_.fetch_sub(bytes, std::memory_order_relaxed); }
  void count_answers(std::size_t now, std::size_t before) {
    answers_.fetch_add(now - before, std::memory_order_relaxed);  // modulo 2^64
  }
  bool answers_full() const { return answer_bytes() > bounds_.answer_bytes_max; }
  std::size_t request_bytes() const { return requests_.load(std::memory_order_relaxed); }
  std::size_t answer_bytes() const { return answers_.load(std::memory_order_relaxed); }

 private:
  const Bounds bounds_;
  std::atomic<std::size_t> requests_ = 0, answers_ = 0;
};

// What one request holds of a budget; given back on destruction.
class Held {
 public:
  Held() = default;
  Held(Held&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Held() {
    if (budget_ && bytes_ > 0) budget_->give_request(bytes_);
  }
  // false: nothing was taken.
  bool add(const std::shared_ptr<Budget>& budget, std::size_t bytes) {
    if (!budget->take_request(bytes)) return false;
    budget_ = budget;
    bytes_ += bytes;
    return true;
  }

 private:
  std::shared_ptr<Budget> budget_;
  std::size_t bytes_ = 0;
};

}  // namespace keelway::http
