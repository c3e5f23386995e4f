#include "apiserver/verbs/shape.h"

#include <fmt/core.h>

#include "kinds/events.h"
#include "schema/decode.h"
#include "value/json.h"

namespace keelway::apiserver {
namespace {

bool counts_in_generation(const schema::Kind& kind, const std::string& member) {
  if (member == "metadata" || member == "apiVersion" || member == "kind") return false;
  return member != "status" || (kind.custom && !kind.has_status);
}

// Whether two objects have equal members, but for those that `counts` does not count.
template <class Counts, class Equal>
bool equal_members(const Value& a, const Value& b, Counts counts, Equal equal) {
  auto left = a.members().begin(), right = b.members().begin();
  const auto left_end = a.members().end(), right_end = b.members().end();
  while (true) {
    while (left != left_end && !counts(left->first)) ++left;
    while (right != right_end && !counts(right->first)) ++right;
    if (left == left_end || right == right_end) return left == left_end && right == right_end;
    if (left->first != right->first || !equal(left->first, left->second, right->second)) {
      return false;
    }
    ++left, ++right;
  }
}

bool same_but_revision(const Value& metadata, const Value& other) {
  return equal_members(
      metadata, other, [](const std::string& key) { return key != "resourceVersion"; },
      [](const std::string&, const Value& a, const Value& b) { return a == b; });
}

void keep_member(Value& object, const Value& old, std::string_view member) {
  const Value* before = old.find(member);
  if (before == nullptr) {
    object.erase(member);
  } else if (const Value* now = object.find(member); now == nullptr || !(*now == *before)) {
    object.set(member, *before);
  }
}

std::string_view bodies_accepted(const schema::Kind& kind) {
  return kind.proto_message.empty()
             ? "application/json, application/yaml"
             : "application/json, application/yaml, application/vnd.kubernetes.protobuf";
}

Answer<schema::BodyFormat> body_format(const Operation& op, const schema::Kind& kind) {
  const auto encoding = body_encoding(op.content_type);
  if (!encoding || (*encoding == Encoding::protobuf && kind.proto_message.empty())) {
    return std::unexpected(schema::unsupported_media_type(bodies_accepted(kind)));
  }
  if (*encoding == Encoding::yaml) return schema::BodyFormat::yaml;
  return *encoding == Encoding::protobuf ? schema::BodyFormat::protobuf : schema::BodyFormat::json;
}

}  // namespace

bool served_as_stored(const schema::Kind& kind) {
  if (kind.storage_version.empty()) return true;
  return kind.storage_group == kind.group && kind.storage_version == kind.version;
}

Value to_served(const schema::Kind& kind, Value stored) {
  if (served_as_stored(kind)) return stored;
  if (kind.kind == "Event" && kind.group == "events.k8s.io")
    stored = kinds::to_regarding_event(stored);
  stored.set("apiVersion", kind.api_version());
  return stored;
}

Value to_stored(const schema::Kind& kind, Value served) {
  if (served_as_stored(kind)) return served;
  if (kind.kind == "Event" && kind.group == "events.k8s.io") served = kinds::to_core_event(served);
  const std::string version(kind.storage_version);
  served.set("apiVersion", kind.storage_group.empty()
                               ? version
                               : std::string(kind.storage_group) + "/" + version);
  return served;
}

Answer<Value> read_object(Operation& op, const schema::Kind& kind) {
  if (op.document) {
    return schema::decode_value(kind, *op.document, op.validation(), op.warnings);
  }
  auto format = body_format(op, kind);
  if (!format) return std::unexpected(std::move(format.error()));
  auto decoded = schema::decode(kind, *op.kinds, op.body, *format, op.validation());
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  op.warnings.insert(op.warnings.end(), decoded->warnings.begin(), decoded->warnings.end());
  return std::move(decoded->object);
}

Answer<Value> read_plain_body(Operation& op) {
  if (op.document) return *op.document;
  const auto encoding = body_encoding(op.content_type);
  const bool yaml = encoding == Encoding::yaml || op.content_type.find("yaml") != std::string::npos;
  return schema::parse_body(op.body, yaml ? schema::BodyFormat::yaml : schema::BodyFormat::json);
}

Answer<Value> read_delete_options(Operation& op) {
  Value options = Value::object();
  if (op.document) {
    if (op.document->is_object()) options = *op.document;
  } else if (!op.body.empty()) {
    const schema::Kind* kind = op.kinds->by_kind("", "v1", "DeleteOptions");
    if (kind != nullptr && media_type(op.content_type) == "application/vnd.kubernetes.protobuf") {
      auto decoded = read_object(op, *kind);
      if (!decoded) return decoded;
      options = std::move(*decoded);
    } else {
      auto parsed = read_plain_body(op);
      if (!parsed) return parsed;
      if (parsed->is_object()) options = std::move(*parsed);
    }
  }
  // The query speaks where the body does not.
  if (op.query.has("gracePeriodSeconds") && !options.contains("gracePeriodSeconds")) {
    auto number = value::parse_json(op.query.get("gracePeriodSeconds"));
    if (!number || !number->is_int()) {
      return std::unexpected(schema::bad_request("gracePeriodSeconds must be an integer"));
    }
    options.set("gracePeriodSeconds", *number);
  }
  if (op.query.has("propagationPolicy") && !options.contains("propagationPolicy")) {
    options.set("propagationPolicy", op.query.get("propagationPolicy"));
  }
  if (op.query.has("orphanDependents") && !options.contains("orphanDependents")) {
    options.set("orphanDependents", op.query.flag("orphanDependents"));
  }
  constexpr const char* ignore = "ignoreStoreReadErrorWithClusterBreakingPotential";
  if (op.query.has(ignore) && !options.contains(ignore)) {
    options.set(ignore, op.query.flag(ignore));
  }
  if (!options["dryRun"].empty() && !op.query.has("dryRun")) op.query.set("dryRun", "All");
  return options;
}

Answer<void> settle_names(const Operation& op, Value& object) {
  const RequestInfo& url = op.info;
  const Value& metadata = object["metadata"];
  if (op.kind->namespaced) {
    const std::string& given = metadata["namespace"].as_string();
    if (!given.empty() && given != url.name_space) {
      return std::unexpected(schema::bad_request(
          "the namespace of the provided object does not match the namespace sent on the request"));
    }
    object.mutate("metadata").set("namespace", url.name_space);
  } else if (!metadata["namespace"].as_string().empty()) {
    return std::unexpected(
        schema::bad_request("namespace should not be set on cluster-scoped objects"));
  } else {
    object.mutate("metadata").erase("namespace");
  }
  if (url.name.empty() || url.verb == "create") return {};
  const std::string name = object["metadata"]["name"].as_string();
  if (name.empty()) {
    object.mutate("metadata").set("name", url.name);
  } else if (name != url.name) {
    return std::unexpected(schema::bad_request(fmt::format(
        "the name of the object ({}) does not match the name on the URL ({})", name, url.name)));
  }
  return {};
}

void start_life(const schema::Kind& kind, Value& object, base::Random& random, base::WallTime now) {
  Value& metadata = object.mutate("metadata");
  for (const char* field : {"resourceVersion", "selfLink", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "generation"}) {
    metadata.erase(field);
  }
  metadata.set("uid", base::make_uuid(random));
  metadata.set("creationTimestamp", base::format_rfc3339(now));
  if (kind.has_generation) metadata.set("generation", 1);
  const bool keeps_status = kind.kind == "Node" && kind.group.empty();
  if (kind.has_status && !keeps_status) object.erase("status");
}

void carry_metadata(Value& object, const Value& old) {
  const Value& before = old["metadata"];
  Value& metadata = object.mutate("metadata");
  for (const char* field : {"uid", "name", "namespace", "creationTimestamp", "generation",
                            "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}) {
    keep_member(metadata, before, field);
  }
  metadata.erase("selfLink");
  metadata.erase("resourceVersion");
}

Value isolate(const schema::Kind& kind, std::string_view subresource, Value object,
              const Value& old) {
  if (subresource == "status") {
    Value next = old;
    keep_member(next, object, "status");
    const bool metadata_too =
        kind.group.empty() && (kind.resource == "pods" || kind.resource == "nodes");
    Value& metadata = next.mutate("metadata");
    if (metadata_too) {
      keep_member(metadata, object["metadata"], "labels");
      keep_member(metadata, object["metadata"], "annotations");
    }
    keep_member(metadata, object["metadata"], "managedFields");
    metadata.erase("resourceVersion");
    return next;
  }
  if (subresource == "ephemeralcontainers" || subresource == "resize") {
    Value next = old;
    Value& spec = next.mutate("spec");
    if (subresource == "resize") {
      keep_member(spec, object["spec"], "containers");
      keep_member(spec, object["spec"], "initContainers");
    } else {
      keep_member(spec, object["spec"], "ephemeralContainers");
    }
    next.mutate("metadata").erase("resourceVersion");
    return next;
  }
  if (kind.has_status && subresource.empty()) keep_member(object, old, "status");
  return object;
}

void count_generation(const schema::Kind& kind, Value& object, const Value& old) {
  if (!kind.has_generation) return;
  std::int64_t generation = old.at("metadata", "generation").as_int(0);
  if (generation == 0) generation = 1;
  const bool same = equal_members(
      object, old, [&kind](const std::string& key) { return counts_in_generation(kind, key); },
      [](const std::string&, const Value& a, const Value& b) { return a == b; });
  if (!same) ++generation;
  object.mutate("metadata").set("generation", generation);
}

bool same_object(const Value& a, const Value& b) {
  return equal_members(
      a, b, [](const std::string&) { return true; },
      [](const std::string& key, const Value& left, const Value& right) {
        return key == "metadata" ? same_but_revision(left, right) : left == right;
      });
}

std::string stored_bytes(Value object) {
  if (object["metadata"].contains("resourceVersion")) {
    object.mutate("metadata").erase("resourceVersion");
  }
  return value::to_json(object);
}

Answer<void> check_preconditions(const schema::Kind& kind, const Value& preconditions,
                                 const schema::Object& object) {
  const std::string& uid = preconditions["uid"].as_string();
  if (!uid.empty() && uid != object.uid()) {
    return std::unexpected(schema::conflict(
        kind.group, kind.resource, object.name(),
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                    object.uid())));
  }
  const std::string& wanted = preconditions["resourceVersion"].as_string();
  if (!wanted.empty() && wanted != std::to_string(object.revision())) {
    return std::unexpected(schema::conflict(
        kind.group, kind.resource, object.name(),
        fmt::format("Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in "
                    "object meta: {}",
                    wanted, object.revision())));
  }
  return {};
}

std::string manager_of_agent(std::string_view user_agent) {
  std::string manager(user_agent.substr(0, user_agent.find('/')));
  std::string printable;
  for (const char c : manager) {
    if (c >= 0x20 && c < 0x7f) printable += c;
  }
  if (printable.size() > 128) printable.resize(128);
  return printable.empty() ? "unknown" : printable;
}

}  // namespace keelway::apiserver
