#include "provisioner/launcher.h"

#include <fmt/core.h>

#include "client/resources.h"
#include "provisioner/names.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {

namespace resources = client::resources;
using value::Value;

struct Launcher::Launch {
  Value claim;
  const cloud::InstanceType* type = nullptr;
  std::string zone, capacity_type;
  std::string usd_per_hour;
  cloud::Machine machine;
  Value labels;
  reconcile::EffectDone done;
};

namespace {

std::string format_usd(std::int64_t micro) {
  return fmt::format("{}.{:06}", micro / 1'000'000, micro % 1'000'000);
}

// What the node registers with: its claim's labels, the type's, and where it stands.
Value node_labels(const Value& claim, const cloud::InstanceType& type, const std::string& zone,
                  const std::string& capacity_type) {
  Value labels = claim.at("metadata", "labels");
  for (const auto& [key, text] : type.labels.pairs()) labels.set(key, text);
  const auto requirements = placement::Requirements::read(claim.at("spec", "requirements"));
  const placement::Labels fixed = requirements.fixed_labels();
  for (const auto& [key, text] : fixed.pairs()) {
    if (!labels.contains(key)) labels.set(key, text);
  }
  labels.set(zone_label, zone);
  labels.set(capacity_type_label, capacity_type);
  return labels;
}

Value node_taints(const Value& claim) {
  Value taints = Value::array();
  taints.push(Value::object({{"key", unregistered_taint}, {"effect", "NoExecute"}}));
  for (const char* list : {"taints", "startupTaints"}) {
    for (const Value& taint : claim.at("spec", list).items()) taints.push(taint);
  }
  return taints;
}

}  // namespace

void Launcher::execute(const reconcile::Effect& effect, reconcile::EffectDone done) {
  if (effect.name == "launch")
    launch(effect, std::move(done));
  else
    terminate(effect, std::move(done));
}

void Launcher::launch(const reconcile::Effect& effect, reconcile::EffectDone done) {
  auto launch = std::make_shared<Launch>();
  launch->claim = effect.arguments["claim"];
  launch->type = parts_.catalogue->find(effect.arguments["instanceType"].as_string());
  launch->zone = effect.arguments["zone"].as_string();
  launch->capacity_type = effect.arguments["capacityType"].as_string();
  launch->usd_per_hour = format_usd(effect.arguments["priceMicroUsd"].as_int());
  launch->done = std::move(done);
  KEELWAY_INVARIANT(launch->type != nullptr, "the plan chose from the same catalogue");
  launch->labels = node_labels(launch->claim, *launch->type, launch->zone, launch->capacity_type);
  cloud::LaunchRequest request;
  request.token = effect.token;
  request.claim_name = launch->claim.at("metadata", "name").as_string();
  request.instance_type = launch->type->name;
  request.zone = launch->zone;
  request.capacity_type = launch->capacity_type;
  request.labels = launch->labels;
  request.annotations = Value::object({{std::string(cost_annotation), launch->usd_per_hour}});
  request.taints = node_taints(launch->claim);
  parts_.cloud.launch(std::move(request),
                      [this, launch, alive = alive_](base::Result<cloud::Machine> machine) {
                        if (!*alive) return;
                        if (!machine) return give_up(launch, machine.error());
                        launch->machine = std::move(*machine);
                        record_labels(launch);
                      });
}

// Labels first: once Launched stands in the status nobody comes back here.
void Launcher::record_labels(std::shared_ptr<Launch> launch) {
  const Value patch = Value::object(
      {{"metadata", Value::object({{"labels", launch->labels},
                                   {"annotations", Value::object({{std::string(cost_annotation),
                                                                   launch->usd_per_hour}})}})}});
  parts_.client.call(
      client::merge_patch_call(resources::node_claims, "",
                               launch->claim.at("metadata", "name").as_string(), patch),
      [this, launch, alive = alive_](schema::Answer<client::Reply> reply) {
        if (!*alive) return;
        if (!reply) {
          return give_up(launch, {base::ErrorCode::unavailable, reply.error().message});
        }
        record(launch);
      });
}

void Launcher::record(std::shared_ptr<Launch> launch) {
  Value conditions = launch->claim.at("status", "conditions");
  reconcile::set_condition(conditions, {"Launched", "True", "Launched", ""},
                           parts_.executor.wall_now());
  const Value status = Value::object({{"providerID", launch->machine.provider_id},
                                      {"nodeName", launch->machine.node_name},
                                      {"imageID", launch->machine.image_id},
                                      {"capacity", launch->type->capacity.to_value()},
                                      {"allocatable", launch->type->allocatable.to_value()},
                                      {"conditions", conditions}});
  parts_.client.call(
      client::merge_patch_call(resources::node_claims, "",
                               launch->claim.at("metadata", "name").as_string(),
                               Value::object({{"status", status}}), "status"),
      [launch, alive = alive_](schema::Answer<client::Reply> reply) {
        if (!*alive) return;
        if (!reply) {
          return launch->done(base::fail(base::ErrorCode::unavailable, reply.error().message));
        }
        launch->done(Value());
      });
}

// Without capacity the claim goes, so that its pods are planned anew with what is left.
void Launcher::give_up(std::shared_ptr<Launch> launch, base::Error error) {
  const std::string& name = launch->claim.at("metadata", "name").as_string();
  parts_.log.warning("launch failed", {{"nodeclaim", name}, {"why", error.message}});
  if (error.code != base::ErrorCode::exhausted && error.code != base::ErrorCode::invalid) {
    return launch->done(std::unexpected(std::move(error)));
  }
  parts_.client.call(client::remove_call(resources::node_claims, "", name),
                     [launch, alive = alive_](schema::Answer<client::Reply>) {
                       if (*alive) launch->done(Value());
                     });
}

void Launcher::terminate(const reconcile::Effect& effect, reconcile::EffectDone done) {
  parts_.cloud.terminate(effect.token,
                         [done = std::move(done), alive = alive_](base::Result<void> gone) mutable {
                           if (!*alive) return;
                           if (!gone) return done(std::unexpected(gone.error()));
                           done(Value());
                         });
}

}  // namespace keelway::provisioner
