#include "scheduler/ledger.h"

#include <algorithm>
#include <vector>

#include "client/resources.h"
#include "value/json_scan.h"

namespace keelway::scheduler {
namespace {

namespace resources = client::resources;
using placement::PodInfo;

// Counts for rules between pods that nobody asks for any more are dropped by opening the books
// anew once there are so many.
constexpr std::size_t rules_max = 512;
// Pods that changed; more are not looked through to find that nobody waits.
constexpr std::size_t touched_max = 100;
constexpr std::size_t labels_kept = 256;

void describe_fit(const PodInfo& pod, PodDigest::Waiting& waiting) {
  if (!pod.spread.empty() || !pod.affinity->empty() || !pod.anti_affinity->empty()) return;
  std::string text = pod.name_space + '\n';
  pod.requests.for_each([&](std::string_view name, placement::Amount amount) {
    text += std::string(name) + '=' + std::to_string(amount) + ',';
  });
  text += '\n' + pod.node_affinity->required_text + '\n';
  for (const placement::Toleration& t : pod.tolerations) {
    text += t.key + (t.exists ? "*" : "=" + t.value);
    text += t.effect ? static_cast<char>('0' + static_cast<int>(*t.effect)) : '-';
  }
  for (const placement::HostPort& port : pod.host_ports) {
    text += '\n' + port.ip + port.protocol + std::to_string(port.port);
  }
  waiting.fit_class_without_labels = text;
  // Terms of the pods that run select by labels.
  for (const auto& [key, label] : pod.labels.pairs()) text += '\n' + key + '=' + label;
  waiting.fit_class = std::move(text);
}

// What is asked only of pods that wait. There may be many thousands that do not.
void forget_wishes(PodInfo& pod) {
  pod.scheduler = std::string();
  pod.tolerations = std::vector<placement::Toleration>();  // braces alone keep their room
  pod.node_affinity = {};
  pod.spread = std::vector<placement::SpreadConstraint>();
  pod.affinity = {};
  if (pod.anti_affinity->preferred.empty()) return;
  placement::PodAffinity anti = *pod.anti_affinity;
  anti.preferred.clear();
  pod.anti_affinity = std::move(anti);
}

// Whether `now` is `before` with a node, and nothing else is new in its spec.
bool is_bound_copy(const client::Object& now, const client::Object& before,
                   const std::string& node) {
  if (now.uid() != before.uid() || now.deleting() || before.deleting() ||
      !(now.owners() == before.owners()) || !(now.labels() == before.labels())) {
    return false;
  }
  const auto spec = value::find_json_member(now.outline(), "spec");
  const auto old = value::find_json_member(before.outline(), "spec");
  if (!spec || !old) return false;
  const std::string piece = "\"nodeName\":\"" + node + "\",";
  const std::size_t at = spec->find(piece);
  return at != std::string_view::npos && spec->size() == old->size() + piece.size() &&
         spec->substr(0, at) == old->substr(0, at) &&
         spec->substr(at + piece.size()) == old->substr(at);
}

// What becomes of a pod that runs is no concern of the books until it ends.
bool changes_books(const client::Change& change) {
  if (!change.object || !change.previous) return true;
  const client::Object& pod = *change.object;
  if (pod.uid() != change.previous->uid() || pod.deleting() != change.previous->deleting() ||
      !(pod.owners() == change.previous->owners())) {
    return true;
  }
  const value::Value now = pod.value(), before = change.previous->value();
  const auto finished = [](const value::Value& document) {
    const std::string& phase = document.at("status", "phase").as_string();
    return phase == "Succeeded" || phase == "Failed";
  };
  return now.at("spec", "nodeName").as_string().empty() || !(now["spec"] == before["spec"]) ||
         finished(now) != finished(before) || !(pod.labels() == change.previous->labels());
}

placement::NodeState without_pods(const placement::NodeState& node) {
  placement::NodeState bare = node;
  bare.used = {};
  bare.pods.clear();
  bare.host_ports.clear();
  return bare;
}

// Heartbeats change nothing that matters here.
bool matters(const client::Change& change) {
  if (!change.object || !change.previous) return true;
  const value::Value now = change.object->value(), before = change.previous->value();
  return !(now["spec"] == before["spec"]) ||
         !(now.at("status", "allocatable") == before.at("status", "allocatable")) ||
         change.object->deleting() != change.previous->deleting() ||
         change.object->uid() != change.previous->uid() ||
         !(change.object->labels() == change.previous->labels());
}

}  // namespace

bool GoesFirst::operator()(const PodDigest* a, const PodDigest* b) const {
  if (a->info->priority != b->info->priority) return a->info->priority > b->info->priority;
  if (a->info->created != b->info->created) return a->info->created < b->info->created;
  return std::pair(a->info->name_space, a->info->name) <
         std::pair(b->info->name_space, b->info->name);
}

std::string Ledger::key_of(std::string_view name_space, std::string_view name) {
  std::string key(name_space);
  key += '/';
  key += name;
  return key;
}

void Ledger::observe(const client::Change& change) {
  if (!open_) return;
  const client::ObjectPtr& object = change.object ? change.object : change.previous;
  if (change.resource == resources::pods) {
    if (changes_books(change)) touched_.insert(key_of(object->name_space(), object->name()));
  } else if (change.resource == resources::nodes) {
    nodes_changed_ = nodes_changed_ || matters(change);
  }
}

bool Ledger::is_worth_updating(const client::View& view) const {
  if (!open_ || !nodes_changed_ || !pending_.empty() || !assumed_.empty()) return true;
  if (touched_.size() > touched_max) return true;
  return std::any_of(touched_.begin(), touched_.end(), [&](const std::string& key) {
    const std::size_t slash = key.find('/');
    const auto object = view.get(resources::pods, std::string_view(key).substr(0, slash),
                                 std::string_view(key).substr(slash + 1));
    return object && object->field("spec.nodeName").empty();
  });
}

void Ledger::update(const client::View& view, const Bindings& bound) {
  if (!open_ || nodes_changed_ || topology_->rules() > rules_max) {
    open(view);
  } else {
    for (const std::string& key : touched_) {
      const std::size_t slash = key.find('/');
      const auto object = view.get(resources::pods, std::string_view(key).substr(0, slash),
                                   std::string_view(key).substr(slash + 1));
      PodDigest known = object ? after_binding(key, *object) : PodDigest();
      strike(key);
      if (!object) continue;
      if (known.info) {
        Entry& entry = pods_[key];
        entry.digest = std::move(known);
        entry.revision = object->revision();
      }
      enter(key, object);
    }
  }
  touched_.clear();
  settle(bound);
}

void Ledger::open(const client::View& view) {
  open_nodes(view);
  pending_.clear();
  assumed_.clear();
  std::unordered_map<std::string, Entry> before = std::exchange(pods_, {});
  for (const client::ObjectPtr& object : view.list(resources::pods)) {
    const std::string key = key_of(object->name_space(), object->name());
    const auto known = before.find(key);
    // What was read once is read again only after a change.
    if (known != before.end() && known->second.revision == object->revision() &&
        known->second.digest.info->uid == object->uid()) {
      Entry& entry = pods_[key];
      entry.digest = std::move(known->second.digest);
      entry.revision = known->second.revision;
    }
    enter(key, object);
  }
  open_ = true;
  nodes_changed_ = false;
}

void Ledger::open_nodes(const client::View& view) {
  std::vector<placement::NodeState> nodes;
  const auto index = std::exchange(index_, {});
  const auto revisions = std::exchange(node_revisions_, {});
  for (const client::ObjectPtr& object : view.list(resources::nodes)) {
    const auto known = revisions.find(object->name());
    if (known != revisions.end() && known->second == object->revision()) {
      nodes.push_back(without_pods(topology_->nodes()[index.at(object->name())]));
    } else {
      nodes.push_back(placement::read_node(object->value()));
    }
    index_.emplace(nodes.back().name, nodes.size() - 1);
    node_revisions_.emplace(nodes.back().name, object->revision());
  }
  topology_ = std::make_unique<placement::Topology>(std::move(nodes));
}

PodDigest Ledger::read(const client::ObjectPtr& object) {
  PodInfo info = placement::read_pod(object->value());
  info.labels = shared(std::move(info.labels));
  PodDigest digest;
  if (info.node_name.empty()) {
    auto waiting = std::make_unique<PodDigest::Waiting>();
    waiting->object = object;
    describe_fit(info, *waiting);
    digest.waiting = std::move(waiting);
  } else {
    forget_wishes(info);
  }
  digest.info = std::make_shared<const PodInfo>(std::move(info));
  return digest;
}

placement::Labels Ledger::shared(placement::Labels labels) {
  if (labels.empty()) return labels;
  std::size_t hash = 0;
  for (const auto& [key, text] : labels.pairs()) {
    hash = hash * 31 + std::hash<std::string>()(text);
  }
  labels_.resize(labels_kept);
  placement::Labels& lately = labels_[hash % labels_.size()];
  if (!(lately == labels)) lately = std::move(labels);
  return lately;
}

// The usual change, of a pod that waited and now has its node, need not be read again.
PodDigest Ledger::after_binding(const std::string& key, const client::Object& now) const {
  PodDigest digest;
  const auto found = pods_.find(key);
  if (found == pods_.end() || !found->second.digest.waiting) return digest;
  const PodDigest& waiting = found->second.digest;
  const std::string node = now.field("spec.nodeName");
  if (node.empty() || waiting.info->finished ||
      !is_bound_copy(now, *waiting.waiting->object, node)) {
    return digest;
  }
  const std::string phase = now.field("status.phase");
  if (phase == "Succeeded" || phase == "Failed") return digest;
  PodInfo info = *waiting.info;
  info.node_name = node;
  forget_wishes(info);
  digest.info = std::make_shared<const PodInfo>(std::move(info));
  return digest;
}

void Ledger::enter(const std::string& key, const client::ObjectPtr& object) {
  Entry& entry = pods_[key];
  if (!entry.digest.info) {
    entry.digest = read(object);
    entry.revision = object->revision();
  }
  const PodInfo& pod = *entry.digest.info;
  if (pod.finished) return;
  if (!pod.node_name.empty()) return place(entry, pod.node_name);
  if (is_ours(pod)) pending_.insert(&entry.digest);
}

void Ledger::strike(const std::string& key) {
  const auto found = pods_.find(key);
  if (found == pods_.end()) return;
  Entry& entry = found->second;
  if (entry.node) topology_->remove(*entry.node, *entry.digest.info);
  assumed_.erase(key);
  pending_.erase(&entry.digest);
  pods_.erase(found);
}

// A pod of a node that is not there takes nobody's room.
void Ledger::place(Entry& entry, const std::string& node_name) {
  const auto at = index_.find(node_name);
  if (at == index_.end()) return;
  topology_->place(at->second, entry.digest.info);
  entry.node = at->second;
}

void Ledger::assume(const std::string& key, const std::string& node_name) {
  const auto found = pods_.find(key);
  if (found == pods_.end() || assumed_.contains(key)) return;
  Entry& entry = found->second;
  if (!entry.digest.info->node_name.empty() || entry.digest.info->finished) return;
  pending_.erase(&entry.digest);
  assumed_.emplace(key, node_name);
  place(entry, node_name);
}

void Ledger::release(const std::string& key) {
  Entry& entry = pods_.at(key);
  if (entry.node) topology_->remove(*entry.node, *entry.digest.info);
  entry.node.reset();
  assumed_.erase(key);
  if (is_ours(*entry.digest.info)) pending_.insert(&entry.digest);
}

// Bindings that failed give their room back; those on their way take it.
void Ledger::settle(const Bindings& bound) {
  std::vector<std::string> failed;
  for (const auto& [key, node_name] : assumed_) {
    const auto still = bound.find(key);
    if (still == bound.end() || still->second != node_name) failed.push_back(key);
  }
  for (const std::string& key : failed) release(key);
  for (const auto& [key, node_name] : bound) assume(key, node_name);
}

void Ledger::bind(const PodDigest& pod, std::size_t node) {
  assume(key_of(pod.info->name_space, pod.info->name), topology_->nodes()[node].name);
}

bool Ledger::is_ours(const PodInfo& pod) const {
  return pod.scheduler == scheduler_ && !pod.deleting && !pod.gated;
}

}  // namespace keelway::scheduler
