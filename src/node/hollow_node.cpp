#include "node/hollow_node.h"

#include "client/resources.h"

namespace keelway::node {

namespace resources = client::resources;
using value::Value;

namespace {

constexpr auto retry_delay = std::chrono::seconds(1);

bool is_over(const Value& pod) {
  const std::string& phase = pod.at("status", "phase").as_string();
  return phase == "Succeeded" || phase == "Failed";
}

}  // namespace

HollowNode::HollowNode(HollowNodeParts parts) : parts_(std::move(parts)) {
  schedule(parts_.boot_time, [this] { boot(); });
}

HollowNode::~HollowNode() {
  *alive_ = false;
  for (const runtime::TimerId timer : timers_) parts_.executor.cancel(timer);
}

// Forgets fired timers, so that the set holds only what runs.
void HollowNode::schedule(base::Duration delay, runtime::Task task) {
  auto id = std::make_shared<runtime::TimerId>(0);
  *id = parts_.executor.after(delay, [this, id, task = std::move(task)]() mutable {
    timers_.erase(*id);
    task();
  });
  timers_.insert(*id);
}

// A node that registered in an earlier life of the host goes on where it was.
void HollowNode::boot() {
  const auto node = parts_.view.get(resources::nodes, "", name());
  if (!node) return register_node();
  registered();
}

void HollowNode::register_node() {
  Value node = hollow::node_object(parts_.facts, parts_.executor.wall_now());
  parts_.client->call(client::create_call(resources::nodes, "", std::move(node)),
                      [this, alive = alive_](schema::Answer<client::Reply> answer) {
                        if (!*alive) return;
                        if (answer || answer.error().is("AlreadyExists")) return registered();
                        parts_.log.warning("node cannot register",
                                           {{"node", name()}, {"why", answer.error().message}});
                        schedule(retry_delay, [this] { boot(); });
                      });
}

void HollowNode::registered() {
  registered_ = true;
  renew_lease();
  // A node that has just registered has said how it is; one of an earlier life says so at once.
  report_status();
  for (const client::ObjectPtr& pod : parts_.view.pods_on(name())) {
    look_at(pod->name_space(), pod->name());
  }
}

void HollowNode::renew_lease() {
  auto patch = client::merge_patch_call(resources::leases, "kube-node-lease", name(),
                                        hollow::lease_patch(parts_.executor.wall_now()));
  parts_.client->call(std::move(patch),
                      [this, alive = alive_](schema::Answer<client::Reply> answer) {
                        if (!*alive) return;
                        if (!answer && answer.error().is("NotFound")) return create_lease();
                        schedule(parts_.stage.lease_interval, [this] { renew_lease(); });
                      });
}

void HollowNode::create_lease() {
  const auto node = parts_.view.get(resources::nodes, "", name());
  Value lease = hollow::lease_object(name(), node ? std::string_view(node->uid()) : "",
                                     parts_.executor.wall_now());
  parts_.client->call(client::create_call(resources::leases, "kube-node-lease", std::move(lease)),
                      [this, alive = alive_](schema::Answer<client::Reply> answer) {
                        if (!*alive) return;
                        const bool done = answer || answer.error().is("AlreadyExists");
                        schedule(done ? parts_.stage.lease_interval : retry_delay,
                                 [this] { renew_lease(); });
                      });
}

void HollowNode::report_status() {
  const auto node = parts_.view.get(resources::nodes, "", name());
  const Value status = node ? node->value()["status"] : Value();
  const auto again = [this, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    // A node that somebody deleted registers anew, as a kubelet does after a restart; here it
    // stays away until the machine goes, because the claim's end deletes the node first.
    schedule(answer ? parts_.stage.status_interval : 30 * retry_delay, [this] { report_status(); });
  };
  if (!node) return schedule(retry_delay, [this] { report_status(); });
  parts_.client->call(client::merge_patch_call(
                          resources::nodes, "", name(),
                          hollow::node_status_patch(status, parts_.executor.wall_now()), "status"),
                      again);
}

client::ObjectPtr HollowNode::pod_of_ours(const PodKey& key) const {
  const auto pod = parts_.view.get(resources::pods, key.name_space, key.name);
  if (!pod || pod->value().at("spec", "nodeName").as_string() != name()) return nullptr;
  return pod;
}

void HollowNode::look_at(const std::string& name_space, const std::string& pod_name) {
  const PodKey key{name_space, pod_name};
  if (!registered_ || busy_.contains(key)) return;
  const auto pod = pod_of_ours(key);
  if (!pod) return;
  const Value document = pod->value();
  if (pod->deleting()) {
    busy_.insert(key);
    const auto grace =
        std::chrono::seconds(document.at("metadata", "deletionGracePeriodSeconds").as_int(30));
    schedule(std::min<base::Duration>(parts_.stage.pod_stop, grace),
             [this, key] { stop_pod(key); });
  } else if (document.at("status", "podIP").as_string().empty() && !is_over(document)) {
    busy_.insert(key);
    schedule(parts_.stage.pod_start, [this, key] { start_pod(key); });
  }
}

void HollowNode::start_pod(const PodKey& key) {
  const auto pod = pod_of_ours(key);
  busy_.erase(key);
  if (!pod || pod->deleting()) return look_at(key.name_space, key.name);
  const Value document = pod->value();
  const bool host_network = document.at("spec", "hostNetwork").as_bool();
  const auto address =
      host_network ? std::optional(parts_.facts.address) : parts_.addresses.take(pod->uid());
  if (!address) {
    parts_.log.error("no pod address is left", {{"pod", key.name_space + "/" + key.name}});
    return;
  }
  busy_.insert(key);
  act(key, client::merge_patch_call(resources::pods, key.name_space, key.name,
                                    hollow::running_patch(document, *address, parts_.facts.address,
                                                          parts_.executor.wall_now()),
                                    "status"));
}

void HollowNode::stop_pod(const PodKey& key) {
  const auto pod = pod_of_ours(key);
  if (!pod) {
    busy_.erase(key);
    return;
  }
  Value options = client::delete_options(pod->uid());
  options.set("gracePeriodSeconds", 0);
  act(key, client::remove_call(resources::pods, key.name_space, key.name, std::move(options)));
}

// What went wrong is tried again while the pod is there; what came right shows in the view.
void HollowNode::act(const PodKey& key, client::Call call) {
  parts_.client->call(
      std::move(call), [this, key, alive = alive_](schema::Answer<client::Reply> answer) {
        if (!*alive) return;
        if (answer || answer.error().is("NotFound") || answer.error().is("Conflict")) {
          busy_.erase(key);
          return;
        }
        parts_.log.warning("pod cannot be played", {{"pod", key.name_space + "/" + key.name},
                                                    {"why", answer.error().message}});
        schedule(retry_delay, [this, key] {
          busy_.erase(key);
          look_at(key.name_space, key.name);
        });
      });
}

}  // namespace keelway::node
