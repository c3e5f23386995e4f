// TagResource, UntagResource, ListTagsForResource. Clusters are what can be tagged so far.
#include <fmt/core.h>

#include "aws/eks/cluster_change.h"
#include "aws/eks/cluster_document.h"
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"

namespace keelway::aws::eks {
namespace {

using value::Value;

// The tagging operations have errors of their own names.
ServiceError not_found(const std::string& arn) {
  return {404, "NotFoundException", fmt::format("No resource found for ARN: {}", arn), {}};
}
ServiceError bad_request(std::string message) {
  return {400, "BadRequestException", std::move(message), {}};
}
ServiceError in_tagging_words(ServiceError error, const std::string& arn) {
  if (error.code == "ResourceNotFoundException") return not_found(arn);
  if (error.code == "InvalidParameterException") return bad_request(std::move(error.message));
  return error;
}

// The name of the caller's cluster that the ARN names. Another account's or region's ARN is as good
// as one of nothing.
Outcome<std::string> cluster_of_arn(const Caller& caller, const std::string& arn) {
  if (!arn.starts_with("arn:")) {
    return refuse(bad_request(fmt::format("Invalid ARN: {}", arn)));
  }
  const std::size_t slash = arn.find(":cluster/");
  if (slash == std::string::npos) return refuse(not_found(arn));
  std::string name = arn.substr(slash + 9);
  if (name.empty() || arn != cluster_arn(caller, name)) return refuse(not_found(arn));
  return name;
}

void change_tags(ServicePtr service, Invocation invocation, PlanChange plan, Done done) {
  const std::string arn = invocation.label("resourceArn");
  auto name = cluster_of_arn(invocation.caller, arn);
  if (!name) return done(std::unexpected(name.error()));
  change_cluster(std::move(service), invocation.caller, std::move(*name), std::move(plan),
                 [arn, done = std::move(done)](Outcome<Value> before) mutable {
                   if (!before) return done(refuse(in_tagging_words(before.error(), arn)));
                   done(Value::object());
                 });
}

}  // namespace

void tag_resource(ServicePtr service, Invocation invocation, Done done) {
  const Value tags = invocation.body["tags"];
  if (!tags.is_object() || tags.empty()) {
    return done(refuse(bad_request("The tags parameter must hold at least one tag")));
  }
  PlanChange plan = [tags](const Value& object) -> Outcome<Value> {
    std::size_t kept = 0;
    for (const auto& [key, text] : object.at("spec", "tags").members()) {
      kept += tags.contains(key) ? 0 : 1;
    }
    if (auto bad = check_tags(tags, kept)) return refuse(std::move(*bad));
    return Value::object({{"tags", tags}});
  };
  change_tags(std::move(service), std::move(invocation), std::move(plan), std::move(done));
}

void untag_resource(ServicePtr service, Invocation invocation, Done done) {
  const auto keys = invocation.query.all("tagKeys");
  if (keys.empty() || keys.size() > 50) {
    return done(refuse(bad_request("The tagKeys parameter must hold 1 to 50 keys")));
  }
  PlanChange plan = [keys](const Value&) -> Outcome<Value> {
    Value gone = Value::object();
    for (const std::string& key : keys) gone.set(key, nullptr);
    return Value::object({{"tags", std::move(gone)}});
  };
  change_tags(std::move(service), std::move(invocation), std::move(plan), std::move(done));
}

void list_tags_for_resource(ServicePtr service, Invocation invocation, Done done) {
  const std::string arn = invocation.label("resourceArn");
  const auto name = cluster_of_arn(invocation.caller, arn);
  if (!name) return done(std::unexpected(name.error()));
  find_cluster(service, invocation.caller, *name,
               [arn, done = std::move(done)](Outcome<Value> object) mutable {
                 if (!object) return done(refuse(in_tagging_words(object.error(), arn)));
                 const Value& tags = object->at("spec", "tags");
                 done(Value::object({{"tags", tags.is_object() ? tags : Value::object()}}));
               });
}

}  // namespace keelway::aws::eks
