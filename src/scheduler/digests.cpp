#include "scheduler/digests.h"

#include "client/resources.h"

namespace keelway::scheduler {
namespace {

std::string fit_class_of(const placement::PodInfo& pod) {
  if (!pod.spread.empty() || !pod.affinity.empty() || !pod.anti_affinity.empty()) return "";
  std::string text = pod.name_space + '\n';
  pod.requests.for_each([&](std::string_view name, placement::Amount amount) {
    text += std::string(name) + '=' + std::to_string(amount) + ',';
  });
  text += '\n' + pod.node_affinity.required_text + '\n';
  for (const placement::Toleration& t : pod.tolerations) {
    text += t.key + (t.exists ? "*" : "=" + t.value);
    text += t.effect ? static_cast<char>('0' + static_cast<int>(*t.effect)) : '-';
  }
  for (const placement::HostPort& port : pod.host_ports) {
    text += '\n' + port.ip + port.protocol + std::to_string(port.port);
  }
  // Terms of the pods that run select by labels.
  for (const auto& [key, label] : pod.labels.pairs()) text += '\n' + key + '=' + label;
  return text;
}

}  // namespace

std::vector<const PodDigest*> Digests::pods(const client::View& view) {
  std::vector<const PodDigest*> digests;
  std::unordered_map<std::string, std::unique_ptr<PodDigest>> kept;
  const std::vector<client::ObjectPtr> objects = view.list(client::resources::pods);
  digests.reserve(objects.size());
  kept.reserve(objects.size());
  for (const client::ObjectPtr& object : objects) {
    const auto known = pods_.find(object->uid());
    std::unique_ptr<PodDigest> digest;
    if (known != pods_.end() && known->second &&
        known->second->object->revision() == object->revision()) {
      digest = std::move(known->second);
    } else {
      placement::PodInfo info = placement::read_pod(object->value());
      digest = std::make_unique<PodDigest>();
      digest->object = object;
      if (info.node_name.empty()) digest->fit_class = fit_class_of(info);
      digest->info = std::make_shared<const placement::PodInfo>(std::move(info));
    }
    const auto [place, fresh] = kept.emplace(object->uid(), std::move(digest));
    if (fresh) digests.push_back(place->second.get());
  }
  pods_ = std::move(kept);
  return digests;
}

std::vector<placement::NodeState> Digests::nodes(const client::View& view) {
  std::vector<placement::NodeState> states;
  std::unordered_map<std::string, Node> kept;
  for (const client::ObjectPtr& object : view.list(client::resources::nodes)) {
    Node node;
    const auto known = nodes_.find(object->uid());
    if (known != nodes_.end() && known->second.revision == object->revision()) {
      node = known->second;
    } else {
      node.revision = object->revision();
      node.state = placement::read_node(object->value());
    }
    states.push_back(node.state);
    kept.emplace(object->uid(), std::move(node));
  }
  nodes_ = std::move(kept);
  return states;
}

}  // namespace keelway::scheduler
