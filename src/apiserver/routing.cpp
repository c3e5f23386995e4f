#include "apiserver/routing.h"

#include <fmt/core.h>

#include <algorithm>

#include "apiserver/strategy/subresources.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

constexpr std::size_t kManagerBytesMax = 128;

schema::Status nothing_here() {
  schema::Status status;
  status.code = 404;
  status.reason = "NotFound";
  status.message = "the server could not find the requested resource";
  return status;
}

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool scope_fits(const schema::Kind& kind, const RequestInfo& info) {
  if (kind.namespaced)
    return !info.name_space.empty() || info.name.empty() || info.verb == "list" ||
           info.verb == "watch";
  // A namespace is its own namespace part.
  const bool is_namespace = kind.group.empty() && kind.resource == "namespaces";
  return info.name_space.empty() || is_namespace;
}

Answer<void> check_main(const schema::Kind& kind, const RequestInfo& info) {
  const bool misses_namespace = kind.namespaced && info.name_space.empty() &&
                                (info.verb == "create" || info.verb == "deletecollection");
  const bool misplaced = (info.verb == "create" && !info.name.empty()) ||
                         ((info.verb == "update" || info.verb == "patch") && info.name.empty());
  if (!contains(kind.verbs, info.verb) || misses_namespace || misplaced) {
    return std::unexpected(schema::method_not_supported(kind.group, kind.resource, info.verb));
  }
  return {};
}

}  // namespace

access::Attributes attributes_of(const RequestInfo& info, const Query& query) {
  access::Attributes what;
  what.verb = info.verb;
  what.resource_request = info.resource_request;
  if (!info.resource_request) {
    what.path = info.path;
    return what;
  }
  what.name_space = info.name_space;
  what.group = info.group;
  what.version = info.version;
  what.resource = info.resource;
  what.subresource = info.subresource;
  what.name = info.name;
  what.field_selector = query.get("fieldSelector");
  what.label_selector = query.get("labelSelector");
  return what;
}

access::Attributes attributes_of(const Operation& op) {
  return attributes_of(op.info, op.query);
}

Answer<void> route(Core& core, Operation& op) {
  const RequestInfo& info = op.info;
  op.kinds = core.kinds();
  op.kind = op.kinds->by_resource(info.group, info.version, info.resource);
  if (op.kind == nullptr || info.too_deep || !scope_fits(*op.kind, info)) {
    return std::unexpected(nothing_here());
  }
  if (op.kind->deprecated) {
    std::string text(op.kind->deprecation_warning);
    if (text.empty()) {
      text = fmt::format("{} {} is deprecated", op.kind->api_version(), op.kind->kind);
    }
    op.warnings.push_back(std::move(text));
  }
  if (info.verb.empty()) {
    return std::unexpected(schema::method_not_supported(info.group, info.resource, "request"));
  }
  if (info.subresource.empty()) return check_main(*op.kind, info);
  if (!contains(op.kind->subresources, info.subresource)) return std::unexpected(nothing_here());
  if (!offers_subresource(*op.kind, info.subresource, info.verb)) {
    return std::unexpected(schema::method_not_supported(info.group, info.resource, info.verb));
  }
  return {};
}

Answer<void> check_query(const Operation& op) {
  schema::FieldErrors errors;
  for (const std::string_view text : op.query.all("dryRun")) {
    if (text != "All") errors.push_back(schema::not_supported("dryRun", text, {"All"}));
  }
  const std::string_view validation = op.query.get("fieldValidation");
  if (!validation.empty() && validation != "Strict" && validation != "Warn" &&
      validation != "Ignore") {
    errors.push_back(
        schema::not_supported("fieldValidation", validation, {"Ignore", "Strict", "Warn"}));
  }
  if (op.query.get("fieldManager").size() > kManagerBytesMax) {
    errors.push_back(schema::too_long("fieldManager", kManagerBytesMax));
  }
  if (errors.empty()) return {};
  const std::string_view kind = op.info.verb == "create"   ? "CreateOptions"
                                : op.info.verb == "update" ? "UpdateOptions"
                                : op.info.verb == "patch"  ? "PatchOptions"
                                                           : "DeleteOptions";
  return std::unexpected(schema::invalid("meta.k8s.io", kind, "", errors));
}

namespace {

constexpr auto kFreshWait = std::chrono::seconds(10);

bool writes(const Operation& op) {
  const std::string& verb = op.info.verb;
  return verb != "get" && verb != "list";
}

// Refusals that another server's write, not yet seen here, may have made wrong.
bool depends_on_state(const schema::Status& status) {
  return status.code == 403 || status.code == 404 || status.code == 409 || status.code == 422 ||
         status.code == 429;  // a disruption budget's
}

void dispatch(Core& core, OperationPtr op, OutcomeCallback done) {
  const std::string& verb = op->info.verb;
  if (const SubresourceVerb special = special_verb(*op->kind, op->info.subresource, verb)) {
    return special(core, std::move(op), std::move(done));
  }
  if (verb == "get") return get(core, std::move(op), std::move(done));
  if (verb == "list") return list(core, std::move(op), std::move(done));
  if (verb == "create") return create(core, std::move(op), std::move(done));
  if (verb == "update") return update(core, std::move(op), std::move(done));
  if (verb == "patch") return patch(core, std::move(op), std::move(done));
  if (verb == "delete") return remove(core, std::move(op), std::move(done));
  if (verb == "deletecollection") return remove_collection(core, std::move(op), std::move(done));
  done(std::unexpected(
      schema::method_not_supported(op->info.group, op->info.resource, op->info.verb)));
}

// Writes are decided from the cache and proved by their transaction, so a write that stands is
// right. A refusal has no transaction: where other servers write, too, one that the cache of a
// moment ago gave is given only if nothing has happened since; else the write is decided anew.
void dispatch_shared(Core& core, OperationPtr op, OutcomeCallback done) {
  auto saved = std::make_shared<Operation>(*op);
  const Revision seen = core.cache.revision();
  auto judge = [&core, op, saved, seen, done = std::move(done)](Answer<Outcome> answer) mutable {
    if (answer || !depends_on_state(answer.error())) return done(std::move(answer));
    core.cache.wait_fresh(
        kFreshWait, [&core, op, saved, seen, done = std::move(done),
                     answer = std::move(answer)](base::Result<Revision> head) mutable {
          // A server that is cut off from its store knows nothing for sure.
          if (!head) {
            return done(std::unexpected(schema::service_unavailable(head.error().message)));
          }
          if (core.cache.revision() == seen) return done(std::move(answer));
          core.executor.reached("apiserver.refusal_judged_anew");
          *op = *saved;
          dispatch(core, op, std::move(done));
        });
  };
  dispatch(core, std::move(op), std::move(judge));
}

}  // namespace

void run_operation(Core& core, OperationPtr op, OutcomeCallback done) {
  if (auto ok = check_query(*op); !ok) return done(std::unexpected(std::move(ok.error())));
  if (core.config.shared_store && writes(*op)) {
    return dispatch_shared(core, std::move(op), std::move(done));
  }
  dispatch(core, std::move(op), std::move(done));
}

}  // namespace keelway::apiserver
