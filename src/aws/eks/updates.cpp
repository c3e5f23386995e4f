#include "aws/eks/updates.h"

#include <fmt/core.h>

#include <algorithm>

#include "aws/eks/cluster_change.h"
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::aws::eks {
namespace {

using value::Value;
namespace resources = client::resources;

// The oldest records of a cluster go when it has more than this many.
constexpr std::size_t updates_per_cluster_max = 100;

Value update_document(const Value& object) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  const bool takes_time = spec["type"].as_string() == "VersionUpdate";
  return Value::object(
      {{"id", spec["id"]},
       {"type", spec["type"]},
       {"status", status["status"].string_or(takes_time ? "InProgress" : "Successful")},
       {"params", spec["params"]},
       {"createdAt", spec["createdAt"]},
       {"errors", status["errors"].is_array() ? status["errors"] : Value::array()}});
}

void prune(const ServicePtr& service, const std::string& name_space,
           const std::string& cluster_object) {
  std::vector<std::pair<double, std::string>> known;
  for (const client::ObjectPtr& one : service->view.list(resources::updates, name_space)) {
    if (one->label(resources::cluster_label) != cluster_object) continue;
    known.emplace_back(one->value().at("spec", "createdAt").as_double(), one->name());
  }
  if (known.size() <= updates_per_cluster_max) return;
  std::sort(known.begin(), known.end());
  for (std::size_t i = 0; i < known.size() - updates_per_cluster_max; ++i) {
    service->hub.call(client::remove_call(resources::updates, name_space, known[i].second),
                      [](schema::Answer<client::Reply>) {});
  }
}

bool belongs_to(const Value& update, const Value& cluster) {
  const Value& owner = update.at("metadata", "ownerReferences")[0];
  return owner["uid"] == cluster.at("metadata", "uid");
}

// Filters for resources of a cluster that are not there.
std::optional<ServiceError> check_filters(const Query& query) {
  if (query.has("nodegroupName")) {
    return resource_not_found(
        fmt::format("No node group found for name: {}.", query.first("nodegroupName")));
  }
  if (query.has("addonName")) {
    return resource_not_found(
        fmt::format("No addon: {} found in cluster", query.first("addonName")));
  }
  if (query.has("capabilityName")) {
    return resource_not_found(
        fmt::format("No capability found for name: {}.", query.first("capabilityName")));
  }
  return std::nullopt;
}

void list_of_cluster(const ServicePtr& service, const Query& query, Value cluster, Done done) {
  client::Call list = client::list_call(
      resources::updates, cluster.at("metadata", "namespace").as_string(),
      fmt::format("{}={}", resources::cluster_label, cluster.at("metadata", "name").as_string()));
  service->hub.call(std::move(list), [query, cluster = std::move(cluster), done = std::move(done)](
                                         schema::Answer<client::Reply> answer) mutable {
    if (!answer) return done(refuse(from_status(answer.error())));
    std::vector<std::string> ids;
    for (const Value& one : answer->object["items"].items()) {
      if (belongs_to(one, cluster)) ids.push_back(one.at("spec", "id").as_string());
    }
    std::sort(ids.begin(), ids.end());
    auto page = paginate(query, "updates", ids, [&](std::size_t i) { return Value(ids[i]); });
    if (!page) return done(std::unexpected(page.error()));
    Value body = Value::object({{"updateIds", std::move(page->items)}});
    if (!page->next_token.empty()) body.set("nextToken", page->next_token);
    done(std::move(body));
  });
}

bool is_update_id(std::string_view id) {
  return !id.empty() && id.size() <= 63 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

ServiceError no_update(const std::string& id) {
  return resource_not_found(fmt::format("No update found for ID: {}", id));
}

// What an Update tells of the request that it records.
struct Record {
  std::string type, client_request_token, request_digest;
};

bool is_of(const Record& record, const Value& update) {
  return update.at("metadata", "labels", token_label_key).as_string() ==
             token_label(record.client_request_token) &&
         update.at("spec", "requestDigest").as_string() == record.request_digest;
}

// The answer to an earlier request with this token; null where there was none.
Outcome<Value> find_repeated(const Service& service, const Caller& caller,
                             std::string_view cluster_object, const Record& record) {
  if (record.client_request_token.empty()) return Value();
  const std::string label = token_label(record.client_request_token);
  for (const client::ObjectPtr& one :
       service.view.list(resources::updates, hub_namespace(caller))) {
    if (one->label(token_label_key) != label ||
        one->label(resources::cluster_label) != cluster_object) {
      continue;
    }
    const Value object = one->value();
    if (!is_of(record, object)) {
      return refuse(
          invalid_parameter("The clientRequestToken was used before with different parameters."));
    }
    return Value::object({{"update", update_document(object)}});
  }
  return Value();
}

// The Update that the cluster carries since this very request changed it; null where it does not.
Value carried_update(const Value& cluster, const char* member, const Record& record) {
  const Value& carried = cluster["spec"][member][0];
  return !record.client_request_token.empty() && is_of(record, carried) ? carried : Value();
}

Value update_object(const Service& service, const Value& cluster, const Record& record,
                    Value params) {
  const base::WallTime now = service.executor.wall_now();
  const std::string id = base::make_uuid(service.executor.random());
  const std::string cluster_object = cluster.at("metadata", "name").as_string();
  Value labels = Value::object({{std::string(resources::cluster_label), cluster_object}});
  if (!record.client_request_token.empty()) {
    labels.set(token_label_key, token_label(record.client_request_token));
  }
  Value owner = Value::object({{"apiVersion", resources::clusters.api_version()},
                               {"kind", resources::clusters.kind},
                               {"name", cluster_object},
                               {"uid", cluster.at("metadata", "uid")}});
  return Value::object(
      {{"metadata", Value::object({{"name", id},
                                   {"labels", std::move(labels)},
                                   {"ownerReferences", Value::array({std::move(owner)})}})},
       {"spec", Value::object({{"id", id},
                               {"type", record.type},
                               {"params", std::move(params)},
                               {"clusterName", cluster.at("spec", "name")},
                               {"createdAt", static_cast<double>(now.microseconds / 1000) / 1000.0},
                               {"requestDigest", record.request_digest}})}});
}

// One that is there already is the same one.
void keep_update(const ServicePtr& service, const Caller& caller, Value object, Done done) {
  const std::string cluster_object =
      object.at("metadata", "labels", resources::cluster_label).as_string();
  create_on_hub(service, caller, resources::updates, object,
                [service, cluster_object, object, name_space = hub_namespace(caller),
                 done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                  if (!answer && !answer.error().is("AlreadyExists")) {
                    return done(refuse(from_status(answer.error())));
                  }
                  prune(service, name_space, cluster_object);
                  Value update = update_document(object);
                  update.set("status", "InProgress");
                  done(Value::object({{"update", std::move(update)}}));
                });
}

}  // namespace

void change_and_record(const ServicePtr& service, const Caller& caller,
                       const ChangeRequest& request, PlanRecordedChange plan, Done done) {
  const Record record{request.type, request.body["clientRequestToken"].as_string(),
                      base::hex_encode(base::sha256(value::to_json(request.body)))};
  auto repeated = find_repeated(*service, caller,
                                cluster_object_name(cluster_arn(caller, request.cluster)), record);
  if (!repeated) return done(std::unexpected(repeated.error()));
  if (!repeated->is_null()) return done(std::move(*repeated));
  auto update = std::make_shared<Value>();
  PlanChange plan_change = [service, record, update, member = request.carried,
                            plan = std::move(plan)](const Value& object) -> Outcome<Value> {
    *update = carried_update(object, member, record);
    if (!update->is_null()) return Value::object();  // what an earlier try of this request changed
    auto change = plan(object);
    if (!change) return std::unexpected(change.error());
    *update = update_object(*service, object, record, std::move(change->params));
    // An array, because a merge patch replaces those as a whole.
    change->patch.set(member, Value::array({*update}));
    return std::move(change->patch);
  };
  change_cluster(service, caller, request.cluster, std::move(plan_change),
                 [service, caller, update, done = std::move(done)](Outcome<Value> cluster) mutable {
                   if (!cluster) return done(std::unexpected(cluster.error()));
                   keep_update(service, caller, std::move(*update), std::move(done));
                 });
}

void list_updates(ServicePtr service, Invocation invocation, Done done) {
  find_cluster(
      service, invocation.caller, invocation.label("name"),
      [service, query = invocation.query, done = std::move(done)](Outcome<Value> cluster) mutable {
        if (!cluster) return done(std::unexpected(cluster.error()));
        if (auto bad = check_filters(query)) return done(refuse(std::move(*bad)));
        list_of_cluster(service, query, std::move(*cluster), std::move(done));
      });
}

void describe_update(ServicePtr service, Invocation invocation, Done done) {
  const std::string id = invocation.label("updateId");
  if (auto bad = check_filters(invocation.query)) return done(refuse(std::move(*bad)));
  find_cluster(service, invocation.caller, invocation.label("name"),
               [service, id, done = std::move(done)](Outcome<Value> cluster) mutable {
                 if (!cluster) return done(std::unexpected(cluster.error()));
                 if (!is_update_id(id)) return done(refuse(no_update(id)));
                 client::Call get = client::get_call(
                     resources::updates, cluster->at("metadata", "namespace").as_string(), id);
                 service->hub.call(
                     std::move(get), [id, cluster = std::move(*cluster), done = std::move(done)](
                                         schema::Answer<client::Reply> answer) mutable {
                       if (!answer && answer.error().code != 404) {
                         return done(refuse(from_status(answer.error())));
                       }
                       if (!answer || !belongs_to(answer->object, cluster)) {
                         return done(refuse(no_update(id)));
                       }
                       done(Value::object({{"update", update_document(answer->object)}}));
                     });
               });
}

}  // namespace keelway::aws::eks
