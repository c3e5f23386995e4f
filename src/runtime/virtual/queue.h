// The ordered queue of one world, and the life of a simulated process.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>

#include "runtime/runtime.h"
#include "runtime/virtual/world.h"

namespace keelway::runtime {

// One life of a host. Events of a life that has ended never run.
struct Life {
  bool alive = true;
  base::Instant paused_until;  // what is due before waits
};
using LifePtr = std::shared_ptr<Life>;

class EventQueue {
 public:
  // The tie is drawn from the seed: among events of one instant the order is random, yet the same
  // in each run.
  struct Key {
    base::Instant at;
    std::uint64_t tie = 0, serial = 0;
    auto operator<=>(const Key&) const = default;
  };

  explicit EventQueue(std::uint64_t seed) : order_(seed) {}

  Key schedule(const LifePtr& life, base::Duration delay, Task run);
  void cancel(const Key& key) { events_.erase(key); }
  void drop_life(const Life& life);  // with the captures of its events
  void clear() { const auto dropped = std::exchange(events_, {}); }
  bool step(base::Instant limit);
  void stand_at(base::Instant at) { now_ = std::max(now_, at); }

  base::Instant now() const { return now_; }
  std::size_t size() const { return events_.size(); }
  std::uint64_t trace_hash() const { return trace_; }
  base::Random& random() { return order_; }
  base::Duration draw(base::Duration min, base::Duration max);
  Marks* marks = nullptr;

 private:
  struct Event {
    LifePtr life;
    Task run;
  };
  base::Random order_;
  base::Instant now_;
  std::uint64_t last_serial_ = 0;
  std::uint64_t postponed_ = 0;
  std::uint64_t trace_ = 0x6b65656c77617921ULL;
  std::map<Key, Event> events_;
};

}  // namespace keelway::runtime
