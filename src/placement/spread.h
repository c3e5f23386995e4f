// Rules between pods: topology spread, pod affinity and anti-affinity. They count pods by
// topology domain over all nodes; the counts are made once and then kept while pods are placed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "placement/fit.h"

namespace keelway::placement {

// Nodes with the pods on them, and the counts that rules between pods need. Nodes are named by
// their index, which never changes.
class Topology {
 public:
  explicit Topology(std::vector<NodeState> nodes);
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;
  ~Topology();

  const std::vector<NodeState>& nodes() const { return nodes_; }
  void place(std::size_t node, PodInfoPtr pod);
  void remove(std::size_t node, const PodInfo& pod);

  // What one pod needs to know of all nodes before it looks at single ones. Valid until the next
  // place or remove, and no longer than the pod.
  class Question;
  Question ask(const PodInfo& pod);
  // Rules that are being counted; they are kept until the end.
  std::size_t rules() const { return groups_.size() + anti_terms_.size(); }
  // A pod on a node has ever had required anti-affinity: others are judged by their labels.
  bool has_rules_of_running_pods() const { return !anti_terms_.empty(); }

 private:
  struct Group;
  Group& group(const std::string& key, Group made);
  Group& spread_group(const PodInfo& pod, const SpreadConstraint& constraint);
  Group& term_group(const PodInfo& pod, const std::vector<PodTerm>& all, std::size_t index);
  void count(const NodeState& node, const PodInfo& pod, int step);
  void count_anti_terms(const NodeState& node, const PodInfo& pod, int step);

  std::vector<NodeState> nodes_;
  // By a text of what is counted; the pointers keep groups in place.
  std::map<std::string, std::unique_ptr<Group>> groups_;
  std::map<std::string, std::unique_ptr<Group>> anti_terms_;  // terms of the pods that run
};

class Topology::Question {
 public:
  // Hard rules between pods only; combine with placement::fits.
  Misfit check(const NodeState& node) const;
  bool allows(const NodeState& node) const { return check(node).fits(); }
  bool has_hard_rules() const { return !rules_.empty(); }
  bool has_soft_rules() const { return !wishes_.empty(); }
  // Of the soft rules; raw sums, to be compared between nodes. Less is better.
  std::int64_t spread_cost(const NodeState& node) const;
  // Preferred pod affinity less preferred anti-affinity. More is better.
  std::int64_t affinity_score(const NodeState& node) const;

 private:
  friend class Topology;
  enum class Sort { spread, affinity, anti_affinity, existing_anti_affinity };
  struct Rule {
    Sort sort = Sort::spread;
    const Group* group = nullptr;
    int self = 0;    // spread: the pod counts itself
    int lowest = 0;  // spread: the least count of a domain
    int max_skew = 1;
    bool anywhere = false;  // affinity: nobody matches yet, the pod itself does
  };
  struct Wish {
    const Group* group = nullptr;
    bool spread = false;
    std::int64_t weight = 0;
  };
  void add_spread(Topology& topology, const PodInfo& pod);
  void add_affinity(Topology& topology, const PodInfo& pod);
  std::vector<Rule> rules_;  // in the order in which upstream asks
  std::vector<Wish> wishes_;
};

}  // namespace keelway::placement
