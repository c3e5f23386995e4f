// Plays the pods of one hollow node: starts them, follows their gates, ends them, and lets them go.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/client.h"
#include "client/view.h"
#include "node/address_pool.h"
#include "node/runtime/hollow/pod_documents.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::node {

struct PodPlayerParts {
  runtime::Executor& executor;
  client::Client& client;    // as the node
  const client::View& view;  // pods of the cluster
  AddressPool& addresses;
  hollow::Stage stage;
  std::string node_name, node_address;
  telemetry::Log log;
};

// Everything happens on the executor. Holds one entry a pod of the node.
class PodPlayer {
 public:
  explicit PodPlayer(PodPlayerParts parts) : parts_(std::move(parts)) {}
  ~PodPlayer();
  // A pod bound to this node appeared, changed or went.
  void look_at(const std::string& name_space, const std::string& name);

 private:
  struct PodKey {
    std::string name_space, name;
    auto operator<=>(const PodKey&) const = default;
  };
  struct Entry {
    std::string uid;
    bool calling = false;          // one call at a time
    bool changed = false;          // while calling
    client::Revision written = 0;  // nothing is decided before the view shows it
    hollow::Step::Kind waiting = hollow::Step::Kind::none;  // for its timer
    runtime::TimerId timer = 0;
  };

  client::ObjectPtr pod_of_ours(const PodKey& key) const;
  void look_at(const PodKey& key);
  void wait(const PodKey& key, Entry& entry, hollow::Step step);
  void perform(const PodKey& key, hollow::Step::Kind kind);
  void start(const PodKey& key, const value::Value& pod);
  void patch(const PodKey& key, value::Value patch);
  void call(const PodKey& key, client::Call call);
  void answered(const PodKey& key, const schema::Answer<client::Reply>& answer);
  void again_later(const PodKey& key, Entry& entry);

  PodPlayerParts parts_;
  std::map<PodKey, Entry> entries_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::node
