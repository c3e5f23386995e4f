#include "reconcile/feeds.h"

#include <algorithm>

namespace keelway::reconcile {

Feeds::Feeds(client::Client& client, Sink sink) : client_(client), sink_(std::move(sink)) {}

void Feeds::watch(std::vector<client::Resource> resources) {
  std::vector<client::Resource> fresh;
  const int index = static_cast<int>(feeds_.size());
  for (client::Resource& resource : resources) {
    if (feed_of_.emplace(std::pair(resource.group, resource.resource), index).second) {
      fresh.push_back(std::move(resource));
    }
  }
  if (fresh.empty()) return;
  feeds_.push_back(std::make_unique<Feed>());
  Feed& feed = *feeds_.back();
  feed.first = !was_synced_;
  // The subscription ends with this object, so its sink may name it.
  feed.subscription = client_.subscribe(
      std::move(fresh), [this, index](const client::ChangeBatch& batch) { take(index, batch); });
}

void Feeds::take(std::size_t index, const client::ChangeBatch& batch) {
  Feed& feed = *feeds_[index];
  feed.revision = std::max(feed.revision, batch.revision);
  feed.synced = feed.synced || batch.synced;
  view_.apply(batch);
  was_synced_ = was_synced_ || synced();
  sink_(batch);
}

bool Feeds::synced() const {
  if (was_synced_) return true;
  return !feeds_.empty() && std::all_of(feeds_.begin(), feeds_.end(), [](const auto& feed) {
    return !feed->first || feed->synced;
  });
}

int Feeds::feed_of(const client::Resource& resource) const {
  const auto found = feed_of_.find(std::pair(resource.group, resource.resource));
  return found != feed_of_.end() ? found->second : -1;
}

bool Feeds::reached(int feed, client::Revision revision) const {
  return feed < 0 || feeds_[static_cast<std::size_t>(feed)]->revision >= revision;
}

}  // namespace keelway::reconcile
