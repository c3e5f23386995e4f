// One hollow node: registers, renews its lease, reports its conditions, plays its pods. Everything
// happens on the host's executor.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "client/client.h"
#include "client/view.h"
#include "node/address_pool.h"
#include "node/pod_player.h"
#include "node/runtime/hollow/documents.h"
#include "node/runtime/hollow/stage.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::node {

struct HollowNodeParts {
  runtime::Executor& executor;
  std::unique_ptr<client::Client> client;  // as system:node:NAME
  const client::View& view;                // nodes and pods of the cluster
  AddressPool& addresses;
  hollow::Stage stage;
  hollow::NodeFacts facts;
  base::Duration boot_time;
  telemetry::Log log;
};

class HollowNode {
 public:
  explicit HollowNode(HollowNodeParts parts);
  ~HollowNode();
  const std::string& name() const { return parts_.facts.name; }
  const hollow::NodeFacts& facts() const { return parts_.facts; }
  // A pod bound to this node appeared, changed or went.
  void look_at(const std::string& name_space, const std::string& name);

 private:
  void schedule(base::Duration delay, runtime::Task task);
  void boot();
  void register_node();
  void registered(base::Duration next_report);
  void renew_lease();
  void create_lease();
  void report_status();

  HollowNodeParts parts_;
  bool registered_ = false;
  std::string uid_;  // of the Node, where this life registered it
  PodPlayer pods_;
  std::set<runtime::TimerId> timers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::node
