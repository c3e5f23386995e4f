// CreateCluster, DescribeCluster, ListClusters, DeleteCluster.
#include <fmt/core.h>

#include <algorithm>

#include "aws/eks/cluster_document.h"
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::aws::eks {
namespace {

using value::Value;
namespace resources = client::resources;

// The endpoint is this server's own: who asks it can reach it. Where it does not serve the cluster
// (yet), it is that of the server that the cluster names.
Value cluster_answer(const Service& service, const Value& object) {
  Value cluster = cluster_document(object);
  if (service.endpoint && cluster.contains("endpoint")) {
    const std::string own =
        service.endpoint(object.at("metadata", "name").as_string(),
                         static_cast<int>(object.at("status", "port").as_int()));
    if (!own.empty()) cluster.set("endpoint", own);
  }
  return Value::object({{"cluster", std::move(cluster)}});
}

// A cluster of the caller's that was made with this token under another name or other input.
bool token_spent(const Service& service, const Caller& caller, const Value& wanted) {
  const std::string label(wanted.at("metadata", "labels", token_label_key).as_string());
  if (label.empty()) return false;
  for (const client::ObjectPtr& one :
       service.view.list(resources::clusters, hub_namespace(caller))) {
    if (one->label(token_label_key) != label) continue;
    const Value before = one->value();
    if (before.at("spec", "requestDigest") != wanted.at("spec", "requestDigest")) return true;
  }
  return false;
}

// The name is taken: by this very request, sent again, or by another one.
void answer_existing(const ServicePtr& service, const Caller& caller, Value wanted, Done done) {
  const std::string name = wanted.at("spec", "name").as_string();
  find_cluster(service, caller, name,
               [service, name, wanted = std::move(wanted),
                done = std::move(done)](Outcome<Value> existing) mutable {
                 if (!existing) return done(std::unexpected(existing.error()));
                 const Value& token = wanted.at("spec", "clientRequestToken");
                 const bool same =
                     token.is_string() && token == existing->at("spec", "clientRequestToken") &&
                     wanted.at("spec", "requestDigest") == existing->at("spec", "requestDigest") &&
                     cluster_status(*existing) != "DELETING";
                 if (same) return done(cluster_answer(*service, *existing));
                 done(refuse(resource_in_use(
                     fmt::format("Cluster already exists with name: {}", name), name)));
               });
}

std::optional<ServiceError> undeletable(const Value& object, const std::string& name) {
  const std::string status = cluster_status(object);
  if (status == "CREATING") {
    return resource_in_use(
        fmt::format("Cannot delete cluster {} while its creation is in progress", name), name);
  }
  if (status == "UPDATING") {
    return resource_in_use(
        fmt::format("Cannot delete because cluster {} currently has an update in progress", name),
        name);
  }
  if (object.at("spec", "deletionProtection").as_bool()) {
    return invalid_request(
        fmt::format("Cluster {} has deletion protection enabled. Disable deletion protection and "
                    "retry.",
                    name),
        name);
  }
  return std::nullopt;
}

}  // namespace

void create_cluster(ServicePtr service, Invocation invocation, Done done) {
  if (auto bad = check_create(invocation.body)) return done(refuse(std::move(*bad)));
  const Caller caller = invocation.caller;
  Value wanted = new_cluster_object(caller, invocation.body, service->executor.wall_now());
  if (token_spent(*service, caller, wanted)) {
    return done(refuse(
        invalid_parameter("The clientRequestToken was used before with different parameters.")));
  }
  create_on_hub(service, caller, resources::clusters, wanted,
                [service, caller, wanted,
                 done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                  if (answer) return done(cluster_answer(*service, answer->object));
                  if (answer.error().is("AlreadyExists")) {
                    return answer_existing(service, caller, std::move(wanted), std::move(done));
                  }
                  done(refuse(from_status(answer.error())));
                });
}

void describe_cluster(ServicePtr service, Invocation invocation, Done done) {
  find_cluster(service, invocation.caller, invocation.label("name"),
               [service, done = std::move(done)](Outcome<Value> object) mutable {
                 if (!object) return done(std::unexpected(object.error()));
                 done(cluster_answer(*service, *object));
               });
}

void list_clusters(ServicePtr service, Invocation invocation, Done done) {
  client::Call list = client::list_call(resources::clusters, hub_namespace(invocation.caller));
  service->hub.call(std::move(list), [query = invocation.query, done = std::move(done)](
                                         schema::Answer<client::Reply> answer) mutable {
    if (!answer) return done(refuse(from_status(answer.error())));
    std::vector<std::string> names;
    for (const Value& one : answer->object["items"].items()) {
      names.push_back(one.at("spec", "name").as_string());
    }
    std::sort(names.begin(), names.end());
    auto page = paginate(query, "clusters", names, [&](std::size_t i) { return Value(names[i]); });
    if (!page) return done(std::unexpected(page.error()));
    Value body = Value::object({{"clusters", std::move(page->items)}});
    if (!page->next_token.empty()) body.set("nextToken", page->next_token);
    done(std::move(body));
  });
}

void delete_cluster(ServicePtr service, Invocation invocation, Done done) {
  const std::string name = invocation.label("name");
  find_cluster(
      service, invocation.caller, name,
      [service, name, done = std::move(done)](Outcome<Value> object) mutable {
        if (!object) return done(std::unexpected(object.error()));
        if (cluster_status(*object) == "DELETING") return done(cluster_answer(*service, *object));
        if (auto bad = undeletable(*object, name)) return done(refuse(std::move(*bad)));
        const Value& metadata = (*object)["metadata"];
        client::Call remove = client::remove_call(
            resources::clusters, metadata["namespace"].as_string(), metadata["name"].as_string(),
            client::delete_options(metadata["uid"].as_string()));
        service->hub.call(std::move(remove),
                          [service, name, object = std::move(*object),
                           done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                            if (!answer && answer.error().code == 404) {
                              return done(refuse(resource_not_found(
                                  fmt::format("No cluster found for name: {}.", name), name)));
                            }
                            if (!answer) return done(refuse(from_status(answer.error())));
                            Value body = cluster_answer(*service, object);
                            body.mutate("cluster").set("status", "DELETING");
                            done(std::move(body));
                          });
      });
}

}  // namespace keelway::aws::eks
