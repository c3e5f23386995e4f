#include "provisioner/launcher.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "client/resources.h"
#include "provisioner/names.h"
#include "provisioner/offers.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {

namespace resources = client::resources;
using value::Value;

struct Launcher::Launch {
  Value claim;
  std::string token;
  std::vector<Choice> others;  // to try where the plan's choice has no capacity, last one first
  const cloud::InstanceType* type = nullptr;
  std::string zone, capacity_type;
  std::string usd_per_hour;
  cloud::Machine machine;
  Value labels;
  reconcile::EffectDone done;
};

namespace {

// How many offerings one launch tries, and how long a claim hopes for capacity.
constexpr std::size_t offerings_max = 20;
constexpr auto capacity_patience = std::chrono::seconds(30);

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
  else if (effect.name == "inspect")
    inspect(effect, std::move(done));
  else if (effect.name == "sweep")
    sweep(std::move(done));
  else
    terminate(effect.token, std::move(done));
}

void Launcher::launch(const reconcile::Effect& effect, reconcile::EffectDone done) {
  auto launch = std::make_shared<Launch>();
  launch->claim = effect.arguments["claim"];
  launch->token = effect.token;
  launch->done = std::move(done);
  const Value& spec = launch->claim["spec"];
  launch->others =
      choices(placement::Requirements::read(spec["requirements"]),
              placement::ResourceList::read(spec.at("resources", "requests")), *parts_.catalogue);
  KEELWAY_INVARIANT(!launch->others.empty(), "the plan chose from the same catalogue");
  if (launch->others.size() > offerings_max) launch->others.resize(offerings_max);
  std::reverse(launch->others.begin(), launch->others.end());
  try_next(std::move(launch));
}

void Launcher::try_next(std::shared_ptr<Launch> launch) {
  const Choice choice = launch->others.back();
  launch->others.pop_back();
  launch->type = choice.type;
  launch->zone = choice.offering->zone;
  launch->capacity_type = choice.offering->capacity_type;
  launch->usd_per_hour = format_usd(choice.offering->price_micro_usd);
  launch->labels = node_labels(launch->claim, *launch->type, launch->zone, launch->capacity_type);
  cloud::LaunchRequest request;
  request.token = launch->token;
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
                        if (!machine) {
                          const bool sold_out = machine.error().code == base::ErrorCode::exhausted;
                          if (sold_out && !launch->others.empty()) {
                            parts_.executor.reached("provisioner.next_offering");
                            return try_next(launch);
                          }
                          parts_.executor.reached("provisioner.launch_given_up");
                          return give_up(launch, machine.error());
                        }
                        launch->machine = std::move(*machine);
                        record_labels(launch);
                      });
}

// Labels first: once Launched stands in the status nobody comes back here.
void Launcher::record_labels(std::shared_ptr<Launch> launch) {
  const Value patch = Value::object(
      {{"metadata", Value::object({{"uid", launch->token},
                                   {"labels", launch->labels},
                                   {"annotations", Value::object({{std::string(cost_annotation),
                                                                   launch->usd_per_hour}})}})}});
  parts_.client.call(
      client::merge_patch_call(resources::node_claims, "",
                               launch->claim.at("metadata", "name").as_string(), patch),
      [this, launch, alive = alive_](schema::Answer<client::Reply> reply) {
        if (!*alive) return;
        if (!reply) return unrecorded(launch, reply.error());
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
                               Value::object({{"metadata", Value::object({{"uid", launch->token}})},
                                              {"status", status}}),
                               "status"),
      [this, launch, alive = alive_](schema::Answer<client::Reply> reply) {
        if (!*alive) return;
        if (!reply) return unrecorded(launch, reply.error());
        launch->done(Value());
      });
}

// The machine of a claim that is there no more (or whose name is another's now) goes again; any
// other launch is asked for anew.
void Launcher::unrecorded(std::shared_ptr<Launch> launch, const schema::Status& why) {
  if (why.is("NotFound") || why.is("Conflict")) {
    parts_.executor.reached("provisioner.launch_without_claim");
    return terminate(launch->token, std::move(launch->done));
  }
  launch->done(base::fail(base::ErrorCode::unavailable, why.message));
}

// Without capacity the claim goes after a while, so that its pods are planned anew with what is
// left; not at once, because the next plan would try the same.
void Launcher::give_up(std::shared_ptr<Launch> launch, base::Error error) {
  const Value& metadata = launch->claim["metadata"];
  const std::string& name = metadata["name"].as_string();
  parts_.log.warning("launch failed", {{"nodeclaim", name}, {"why", error.message}});
  const auto created = base::parse_rfc3339(metadata["creationTimestamp"].as_string());
  const bool fresh = created && parts_.executor.wall_now() - *created < capacity_patience;
  const bool hopeless = error.code == base::ErrorCode::invalid ||
                        (error.code == base::ErrorCode::exhausted && !fresh);
  if (!hopeless) return launch->done(std::unexpected(std::move(error)));
  parts_.client.call(client::remove_call(resources::node_claims, "", name),
                     [launch, alive = alive_](schema::Answer<client::Reply>) {
                       if (*alive) launch->done(Value());
                     });
}

void Launcher::terminate(const std::string& token, reconcile::EffectDone done) {
  parts_.cloud.terminate(token,
                         [done = std::move(done), alive = alive_](base::Result<void> gone) mutable {
                           if (!*alive) return;
                           if (!gone) return done(std::unexpected(gone.error()));
                           done(Value());
                         });
}

struct Launcher::Sweep {
  std::vector<std::string> tokens;  // of machines
  reconcile::EffectDone done;
};

// Machines without a claim go. They are listed first: a claim is there before its machine, so one
// that is missing afterwards has ended.
void Launcher::sweep(reconcile::EffectDone done) {
  auto sweep = std::make_shared<Sweep>();
  sweep->done = std::move(done);
  parts_.cloud.list([this, sweep, alive = alive_](base::Result<std::vector<std::string>> tokens) {
    if (!*alive) return;
    if (!tokens) return sweep->done(std::unexpected(tokens.error()));
    if (tokens->empty()) return sweep->done(Value());
    sweep->tokens = std::move(*tokens);
    parts_.client.call(
        client::list_call(resources::node_claims),
        [this, sweep, alive](schema::Answer<client::Reply> reply) {
          if (!*alive) return;
          if (!reply) {
            return sweep->done(base::fail(base::ErrorCode::unavailable, reply.error().message));
          }
          std::set<std::string> uids;
          for (const Value& claim : reply->object["items"].items()) {
            uids.insert(claim.at("metadata", "uid").as_string());
          }
          std::erase_if(sweep->tokens, [&uids](const std::string& t) { return uids.contains(t); });
          terminate_next(sweep);
        });
  });
}

void Launcher::terminate_next(std::shared_ptr<Sweep> sweep) {
  if (sweep->tokens.empty()) return sweep->done(Value());
  parts_.log.warning("a machine has no claim", {{"token", sweep->tokens.back()}});
  parts_.executor.reached("provisioner.machine_swept");
  const std::string token = std::exchange(sweep->tokens.back(), {});
  sweep->tokens.pop_back();
  terminate(token, [this, sweep, alive = alive_](base::Result<Value> gone) {
    if (!*alive) return;
    if (!gone) return sweep->done(std::move(gone));
    terminate_next(sweep);
  });
}

// The node of a machine that is gone can say nothing more: with it go its pods and its claim.
void Launcher::inspect(const reconcile::Effect& effect, reconcile::EffectDone done) {
  parts_.cloud.inspect(effect.token, [this, node = effect.arguments, done = std::move(done),
                                      alive = alive_](base::Result<bool> there) mutable {
    if (!*alive) return;
    if (!there) return done(std::unexpected(there.error()));
    if (*there) return done(Value());
    parts_.log.warning("the machine of a node is gone", {{"node", node["node"].as_string()}});
    remove_node(node, std::move(done));
  });
}

// There is nothing to drain any more: the node waits for nobody.
void Launcher::remove_node(const Value& node, reconcile::EffectDone done) {
  const std::string name = node["node"].as_string();
  const std::string uid = node["uid"].as_string();
  const Value released = Value::object({{"uid", uid}, {"finalizers", node["finalizers"]}});
  parts_.client.call(
      client::merge_patch_call(resources::nodes, "", name, Value::object({{"metadata", released}})),
      [this, name, uid, done = std::move(done),
       alive = alive_](schema::Answer<client::Reply>) mutable {
        if (!*alive) return;
        parts_.client.call(
            client::remove_call(resources::nodes, "", name, client::delete_options(uid)),
            [done = std::move(done), alive](schema::Answer<client::Reply>) mutable {
              if (*alive) done(Value());
            });
      });
}

}  // namespace keelway::provisioner
