#include "apiserver/verbs/patch_document.h"

#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/managed_fields.h"
#include "schema/strategic_merge.h"
#include "value/json_patch.h"
#include "value/merge_patch.h"

namespace keelway::apiserver {
namespace {

constexpr std::string_view kBuiltInTypes =
    "application/json-patch+json, application/merge-patch+json, "
    "application/strategic-merge-patch+json, application/apply-patch+yaml";
constexpr std::string_view kCustomTypes =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

// An operation that does not fit is answered upstream without its reason or the object's name.
schema::Status json_patch_status(const base::Error& error) {
  if (error.code == base::ErrorCode::conflict) {
    schema::Status status;
    status.code = 422;
    status.reason = "Invalid";
    status.message = "the server rejected our request due to an error in our request";
    return status;
  }
  if (error.code == base::ErrorCode::exhausted) return schema::request_too_large(error.message);
  return schema::bad_request(error.message);
}

}  // namespace

Answer<PatchType> read_patch_type(const Operation& op, const schema::Kind& kind) {
  const std::string type = media_type(op.content_type);
  if (type == "application/json-patch+json") return PatchType::json;
  if (type == "application/merge-patch+json") return PatchType::merge;
  if (type == "application/strategic-merge-patch+json" && !kind.custom) {
    return PatchType::strategic;
  }
  if (type == "application/apply-patch+yaml") return PatchType::apply;
  return std::unexpected(
      schema::unsupported_media_type(kind.custom ? kCustomTypes : kBuiltInTypes));
}

Answer<Value> patched_document(const schema::Kind& kind, PatchType type, const Value& current,
                               const Value& patch) {
  if (type == PatchType::strategic) return schema::strategic_merge(kind, current, patch);
  if (type == PatchType::merge) {
    if (!patch.is_object()) {
      return std::unexpected(schema::bad_request("a merge patch must be an object"));
    }
    return value::apply_merge_patch(current, patch);
  }
  auto patched = value::apply_json_patch(current, patch);
  if (!patched) return std::unexpected(json_patch_status(patched.error()));
  return std::move(*patched);
}

namespace {

// An apply: the body is the applied configuration.
void apply_configuration(Core& core, OperationPtr op, Value config, OutcomeCallback done) {
  if (op->query.get("fieldManager").empty()) {
    schema::Status status = schema::invalid("meta.k8s.io", "PatchOptions", "", {});
    status.message =
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
        "apply patch";
    status.causes.push_back(
        {"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"});
    return done(std::unexpected(std::move(status)));
  }
  auto decoded = schema::decode_value(*op->kind, std::move(config), op->validation(), op->warnings);
  if (!decoded) return done(std::unexpected(std::move(decoded.error())));
  if (auto ok = settle_names(*op, *decoded); !ok) {
    return done(std::unexpected(std::move(ok.error())));
  }
  auto m = std::make_shared<Modification>();
  m->tracked = true;
  m->subresource = op->info.subresource;
  const auto merged = [&core, op, config = std::move(*decoded)](const Value* live) {
    const schema::ManagerContext context{op->field_manager(), op->info.subresource, core.now()};
    return schema::apply(*op->kind, live, config, context, op->query.flag("force"));
  };
  m->transform = [merged](const ObjectPtr&, const Value& old) -> Answer<Value> {
    return merged(&old);
  };
  if (op->info.subresource.empty()) {
    m->missing = [merged]() -> Answer<Value> { return merged(nullptr); };
  }
  m->op = std::move(op);
  m->done = std::move(done);
  modify(core, std::move(m));
}

}  // namespace

void patch(Core& core, OperationPtr op, OutcomeCallback done) {
  const auto type = read_patch_type(*op, *op->kind);
  if (!type) return done(std::unexpected(type.error()));
  auto body = read_plain_body(*op);
  if (!body) return done(std::unexpected(std::move(body.error())));
  if (*type == PatchType::apply) {
    return apply_configuration(core, std::move(op), std::move(*body), std::move(done));
  }
  if (op->query.has("force")) {
    return done(std::unexpected(schema::invalid("meta.k8s.io", "PatchOptions", "",
                                                {{schema::FieldError::Type::forbidden,
                                                  "force",
                                                  {},
                                                  "may not be specified for non-apply patch",
                                                  {}}})));
  }
  auto m = std::make_shared<Modification>();
  m->subresource = op->info.subresource;
  m->transform = [op, type = *type, body = std::move(*body)](const ObjectPtr&,
                                                             const Value& old) -> Answer<Value> {
    auto patched = patched_document(*op->kind, type, old, body);
    if (!patched) return patched;
    std::vector<std::string> warnings;
    auto decoded =
        schema::decode_value(*op->kind, std::move(*patched), op->validation(), warnings, &old);
    if (!decoded) return decoded;
    op->warnings = std::move(warnings);
    if (auto ok = settle_names(*op, *decoded); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
    return decoded;
  };
  m->op = std::move(op);
  m->done = std::move(done);
  modify(core, std::move(m));
}

}  // namespace keelway::apiserver
