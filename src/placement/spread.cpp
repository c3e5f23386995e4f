#include "placement/spread.h"

#include <algorithm>

namespace keelway::placement {

// Counts pods by the value that their node has for `key`.
struct Topology::Group {
  std::string key;
  // Whether a pod is counted. In a group of anti-affinity terms: unused, the carriers count.
  std::vector<PodTerm> terms;  // all must select it
  bool skip_deleting = false;
  // Which nodes count. Empty demands: all that have the key.
  bool restricted = false;
  NodeAffinity affinity;
  bool honor_taints = false;
  std::vector<Toleration> tolerations;
  std::vector<std::string> keys;  // labels that a node must have

  std::map<std::string, int, std::less<>> domains;  // of eligible nodes, zeros too
  std::int64_t total = 0;

  bool counts(const PodInfo& pod) const {
    if (pod.finished || (skip_deleting && pod.deleting)) return false;
    return std::all_of(terms.begin(), terms.end(), [&](const PodTerm& term) {
      return term.selects(pod.name_space, pod.labels);
    });
  }
  bool eligible(const NodeState& node) const {
    if (!node.labels.contains(key)) return false;
    if (!restricted) return true;
    for (const std::string& needed : keys) {
      if (!node.labels.contains(needed)) return false;
    }
    if (honor_taints && find_untolerated(node.taints, tolerations) != nullptr) return false;
    return affinity.allows(node.labels, node.name);
  }
  void step(const NodeState& node, int by) {
    domains[*node.labels.find(key)] += by;
    total += by;
  }
  int at(const NodeState& node) const {
    const std::string* domain = node.labels.find(key);
    if (domain == nullptr) return 0;
    const auto found = domains.find(*domain);
    return found != domains.end() ? found->second : 0;
  }
  int lowest(int min_domains) const {
    if (static_cast<int>(domains.size()) < min_domains || domains.empty()) return 0;
    return std::min_element(domains.begin(), domains.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->second;
  }
};

namespace {

std::string tolerations_text(const std::vector<Toleration>& tolerations) {
  std::string text;
  for (const Toleration& t : tolerations) {
    text += t.key + (t.exists ? "*" : "=" + t.value);
    text += t.effect ? static_cast<char>('0' + static_cast<int>(*t.effect)) : '-';
  }
  return text;
}

std::vector<std::string> hard_keys(const PodInfo& pod, bool hard) {
  std::vector<std::string> keys;
  for (const SpreadConstraint& constraint : pod.spread) {
    if (constraint.hard == hard) keys.push_back(constraint.topology_key);
  }
  return keys;
}

}  // namespace

Topology::Topology(std::vector<NodeState> nodes) : nodes_(std::move(nodes)) {
  for (const NodeState& node : nodes_) {
    for (const PodInfoPtr& pod : node.pods) count_anti_terms(node, *pod, 1);
  }
}

Topology::~Topology() = default;

void Topology::place(std::size_t node, PodInfoPtr pod) {
  NodeState& state = nodes_[node];
  count(state, *pod, 1);
  count_anti_terms(state, *pod, 1);
  state.add(std::move(pod));
}

void Topology::remove(std::size_t node, const PodInfo& pod) {
  NodeState& state = nodes_[node];
  const auto found = std::find_if(state.pods.begin(), state.pods.end(),
                                  [&](const PodInfoPtr& p) { return p->uid == pod.uid; });
  if (found == state.pods.end()) return;
  const PodInfoPtr held = *found;  // counted as it was placed, whatever the caller's copy says
  state.remove(held->uid);
  count(state, *held, -1);
  count_anti_terms(state, *held, -1);
}

void Topology::count(const NodeState& node, const PodInfo& pod, int step) {
  for (const auto& [text, group] : groups_) {
    if (group->eligible(node) && group->counts(pod)) group->step(node, step);
  }
}

void Topology::count_anti_terms(const NodeState& node, const PodInfo& pod, int step) {
  if (pod.finished) return;
  for (const PodTerm& term : pod.anti_affinity->required) {
    std::unique_ptr<Group>& group = anti_terms_[term.text()];
    if (!group) {
      group = std::make_unique<Group>();
      group->key = term.topology_key;
      group->terms.push_back(term);
    }
    if (group->eligible(node)) group->step(node, step);
  }
}

Topology::Group& Topology::group(const std::string& key, Group made) {
  std::unique_ptr<Group>& group = groups_[key];
  if (group) return *group;
  group = std::make_unique<Group>(std::move(made));
  for (const NodeState& node : nodes_) {
    if (!group->eligible(node)) continue;
    group->step(node, 0);
    for (const PodInfoPtr& pod : node.pods) {
      if (group->counts(*pod)) group->step(node, 1);
    }
  }
  return *group;
}

Topology::Group& Topology::spread_group(const PodInfo& pod, const SpreadConstraint& constraint) {
  Group made;
  made.key = constraint.topology_key;
  PodTerm term;
  term.selector = constraint.selector;
  term.namespaces = {pod.name_space};
  term.topology_key = constraint.topology_key;
  std::string text = "s" + term.text();
  made.terms.push_back(std::move(term));
  made.skip_deleting = true;
  made.restricted = true;
  made.keys = hard_keys(pod, constraint.hard);
  for (const std::string& key : made.keys) text += '\n' + key;
  if (constraint.honor_affinity) {
    made.affinity = *pod.node_affinity;
    text += "\na" + pod.node_affinity->required_text;
  }
  if (constraint.honor_taints) {
    made.honor_taints = true;
    made.tolerations = pod.tolerations;
    text += "\nt" + tolerations_text(pod.tolerations);
  }
  return group(text, std::move(made));
}

Topology::Group& Topology::term_group(const PodInfo&, const std::vector<PodTerm>& all,
                                      std::size_t index) {
  Group made;
  made.key = all[index].topology_key;
  made.terms = all;
  std::string text = "p" + made.key;
  for (const PodTerm& term : all) text += '\n' + term.text();
  return group(text, std::move(made));
}

Topology::Question Topology::ask(const PodInfo& pod) {
  Question question;
  question.add_spread(*this, pod);
  question.add_affinity(*this, pod);
  return question;
}

void Topology::Question::add_spread(Topology& topology, const PodInfo& pod) {
  for (const SpreadConstraint& constraint : pod.spread) {
    const Group& group = topology.spread_group(pod, constraint);
    if (!constraint.hard) {
      wishes_.push_back({&group, true, 1});
      continue;
    }
    Rule rule{Sort::spread,
              &group,
              group.counts(pod) ? 1 : 0,
              group.lowest(constraint.min_domains),
              constraint.max_skew,
              false};
    rules_.push_back(rule);
  }
}

void Topology::Question::add_affinity(Topology& topology, const PodInfo& pod) {
  // Upstream: pods count that match all the terms together; while there are none at all, a pod
  // that matches its own terms may found the first group.
  std::int64_t matching = 0;
  const std::size_t first = rules_.size();
  const std::vector<PodTerm>& required = pod.affinity->required;
  for (std::size_t i = 0; i < required.size(); ++i) {
    const Group& group = topology.term_group(pod, required, i);
    matching += group.total;
    rules_.push_back({Sort::affinity, &group, 0, 0, 0, false});
  }
  if (matching == 0 && !required.empty()) {
    const bool itself = std::all_of(required.begin(), required.end(), [&](const PodTerm& term) {
      return term.selects(pod.name_space, pod.labels);
    });
    for (std::size_t i = first; i < rules_.size(); ++i) rules_[i].anywhere = itself;
  }
  for (const PodTerm& term : pod.anti_affinity->required) {
    rules_.push_back({Sort::anti_affinity, &topology.term_group(pod, {term}, 0), 0, 0, 0, false});
  }
  for (const auto& [text, group] : topology.anti_terms_) {
    if (group->total == 0 || !group->terms[0].selects(pod.name_space, pod.labels)) continue;
    rules_.push_back({Sort::existing_anti_affinity, group.get(), 0, 0, 0, false});
  }
  for (const PodTerm& term : pod.affinity->preferred) {
    wishes_.push_back({&topology.term_group(pod, {term}, 0), false, term.weight});
  }
  for (const PodTerm& term : pod.anti_affinity->preferred) {
    wishes_.push_back({&topology.term_group(pod, {term}, 0), false, -term.weight});
  }
}

Misfit Topology::Question::check(const NodeState& node) const {
  for (const Rule& rule : rules_) {
    const bool has_key = node.labels.contains(rule.group->key);
    const int here = rule.group->at(node);
    switch (rule.sort) {
      case Sort::spread:
        if (!has_key) {
          return {{"node(s) didn't match pod topology spread constraints (missing required label)"},
                  true};
        }
        if (here + rule.self - rule.lowest > rule.max_skew) {
          return {{"node(s) didn't match pod topology spread constraints"}, false};
        }
        break;
      case Sort::affinity:
        if (!has_key || (here == 0 && !rule.anywhere)) {
          return {{"node(s) didn't match pod affinity rules"}, true};
        }
        break;
      case Sort::anti_affinity:
        if (here > 0) return {{"node(s) didn't match pod anti-affinity rules"}, false};
        break;
      case Sort::existing_anti_affinity:
        if (here > 0) {
          return {{"node(s) didn't satisfy existing pods anti-affinity rules"}, false};
        }
        break;
    }
  }
  return {};
}

std::int64_t Topology::Question::spread_cost(const NodeState& node) const {
  std::int64_t cost = 0;
  for (const Wish& wish : wishes_) {
    if (!wish.spread) continue;
    // A node without the label is outside of every domain: the worst place.
    cost += node.labels.contains(wish.group->key) ? wish.group->at(node) : wish.group->total + 1;
  }
  return cost;
}

std::int64_t Topology::Question::affinity_score(const NodeState& node) const {
  std::int64_t score = 0;
  for (const Wish& wish : wishes_) {
    if (!wish.spread) score += wish.weight * wish.group->at(node);
  }
  return score;
}

}  // namespace keelway::placement
