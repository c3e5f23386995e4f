// Who hears of which events. Matching costs the subscriptions that match, not all of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/by_text.h"
#include "watch/cache.h"

namespace keelway::watch {

class Fanout : public std::enable_shared_from_this<Fanout> {
 public:
  struct Subscriber {
    std::string scope;
    std::string field, text;  // of SubscribeRequest
    Revision position = 0;    // events up to it were delivered or are not wanted
    bool behind = false;      // waits for its backlog; live batches pass it by
    bool ended = false;
    std::move_only_function<void(const CacheBatch&)> on_batch;
    std::move_only_function<void(base::Error)> on_end;
  };
  using SubscriberPtr = std::shared_ptr<Subscriber>;

  // The handle's destruction ends the subscription.
  std::unique_ptr<CacheSubscription> add(const SubscriberPtr& subscriber);
  // Observers hear everything first.
  std::unique_ptr<CacheSubscription> add_observer(const SubscriberPtr& subscriber);

  void tell_observers(const CacheBatch& batch);
  void tell_subscribers(const CacheBatch& batch);
  // Delivers the events that are newer than the subscriber's position.
  static void deliver(const SubscriberPtr& subscriber, const std::vector<CacheEventPtr>& events,
                      Revision revision);
  void end(const SubscriberPtr& subscriber, base::Error error);

 private:
  class Handle;
  using Subscribers = std::vector<SubscriberPtr>;
  void remove(const SubscriberPtr& subscriber);

  struct Scope {
    Subscribers all;
    // By field, then by its text: an event is read once for a field, whoever listens.
    std::map<std::string, base::ByText<Subscribers>> by_field;
    bool empty() const { return all.empty() && by_field.empty(); }
  };
  // Those who hear the same events of one batch.
  struct Share {
    Subscribers subscribers;  // a copy, because a callback may end any subscription
    std::vector<CacheEventPtr> events;
  };
  class Shares;
  base::ByText<Scope> by_scope_;
  Subscribers observers_;
};

}  // namespace keelway::watch
