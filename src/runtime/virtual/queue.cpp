#include "runtime/virtual/queue.h"

namespace keelway::runtime {

EventQueue::Key EventQueue::schedule(const LifePtr& life, base::Duration delay, Task run) {
  const Key key{now_ + std::max(delay, base::Duration::zero()), order_.next(), ++last_serial_};
  if (life->alive) events_.emplace(key, Event{life, std::move(run)});
  return key;
}

void EventQueue::drop_life(const Life& life) {
  std::vector<Event> dropped;  // destroyed last: captures may call back into the queue
  for (auto entry = events_.begin(); entry != events_.end();) {
    if (entry->second.life.get() != &life) {
      ++entry;
      continue;
    }
    dropped.push_back(std::move(entry->second));
    entry = events_.erase(entry);
  }
}

bool EventQueue::step(base::Instant limit) {
  if (events_.empty() || events_.begin()->first.at > limit) return false;
  auto node = events_.extract(events_.begin());
  now_ = std::max(now_, node.key().at);
  if (!node.mapped().life->alive) return true;
  if (node.mapped().life->paused_until > now_) {
    // In the order in which it was due, and before what becomes due at the awakening.
    node.key().at = node.mapped().life->paused_until;
    node.key().tie = ++postponed_;
    events_.insert(std::move(node));
    return true;
  }
  trace_ = (trace_ ^ node.key().serial) * 0x9e3779b97f4a7c15ULL;
  trace_ ^= trace_ >> 29;
  node.mapped().run();
  return true;
}

base::Duration EventQueue::draw(base::Duration min, base::Duration max) {
  if (max <= min) return min;
  const auto span = static_cast<std::uint64_t>((max - min).count());
  return min + base::Duration(static_cast<std::int64_t>(order_.below(span + 1)));
}

}  // namespace keelway::runtime
