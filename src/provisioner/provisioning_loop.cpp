#include <fmt/core.h>

#include "client/resources.h"
#include "provisioner/claim_document.h"
#include "provisioner/cluster_state.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/offers.h"
#include "provisioner/solver.h"
#include "reconcile/events.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using reconcile::Action;
using reconcile::Plan;
using value::Value;

// Pods that come together are packed together; a deployment's pods arrive within this.
constexpr auto window = std::chrono::milliseconds(50);
// A pod that nothing suits is looked at again with every change, and at the latest then.
constexpr auto impossible_again = std::chrono::seconds(60);

class ProvisioningLoop final : public reconcile::BatchLoop {
 public:
  ProvisioningLoop(cloud::CataloguePtr catalogue, PurchasesPtr purchases)
      : catalogue_(std::move(catalogue)), purchases_(std::move(purchases)) {}

  std::string_view name() const override { return "provisioning"; }

  std::vector<client::Resource> watches() const override {
    return {resources::pods, resources::nodes, resources::node_claims, resources::node_pools};
  }

  bool wakes(const client::Change& change) const override {
    if (change.resource == resources::pods) {
      return change.object && waits_for_room(change.object->value());
    }
    return change.resource == resources::node_pools || change.resource == resources::node_claims;
  }

  base::Duration batch_window() const override { return window; }

  Plan plan(const client::View& view, const Assumed& assumed, base::WallTime now,
            reconcile::Seed seed) const override {
    purchases_->say(Buyer::provisioning, assumed, {});
    Plan plan = decide(view, now, seed);
    purchases_->say(Buyer::provisioning, assumed, plan.actions);
    return plan;
  }

 private:
  Plan decide(const client::View& view, base::WallTime now, reconcile::Seed seed) const {
    SolverInput input;
    for (const client::ObjectPtr& pod : view.list(resources::pods)) {
      if (pod->deleting() || !waits_for_room(pod->value())) continue;
      auto info = pods_.read(pod);
      if (!info->gated) input.pending.push_back(std::move(info));
    }
    pods_.sweep();
    if (input.pending.empty()) return {};
    collect(view, input);
    const Solution solution = solve(input);
    return act(view, input, solution, now, seed);
  }

  void collect(const client::View& view, SolverInput& input) const {
    input.catalogue = catalogue_.get();
    input.pools = read_ready_pools(view);
    auto claims = read_claims(view, *catalogue_, node_pods_, claims_);
    node_pods_.sweep();
    purchases_->add_to(claims, *catalogue_);
    count_use(claims, input);
    for (auto& [name, claim] : claims) {
      if (!claim.deleting) input.nodes.push_back(std::move(claim.node));
    }
    // Nodes that no claim stands for hold pods, too.
    std::set<std::string> known;
    for (const auto& node : input.nodes) known.insert(node.name);
    for (const client::ObjectPtr& object : view.list(resources::nodes)) {
      if (known.contains(object->name()) || !object->label(pool_label).empty()) continue;
      placement::NodeState node = placement::read_node(object->value());
      for (const client::ObjectPtr& pod : view.pods_on(object->name())) {
        node.add(std::make_shared<placement::PodInfo>(placement::read_pod(pod->value())));
      }
      input.nodes.push_back(std::move(node));
    }
  }

  Plan act(const client::View& view, const SolverInput& input, const Solution& solution,
           base::WallTime now, reconcile::Seed seed) const {
    Plan plan;
    base::Random random(seed);
    for (const PlannedNode& planned : solution.nodes) {
      for (const NodePool& pool : input.pools) {
        if (pool.name != planned.pool) continue;
        plan.actions.push_back({client::create_call(resources::node_claims, "",
                                                    claim_document(planned, pool, random.next())),
                                {"AlreadyExists"}});
      }
    }
    if (!solution.impossible.empty()) plan.next = reconcile::After{impossible_again};
    // One event a plan is enough to say why pods wait; each pod's condition says it, too.
    for (const auto& [pod, why] : solution.impossible) {
      const auto object = view.get(resources::pods, pod->name_space, pod->name);
      if (!object) continue;
      plan.actions.push_back(reconcile::event_action(resources::pods, object->value(), "karpenter",
                                                     {.reason = "FailedScheduling",
                                                      .message = "Failed to schedule pod, " + why,
                                                      .warning = true},
                                                     now, random.next()));
      break;
    }
    return plan;
  }

  const cloud::CataloguePtr catalogue_;
  const PurchasesPtr purchases_;
  // By revision: the same view gives the same plan.
  mutable PodCache pods_, node_pods_;
  mutable ClaimCache claims_;
};

}  // namespace

std::unique_ptr<reconcile::BatchLoop> make_provisioning_loop(cloud::CataloguePtr catalogue,
                                                             PurchasesPtr purchases) {
  return std::make_unique<ProvisioningLoop>(std::move(catalogue), std::move(purchases));
}

}  // namespace keelway::provisioner
