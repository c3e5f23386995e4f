// Every watch of one engine on one gRPC stream; made again on the next connection where each had
// come to, so nothing is skipped or repeated. One executor.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "store/etcd/client.h"
#include "store/etcd/messages.h"

namespace keelway::store::etcd {

// One range that is followed.
struct Follow {
  std::string key, end;
  Revision position = 0;  // every event up to here has been told
  bool previous = false;  // events carry the values before
  // Events in the order of revisions. While `reply.fragment`, more of the same revisions follows;
  // `restarted` says that an unfinished sequence of fragments begins anew.
  std::move_only_function<void(const WatchReply& reply, bool restarted)> on_events;
  // History before `revision` is gone, and events with it; false ends the following.
  std::move_only_function<bool(Revision revision)> on_compacted;
};
using FollowId = std::int64_t;

class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  explicit Watcher(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  FollowId follow(Follow follow);
  void forget(FollowId id);
  void connected();  // opens the stream on the new connection
  void ping();       // asks the member for a sign of life

 private:
  struct Following {
    Follow follow;
    bool broken_off = false;  // perhaps in the middle of fragments
  };
  void create(FollowId id);
  std::string create_message(FollowId id) const;
  void take(std::string_view message);
  void cancelled(const std::shared_ptr<Following>& following, const WatchReply& reply);

  const std::shared_ptr<Client> client_;
  std::map<FollowId, std::shared_ptr<Following>> follows_;
  FollowId last_ = 0;
  CallId stream_ = 0;
};

}  // namespace keelway::store::etcd
