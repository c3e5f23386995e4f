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
  Scope& scope = by_scope_[subscriber->scope];
  if (subscriber->field.empty())
    scope.all.push_back(subscriber);
  else
    scope.by_field[subscriber->field][subscriber->text].push_back(subscriber);
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
  Scope& scope = found->second;
  if (subscriber->field.empty()) {
    std::erase(scope.all, subscriber);
  } else if (const auto field = scope.by_field.find(subscriber->field);
             field != scope.by_field.end()) {
    const auto text = field->second.find(subscriber->text);
    if (text != field->second.end()) {
      std::erase(text->second, subscriber);
      if (text->second.empty()) field->second.erase(text);
    }
    if (field->second.empty()) scope.by_field.erase(field);
  }
  if (scope.empty()) by_scope_.erase(found);
}

void Fanout::tell_observers(const CacheBatch& batch) {
  for (std::size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_batch(batch);
}

// The events of each list of subscribers, lists in the order of their first event.
class Fanout::Shares {
 public:
  void add(const Subscribers& subscribers, const CacheEventPtr& event) {
    const auto [place, fresh] = place_of_.try_emplace(&subscribers, shares_.size());
    if (fresh) shares_.push_back({subscribers, {}});
    std::vector<CacheEventPtr>& events = shares_[place->second].events;
    // A short key is its own resource prefix, and a field may keep its text: once is enough.
    if (events.empty() || events.back() != event) events.push_back(event);
  }
  const std::vector<Share>& all() const { return shares_; }

 private:
  std::vector<Share> shares_;
  std::unordered_map<const Subscribers*, std::size_t> place_of_;
};

void Fanout::tell_subscribers(const CacheBatch& batch) {
  Shares shares;
  for (const CacheEventPtr& event : batch.events) {
    const std::string_view key = event->key;
    for (const std::string_view name :
         {std::string_view(), resource_prefix_of(key), namespace_prefix_of(key), key}) {
      const auto scope = by_scope_.find(name);
      if (scope == by_scope_.end()) continue;
      if (!scope->second.all.empty()) shares.add(scope->second.all, event);
      for (const auto& [field, by_text] : scope->second.by_field) {
        const auto tell = [&](const Object& object) {
          const auto found = by_text.find(object.field(field));
          if (found != by_text.end()) shares.add(found->second, event);
        };
        tell(*event->object);
        if (event->previous && event->previous != event->object) tell(*event->previous);
      }
    }
  }
  for (const Share& share : shares.all()) {
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
