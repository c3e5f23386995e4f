// The shared view of one manager and the subscriptions that fill it. Each subscription has a
// revision of its own, so that a write is waited for on the feed that will show it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "client/client.h"
#include "client/view.h"

namespace keelway::reconcile {

class Feeds {
 public:
  using Sink = std::function<void(const client::ChangeBatch&)>;
  // `sink` hears of each batch after the view has taken it.
  Feeds(client::Client& client, Sink sink);

  // Opens one subscription for those that are not watched yet.
  void watch(std::vector<client::Resource> resources);
  const client::LocalView& view() const { return view_; }
  // Every feed that was opened before the first sync has delivered its initial state. Later
  // feeds fill in behind.
  bool synced() const;
  // Which feed shows writes to the resource; -1: none does.
  int feed_of(const client::Resource& resource) const;
  bool reached(int feed, client::Revision revision) const;

 private:
  struct Feed {
    std::unique_ptr<client::Subscription> subscription;
    client::Revision revision = 0;
    bool synced = false;
    bool first = false;
  };
  void take(std::size_t feed, const client::ChangeBatch& batch);

  client::Client& client_;
  Sink sink_;
  client::LocalView view_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::map<std::pair<std::string, std::string>, int> feed_of_;  // by (group, resource)
  bool was_synced_ = false;
};

}  // namespace keelway::reconcile
