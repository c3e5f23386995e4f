#include "node/hollow_node.h"

#include "client/resources.h"

namespace keelway::node {

namespace resources = client::resources;
using value::Value;

namespace {

constexpr auto retry_delay = std::chrono::seconds(1);

}  // namespace

HollowNode::HollowNode(HollowNodeParts parts)
    : parts_(std::move(parts)),
      pods_({.executor = parts_.executor,
             .client = *parts_.client,
             .view = parts_.view,
             .addresses = parts_.addresses,
             .stage = parts_.stage,
             .node_name = parts_.facts.name,
             .node_address = parts_.facts.address,
             .log = parts_.log}) {
  // A machine boots once; a node that is there already only went unheard for a while.
  const bool is_up = parts_.view.get(resources::nodes, "", name()) != nullptr;
  schedule(is_up ? base::Duration(0) : parts_.boot_time, [this] { boot(); });
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
  uid_ = node->uid();
  registered(base::Duration(0));
}

void HollowNode::register_node() {
  Value node = hollow::node_object(parts_.facts, parts_.executor.wall_now());
  parts_.client->call(client::create_call(resources::nodes, "", std::move(node)),
                      [this, alive = alive_](schema::Answer<client::Reply> answer) {
                        if (!*alive) return;
                        if (answer) {
                          uid_ = answer->object.at("metadata", "uid").as_string();
                          return registered(parts_.stage.status_interval);
                        }
                        if (answer.error().is("AlreadyExists")) {
                          return registered(base::Duration(0));
                        }
                        parts_.log.warning("node cannot register",
                                           {{"node", name()}, {"why", answer.error().message}});
                        schedule(retry_delay, [this] { boot(); });
                      });
}

// A node that has just registered has said how it is; one of an earlier life says so at once.
void HollowNode::registered(base::Duration next_report) {
  registered_ = true;
  renew_lease();
  schedule(next_report, [this] { report_status(); });
  for (const client::ObjectPtr& pod : parts_.view.pods_on(name())) {
    look_at(pod->name_space(), pod->name());
  }
}

void HollowNode::renew_lease() {
  auto patch = client::merge_patch_call(resources::leases, "kube-node-lease", name(),
                                        hollow::lease_patch(parts_.executor.wall_now()));
  patch.brief = true;
  parts_.client->call(std::move(patch),
                      [this, alive = alive_](schema::Answer<client::Reply> answer) {
                        if (!*alive) return;
                        if (!answer && answer.error().is("NotFound")) return create_lease();
                        schedule(parts_.stage.lease_interval, [this] { renew_lease(); });
                      });
}

void HollowNode::create_lease() {
  if (uid_.empty()) {
    // It was there already when this life began.
    const client::ObjectPtr node = parts_.view.get(resources::nodes, "", name());
    if (!node) return schedule(retry_delay, [this] { renew_lease(); });
    uid_ = node->uid();
  }
  Value lease = hollow::lease_object(name(), uid_, parts_.executor.wall_now());
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

void HollowNode::look_at(const std::string& name_space, const std::string& pod_name) {
  if (registered_) pods_.look_at(name_space, pod_name);
}

}  // namespace keelway::node
