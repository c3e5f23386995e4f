// One life of the server process with an observer inside it; killed as a whole.
#pragma once

#include <memory>
#include <string>

#include "app/house.h"
#include "client/view.h"
#include "runtime/virtual/world.h"
#include "sim/oracles/watch.h"
#include "sim/shape.h"
#include "sim/weather.h"
#include "sim/witness.h"

namespace keelway::sim {

inline constexpr const char* hub_namespace = "000000000000-us-east-1";
inline constexpr const char* cluster_arn = "arn:aws:eks:us-east-1:000000000000:cluster/sim";
// Name of the Cluster object, and of the cluster's keyspace.
extern const std::string cluster_object;
inline constexpr std::uint16_t door_port = 4566;

// What outlives a process: the oracles that have followed it.
struct Watchers {
  WatchOracle hub, cluster;
  Complaint history;
  std::function<void(const client::Change&)> on_change;
  std::function<void(const client::View&)> on_cluster_batch;  // after it was applied
  std::function<void()> on_new_cluster_server;  // calls to the one before are not answered
};

struct LifeParts {
  runtime::Host& host;
  const Shape& shape;
  const Weather& weather;
  store::Engine* shared_store = nullptr;  // null: a database on the host's disk
  StoreOracles& stores;                   // of a store that this server has for its own
  Witness* town = nullptr;                // of the store of several servers; null: the only one
  FenceOracle* fences = nullptr;          // likewise
  telemetry::Log log;
  Watchers& watchers;
};

class Life {
 public:
  explicit Life(LifeParts parts);
  ~Life();
  Life(const Life&) = delete;

  const client::LocalView& hub() const { return hub_view_; }
  const client::LocalView& cluster() const { return cluster_view_; }
  bool up() const { return hub_view_.synced(); }
  bool cluster_up() const { return cluster_view_.synced(); }
  const std::string& failure() const { return failure_; }  // of the start
  const app::HouseFacts& facts() const { return facts_; }
  Witness* witness() { return witness_; }  // null: the store is shared by several
  bool serves_cluster() const { return house_ && house_->connections().serves(cluster_object); }

  // Of a server, a cluster that is up. `done` never comes where the process is killed before.
  void call_hub(client::Call call, client::ReplyCallback done);
  void call_cluster(client::Call call, client::ReplyCallback done);
  // Connects to the cluster once it runs; harmless to repeat.
  void follow_cluster();
  static const std::vector<client::Resource>& cluster_resources();
  static const std::vector<client::Resource>& hub_resources();

 private:
  base::Result<std::unique_ptr<store::Engine>> open_store();
  void assemble();
  void follow_hub();
  void take(const client::ChangeBatch& batch, WatchOracle& oracle, client::LocalView& view);

  LifeParts parts_;
  runtime::Runtime& runtime_;
  Watchers& watchers_;
  std::string failure_;
  app::HouseFacts facts_;
  std::unique_ptr<store::Engine> way_;  // to the store of several
  std::unique_ptr<store::Engine> engine_;
  Witness* witness_ = nullptr;  // is engine_
  std::unique_ptr<app::Seams> seams_;
  std::unique_ptr<app::House> house_;
  std::unique_ptr<runtime::Executor> user_;
  std::unique_ptr<client::Client> hub_, cluster_;
  std::uint64_t cluster_server_ = 0;  // which of this life's servers of the cluster
  client::LocalView hub_view_, cluster_view_;
  std::unique_ptr<client::Subscription> hub_feed_, cluster_feed_;
};

}  // namespace keelway::sim
