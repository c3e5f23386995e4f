// Rules between pods: topology spread, pod affinity and anti-affinity. They count pods by
// topology domain over all nodes; the counts are made once and then kept while pods are placed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
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
  // place or remove.
  class Question;
  std::unique_ptr<Question> ask(const PodInfo& pod);

 private:
  struct Group;
  Group& group_of(const std::string& key, const std::function<Group()>& make);
  void count(const NodeState& node, const PodInfo& pod, int step);

  std::vector<NodeState> nodes_;
  // By a text of what is counted; std::map keeps groups in place.
  std::map<std::string, std::unique_ptr<Group>> groups_;
  std::map<std::string, std::unique_ptr<Group>> anti_terms_;  // terms of the pods that run
};

class Topology::Question {
 public:
  // Hard rules between pods only; combine with placement::fits.
  Misfit check(const NodeState& node) const;
  bool allows(const NodeState& node) const;
  // Soft rules: higher is better, in [0, 100] for each of the two.
  int spread_score(const NodeState& node) const;
  int affinity_score(const NodeState& node) const;
  bool has_rules() const;

  struct Parts;
  explicit Question(std::unique_ptr<Parts> parts);
  ~Question();

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace keelway::placement
