#include "store/etcd/watcher.h"

namespace keelway::store::etcd {

FollowId Watcher::follow(Follow follow) {
  const FollowId id = ++last_;
  auto following = std::make_shared<Following>();
  following->follow = std::move(follow);
  follows_.emplace(id, std::move(following));
  create(id);
  return id;
}

void Watcher::forget(FollowId id) {
  if (follows_.erase(id) > 0 && stream_ != 0) client_->send(stream_, encode_watch_cancel(id));
}

std::string Watcher::create_message(FollowId id) const {
  const Follow& follow = follows_.at(id)->follow;
  return encode_watch_create({id, follow.key, follow.end, follow.position + 1, follow.previous});
}

void Watcher::create(FollowId id) {
  if (stream_ != 0) return client_->send(stream_, create_message(id));
  CallEvents events;
  events.on_message = [weak = weak_from_this()](std::string_view message) {
    if (const auto self = weak.lock()) self->take(message);
  };
  events.on_end = [weak = weak_from_this()](const CallEnd& end) {
    const auto self = weak.lock();
    if (!self) return;
    self->stream_ = 0;
    self->client_->leave_member("the watch ended: " + end.message);
  };
  stream_ = client_->open_stream(method::watch, create_message(id), std::move(events));
}

void Watcher::connected() {
  stream_ = 0;
  for (auto& [id, following] : follows_) {
    following->broken_off = true;
    create(id);
  }
}

void Watcher::ping() {
  if (stream_ != 0) client_->send(stream_, encode_watch_progress());
}

void Watcher::take(std::string_view message) {
  const auto reply = decode_watch(message);
  if (!reply) return client_->leave_member(reply.error().message);
  const auto found = follows_.find(reply->id);
  if (found == follows_.end()) {
    // Refused before it had an identity, as without permission.
    if (reply->cancelled && reply->id < 0) {
      client_->leave_member("the watch was refused: " + std::string(reply->reason));
    }
    return;
  }
  const std::shared_ptr<Following> following = found->second;  // callbacks may forget it
  if (reply->cancelled) return cancelled(following, *reply);
  if (reply->events.empty()) return;
  Follow& follow = following->follow;
  if (!reply->fragment) follow.position = reply->events.back().entry.modified;
  const bool restarted = std::exchange(following->broken_off, false);
  follow.on_events(*reply, restarted);
}

void Watcher::cancelled(const std::shared_ptr<Following>& following, const WatchReply& reply) {
  const FollowId id = reply.id;
  if (reply.compacted == 0) {
    return client_->leave_member("the watch was cancelled: " + std::string(reply.reason));
  }
  if (!following->follow.on_compacted(reply.compacted)) {
    follows_.erase(id);
    return;
  }
  // The revision of a compaction keeps its values, but not its deletions.
  following->follow.position = reply.compacted;
  if (follows_.contains(id)) create(id);
}

}  // namespace keelway::store::etcd
