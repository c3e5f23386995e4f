#include "watch/fanout.h"

#include <algorithm>

namespace keelway::watch {

class Fanout::Handle final : public CacheSubscription {
 public:
  Handle(std::shared_ptr<Fanout> fanout, SubscriberPtr subscriber)
      : fanout_(std::move(fanout)), subscriber_(std::move(subscriber)) {}
  ~Handle() override {
    subscriber_->ended = true;
    fanout_->remove(subscriber_);
  }

 private:
  std::shared_ptr<Fanout> fanout_;
  SubscriberPtr subscriber_;
};

std::unique_ptr<CacheSubscription> Fanout::add(const SubscriberPtr& subscriber) {
  by_scope_[subscriber->scope].push_back(subscriber);
  return std::make_unique<Handle>(shared_from_this(), subscriber);
}

std::unique_ptr<CacheSubscription> Fanout::add_observer(const SubscriberPtr& subscriber) {
  observers_.push_back(subscriber);
  return std::make_unique<Handle>(shared_from_this(), subscriber);
}

void Fanout::remove(const SubscriberPtr& subscriber) {
  std::erase(observers_, subscriber);
  const auto found = by_scope_.find(subscriber->scope);
  if (found == by_scope_.end()) return;
  std::erase(found->second, subscriber);
  if (found->second.empty()) by_scope_.erase(found);
}

void Fanout::tell_observers(const CacheBatch& batch) {
  for (std::size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_batch(batch);
}

void Fanout::tell_subscribers(const CacheBatch& batch) {
  // The events of each scope that somebody watches, scopes in the order of their first event.
  // Copies of the lists, because a callback may end any subscription.
  struct Share {
    Subscribers subscribers;
    std::vector<CacheEventPtr> events;
  };
  std::vector<Share> shares;
  std::unordered_map<std::string, std::size_t> share_of;
  for (const CacheEventPtr& event : batch.events) {
    const std::string_view key = event->key;
    for (const std::string_view scope :
         {std::string_view(), resource_prefix_of(key), namespace_prefix_of(key), key}) {
      const auto found = by_scope_.find(scope);
      if (found == by_scope_.end()) continue;
      const auto [share, fresh] = share_of.try_emplace(found->first, shares.size());
      if (fresh) shares.push_back({found->second, {}});
      std::vector<CacheEventPtr>& events = shares[share->second].events;
      // A short key is its own resource prefix: once is enough.
      if (events.empty() || events.back() != event) events.push_back(event);
    }
  }
  for (const Share& share : shares) {
    for (const SubscriberPtr& subscriber : share.subscribers) {
      if (subscriber->ended || subscriber->behind) continue;
      deliver(subscriber, share.events, batch.revision);
    }
  }
}

void Fanout::deliver(const SubscriberPtr& subscriber, const std::vector<CacheEventPtr>& events,
                     Revision revision) {
  if (events.empty() || events.back()->revision <= subscriber->position) return;
  if (events.front()->revision > subscriber->position) {
    subscriber->position = revision;
    subscriber->on_batch(CacheBatch{events, revision, false});
    return;
  }
  const auto first = std::upper_bound(
      events.begin(), events.end(), subscriber->position,
      [](Revision position, const CacheEventPtr& event) { return position < event->revision; });
  const std::vector<CacheEventPtr> rest(first, events.end());
  subscriber->position = revision;
  subscriber->on_batch(CacheBatch{rest, revision, false});
}

void Fanout::end(const SubscriberPtr& subscriber, base::Error error) {
  subscriber->ended = true;
  remove(subscriber);
  if (subscriber->on_end) subscriber->on_end(std::move(error));
}

}  // namespace keelway::watch
