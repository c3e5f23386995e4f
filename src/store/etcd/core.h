// The heart of the engine over etcd: its keyspaces, the one watch over all of them, and what is
// asked of them. One executor, that of the engine.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "store/etcd/client.h"
#include "store/etcd/etcd.h"
#include "store/etcd/leases.h"
#include "store/etcd/space.h"
#include "store/etcd/watcher.h"
#include "store/mailbox.h"

namespace keelway::store::etcd {

// A watch of a caller. `request` is used on the caller's executor; the rest on the engine's.
struct WatchState {
  WatchRequest request;
  bool ended = false;  // on the caller's executor
  std::shared_ptr<Mailbox> mailbox;
  SpacePtr space;
  FollowId follow = 0;          // until it joins the keyspace's feed
  Revision position = 0;        // told by `follow`
  EventBatch batch;             // of fragments
  std::unique_ptr<Watch> feed;  // once it has joined
  bool gone = false;
};
using WatchPtr = std::shared_ptr<WatchState>;

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(runtime::Runtime& runtime, runtime::Executor& executor, EtcdOptions options);
  void start();
  void stop();

  SpacePtr space(const std::string& name);
  void transact(SpacePtr space, Transaction transaction, std::shared_ptr<Mailbox> mailbox,
                Keyspace::Committed done);
  void range(SpacePtr space, RangeRequest request, std::shared_ptr<Mailbox> mailbox,
             Keyspace::Ranged done);
  using Headed = std::move_only_function<void(base::Result<Revision>)>;
  void head(SpacePtr space, std::shared_ptr<Mailbox> mailbox, Headed done);
  using Finished = std::move_only_function<void(base::Result<void>)>;
  void compact(SpacePtr space, Revision revision, std::shared_ptr<Mailbox> mailbox, Finished done);
  void drop(const std::string& name, std::shared_ptr<Mailbox> mailbox, Finished done);
  void watch(const WatchPtr& state);
  void unwatch(const WatchPtr& state);

 private:
  struct Writing;  // a transaction on its way
  struct Reading;  // a range on its way

  // core.cpp: keyspaces and what is asked of them
  void when_known(const SpacePtr& space, Space::Known done);
  void read_mark(const SpacePtr& space);
  void take_mark(Space& space, const Ranged& mark, Revision revision);
  void mark_known(Space& space, base::Result<void> result);
  void mark_dropped(Space& space);
  // What an unexpected birth mark means for what was asked of `assumed` (0: none).
  enum class Lesson { same, try_again, dropped };
  Lesson learn(Space& space, Revision assumed, const Ranged& mark);
  void take_leases(std::shared_ptr<Writing> writing, std::size_t from);
  void write(std::shared_ptr<Writing> writing);
  void written(const std::shared_ptr<Writing>& writing, base::Result<std::string> reply);
  void read_page(std::shared_ptr<Reading> reading);
  void page_read(const std::shared_ptr<Reading>& reading, base::Result<std::string> reply);
  void read_head();

  // following.cpp: the watches
  void follow_all();
  void hear(const WatchReply& reply, bool restarted);
  void hear_event(const WatchEvent& event);
  void hear_mark(Space& space, const WatchEvent& event);
  void publish(Space& space);
  void lost_history(Revision revision);
  void promise(const SpacePtr& space, Revision revision);
  void keep_promises();
  void tick();
  void watch_known(const WatchPtr& state);
  void catch_up(const WatchPtr& state);
  void tick_behind(const WatchPtr& state);
  void hear_behind(const WatchPtr& state, const WatchReply& reply, bool restarted);
  void join(const WatchPtr& state, Revision after);
  void end(const WatchPtr& state, base::Error error);
  void compact_history();

  runtime::Executor& executor_;
  const EtcdOptions options_;
  const std::string spaces_;  // prefix of all keyspaces
  const std::shared_ptr<Client> client_;
  const std::shared_ptr<Watcher> watcher_;
  const std::shared_ptr<Leases> leases_;
  std::unordered_map<std::string, SpacePtr> by_name_;
  bool following_ = false;
  std::vector<SpacePtr> unread_;  // wait for the watch to be there
  Revision progress_ = 0;         // every event of every keyspace up to here was heard
  std::vector<SpacePtr> touched_;
  std::vector<SpacePtr> promised_;
  bool tick_due_ = false;
  struct HeadAsked {
    SpacePtr space;
    std::shared_ptr<Mailbox> mailbox;
    Headed done;
  };
  std::vector<HeadAsked> heads_;  // for the next reading of the head
  bool head_reading_ = false;
  Revision compaction_mark_ = 0;
};

}  // namespace keelway::store::etcd
