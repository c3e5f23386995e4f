#include "node/host.h"

#include <map>

#include "client/resources.h"
#include "node/hollow_node.h"

namespace keelway::node {
namespace {

namespace resources = client::resources;

// The host's side of one cluster: one view and one address pool for all its nodes.
class ClusterSide {
 public:
  ClusterSide(std::string id, const HostParts& parts) : id_(std::move(id)), parts_(parts) {
    connect();
  }
  ~ClusterSide() { nodes_.clear(); }

  void add(const std::string& machine, hollow::NodeFacts facts) {
    waiting_[machine] = std::move(facts);
    if (view_.synced()) boot_waiting();
  }
  void remove(const std::string& machine) {
    waiting_.erase(machine);
    nodes_.erase(machine);
    std::erase_if(by_name_, [&machine](const auto& entry) { return entry.second == machine; });
  }
  void reconnect() {
    feed_.reset();
    for (const auto& [machine, node] : nodes_) waiting_[machine] = node->facts();
    nodes_.clear();
    by_name_.clear();
    view_ = client::LocalView();
    addresses_ = AddressPool();
    client_.reset();
    connect();
  }
  bool empty() const { return waiting_.empty() && nodes_.empty(); }
  std::size_t nodes() const { return nodes_.size(); }

 private:
  void connect() {
    client_ =
        parts_.connect(id_, access::component("system:keelway:node-host", {"system:masters"}));
    if (!client_) return;  // reconnect() comes when there is something to connect to
    feed_ = client_->subscribe({resources::nodes, resources::pods},
                               [this](const client::ChangeBatch& batch) { take_in(batch); });
  }

  void take_in(const client::ChangeBatch& batch) {
    view_.apply(batch);
    for (const client::Change& change : batch.changes) {
      if (!(change.resource == resources::pods)) continue;
      if (!change.object) {
        addresses_.give_back(change.previous->uid());
      } else if (const auto address = change.object->value().at("status", "podIP");
                 address.is_string()) {
        addresses_.note(change.object->uid(), address.as_string());
      }
      tell_node(change.object ? *change.object : *change.previous);
    }
    if (view_.synced()) boot_waiting();
  }

  void tell_node(const client::Object& pod) {
    const auto found = by_name_.find(pod.value().at("spec", "nodeName").as_string());
    if (found == by_name_.end()) return;
    const auto node = nodes_.find(found->second);
    if (node != nodes_.end()) node->second->look_at(pod.name_space(), pod.name());
  }

  void boot_waiting() {
    for (auto& [machine, facts] : std::exchange(waiting_, {})) {
      auto client =
          parts_.connect(id_, access::component("system:node:" + facts.name, {"system:nodes"}));
      if (!client) {  // the cluster is on its way out, or on its way to another server
        waiting_[machine] = std::move(facts);
        continue;
      }
      by_name_[facts.name] = machine;
      nodes_[machine] = std::make_unique<HollowNode>(HollowNodeParts{.executor = parts_.executor,
                                                                     .client = std::move(client),
                                                                     .view = view_,
                                                                     .addresses = addresses_,
                                                                     .stage = parts_.stage,
                                                                     .facts = std::move(facts),
                                                                     .boot_time = parts_.boot_time,
                                                                     .log = parts_.log});
    }
  }

  const std::string id_;
  const HostParts& parts_;
  std::unique_ptr<client::Client> client_;
  client::LocalView view_;
  AddressPool addresses_;
  std::map<std::string, hollow::NodeFacts> waiting_;          // by machine, until the view is there
  std::map<std::string, std::string, std::less<>> by_name_;   // node name to machine
  std::map<std::string, std::unique_ptr<HollowNode>> nodes_;  // by machine
  std::unique_ptr<client::Subscription> feed_;
};

class HostImpl final : public Host {
 public:
  explicit HostImpl(HostParts parts) : parts_(std::move(parts)) {
    feed_ = parts_.hub.subscribe({resources::machines}, [this](const client::ChangeBatch& batch) {
      for (const client::Change& change : batch.changes) follow(change);
    });
  }
  ~HostImpl() override { feed_.reset(); }

  std::size_t nodes() const override {
    std::size_t count = 0;
    for (const auto& [id, side] : clusters_) count += side->nodes();
    return count;
  }

  void reconnect(std::string_view cluster) override {
    const auto found = clusters_.find(cluster);
    if (found != clusters_.end()) found->second->reconnect();
  }

 private:
  void follow(const client::Change& change) {
    const auto& machine = change.object ? change.object : change.previous;
    const std::string cluster = machine->value().at("spec", "cluster").as_string();
    const bool wanted = change.object && !change.object->deleting();
    auto& side = clusters_[cluster];
    if (wanted && change.previous) return;  // known already
    if (wanted) {
      if (!side) side = std::make_unique<ClusterSide>(cluster, parts_);
      return side->add(machine->name(), hollow::read_facts(machine->value()));
    }
    if (side) side->remove(machine->name());
    if (!side || side->empty()) clusters_.erase(cluster);
  }

  const HostParts parts_;
  std::map<std::string, std::unique_ptr<ClusterSide>, std::less<>> clusters_;
  std::unique_ptr<client::Subscription> feed_;
};

}  // namespace

std::unique_ptr<Host> make_host(HostParts parts) {
  return std::make_unique<HostImpl>(std::move(parts));
}

}  // namespace keelway::node
