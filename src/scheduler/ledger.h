// The scheduler's books: every node with the pods on it, and the pods that wait. Kept from plan to
// plan, so that a plan costs what changed since the last one and not what the cluster holds. It is
// a cache of the view and the assumed bindings: books opened anew say the same.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/view.h"
#include "placement/spread.h"

namespace keelway::scheduler {

struct PodDigest {
  struct Waiting {
    client::ObjectPtr object;
    // Pods of one class fit or fail alike, as long as no rule between pods is involved; empty for
    // pods that have such rules. Labels matter only where `Ledger::labels_matter`.
    std::string fit_class, fit_class_without_labels;
  };
  placement::PodInfoPtr info;
  std::unique_ptr<const Waiting> waiting;  // null: it has a node
};

// In the order in which the queue is worked off: priority, age, name.
struct GoesFirst {
  bool operator()(const PodDigest* a, const PodDigest* b) const;
};
using PendingPods = std::set<const PodDigest*, GoesFirst>;

// Pod key to node name.
using Bindings = std::map<std::string, std::string>;

class Ledger {
 public:
  explicit Ledger(std::string scheduler) : scheduler_(std::move(scheduler)) {}

  // A change that the view has taken; every one, in order.
  void observe(const client::Change& change);
  // False: the books need not be brought up to the view, because nobody waits for a node or is on
  // the way to one. Nodes that come and go by the hundred are then read once, later.
  bool is_worth_updating(const client::View& view) const;
  // Brings the books up to the view. `bound`: issued bindings that the view does not show yet.
  void update(const client::View& view, const Bindings& bound);
  // A binding that the plan at hand issues.
  void bind(const PodDigest& pod, std::size_t node);

  placement::Topology& topology() { return *topology_; }
  const PendingPods& pending() const { return pending_; }
  // Some running pod's rule selects other pods by their labels.
  bool labels_matter() const { return topology_->has_rules_of_running_pods(); }

  static std::string key_of(std::string_view name_space, std::string_view name);

 private:
  struct Entry {
    PodDigest digest;
    client::Revision revision = 0;    // that was read
    std::optional<std::size_t> node;  // where its room is taken
  };
  void open(const client::View& view);
  void open_nodes(const client::View& view);
  PodDigest read(const client::ObjectPtr& object);
  placement::Labels shared(placement::Labels labels);
  PodDigest after_binding(const std::string& key, const client::Object& now) const;
  void enter(const std::string& key, const client::ObjectPtr& object);
  void strike(const std::string& key);
  void place(Entry& entry, const std::string& node_name);
  void settle(const Bindings& bound);
  void assume(const std::string& key, const std::string& node_name);
  void release(const std::string& key);
  bool is_ours(const placement::PodInfo& pod) const;

  const std::string scheduler_;
  std::unordered_map<std::string, client::Revision> node_revisions_;  // that were read, by name
  bool open_ = false;
  bool nodes_changed_ = false;
  std::set<std::string> touched_;  // pods, by key
  std::unique_ptr<placement::Topology> topology_;
  std::unordered_map<std::string, std::size_t> index_;  // node name to its index in topology_
  std::unordered_map<std::string, Entry> pods_;         // by key
  Bindings assumed_;                                    // those of `bound` that are entered
  PendingPods pending_;
  // Labels that were read lately, by a hash of them: pods of one owner share theirs.
  std::vector<placement::Labels> labels_;
};

}  // namespace keelway::scheduler
