#include "aws/eks/cluster_change.h"

#include <fmt/core.h>

#include "aws/eks/hub.h"
#include "client/resources.h"

namespace keelway::aws::eks {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr int attempts_max = 5;

struct Change {
  ServicePtr service;
  Caller caller;
  std::string name;
  PlanChange plan;
  std::move_only_function<void(Outcome<Value>)> done;
  int attempts = 0;
};

void attempt(std::shared_ptr<Change> change);

void write(std::shared_ptr<Change> change, Value object, Value spec_patch) {
  const Value& metadata = object["metadata"];
  Value patch =
      Value::object({{"metadata", Value::object({{"resourceVersion", metadata["resourceVersion"]},
                                                 {"uid", metadata["uid"]}})},
                     {"spec", std::move(spec_patch)}});
  client::Call call =
      client::merge_patch_call(resources::clusters, metadata["namespace"].as_string(),
                               metadata["name"].as_string(), std::move(patch));
  change->service->hub.call(std::move(call), [change, object = std::move(object)](
                                                 schema::Answer<client::Reply> answer) mutable {
    if (answer) return change->done(std::move(object));
    const bool lost_race = answer.error().code == 409 || answer.error().code == 404;
    if (!lost_race) return change->done(refuse(from_status(answer.error())));
    attempt(std::move(change));
  });
}

void attempt(std::shared_ptr<Change> change) {
  if (change->attempts++ == attempts_max) {
    return change->done(refuse(resource_in_use(
        fmt::format("Cluster {} is being changed by other requests, try again", change->name),
        change->name)));
  }
  const Change& c = *change;
  find_cluster(c.service, c.caller, c.name, [change](Outcome<Value> object) {
    if (!object) return change->done(std::unexpected(object.error()));
    auto patch = change->plan(*object);
    if (!patch) return change->done(std::unexpected(patch.error()));
    write(change, std::move(*object), std::move(*patch));
  });
}

}  // namespace

void change_cluster(ServicePtr service, Caller caller, std::string name, PlanChange plan,
                    std::move_only_function<void(Outcome<Value>)> done) {
  auto change = std::make_shared<Change>();
  change->service = std::move(service);
  change->caller = std::move(caller);
  change->name = std::move(name);
  change->plan = std::move(plan);
  change->done = std::move(done);
  attempt(std::move(change));
}

}  // namespace keelway::aws::eks
