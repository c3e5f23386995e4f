// get and list.
#include "apiserver/selection.h"
#include "apiserver/unreadable.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/verbs.h"
#include "base/encoding.h"
#include "value/json.h"

namespace keelway::apiserver {
namespace {

constexpr auto kRevisionWait = std::chrono::seconds(3);
constexpr auto kFreshWait = std::chrono::seconds(30);

constexpr std::string_view kExpiredContinue =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";

// Where a list goes on. revision -1: at whatever is current.
struct Continuation {
  Revision revision = 0;
  std::string start_after;  // relative to the collection's prefix
  std::int64_t left = -1;   // objects after it; -1: unknown (a selector)
};

std::string write_token(const Continuation& at) {
  return base::base64url_encode(value::to_json(Value::object({{"v", "meta.k8s.io/v1"},
                                                              {"rv", at.revision},
                                                              {"start", at.start_after},
                                                              {"left", at.left}})));
}

Answer<Continuation> read_token(const std::string& text) {
  const auto bad = [] { return std::unexpected(schema::bad_request("continue key is not valid")); };
  const auto bytes = base::base64url_decode(text);
  if (!bytes) return bad();
  auto parsed = value::parse_json(*bytes);
  if (!parsed || (*parsed)["start"].as_string().empty()) return bad();
  return Continuation{(*parsed)["rv"].as_int(), (*parsed)["start"].as_string(),
                      (*parsed)["left"].as_int(-1)};
}

// What one list reads, decided from its options.
struct Plan {
  ListOptions options;
  Selection selection;
  std::string prefix;
  Revision revision = 0;  // 0: now
  std::optional<Continuation> continuation;
};

schema::Status scan_status(const Plan& plan, const base::Error& error) {
  if (error.code != base::ErrorCode::expired) return status_of(error);
  if (!plan.continuation) {
    return schema::expired("The resourceVersion for the provided list is too old.");
  }
  schema::Status status = schema::expired(std::string(kExpiredContinue));
  Continuation resumed = *plan.continuation;
  resumed.revision = -1;
  resumed.left = -1;
  status.continue_token = write_token(resumed);
  return status;
}

Answer<Outcome> run(Core& core, const Plan& plan) {
  ListAnswer answer;
  watch::Scan scan{plan.prefix, "", plan.revision};
  if (plan.continuation) scan.start_after = plan.prefix + plan.continuation->start_after;
  const std::size_t limit = plan.options.limit;
  std::string last;
  bool more = false;
  const bool all = plan.selection.everything();
  auto scanned = core.cache.scan(scan, [&](std::string_view key, const ObjectPtr& object) {
    if (limit > 0 && answer.objects.size() == limit) {
      // With a selector the next page may turn out empty; upstream does the same.
      more = true;
      return false;
    }
    if (!all && !plan.selection.matches(*object)) return true;
    answer.objects.push_back(object);
    if (limit > 0) last = key;
    return true;
  });
  if (!scanned) return std::unexpected(scan_status(plan, scanned.error()));
  answer.revision = plan.revision > 0 ? plan.revision : core.cache.revision();
  if (more) {
    Continuation next{answer.revision, last.substr(plan.prefix.size()), -1};
    const std::int64_t before = plan.continuation ? plan.continuation->left
                                : plan.revision == 0
                                    ? static_cast<std::int64_t>(core.cache.count(plan.prefix))
                                    : -1;
    if (all && before >= 0) {
      next.left = before - static_cast<std::int64_t>(answer.objects.size());
      answer.remaining = next.left;
    }
    answer.continue_token = write_token(next);
  }
  Outcome out;
  out.revision = answer.revision;
  out.content = std::move(answer);
  return out;
}

Answer<Plan> make_plan(const Operation& op) {
  auto options = read_list_options(op, false);
  if (!options) return std::unexpected(std::move(options.error()));
  auto selection = Selection::read(op);
  if (!selection) return std::unexpected(std::move(selection.error()));
  Plan plan;
  plan.options = std::move(*options);
  plan.selection = std::move(*selection);
  plan.prefix = collection_prefix(*op.kind, op.info.name_space);
  if (plan.options.continue_token.empty()) {
    const Revision wanted = parse_revision(plan.options.resource_version).value_or(0);
    const bool exact =
        plan.options.match == "Exact" || (plan.options.match.empty() && plan.options.limit > 0);
    if (exact) plan.revision = wanted;
    // Informers ask for "any state": upstream answers that from its cache, whole.
    if (plan.options.resource_version == "0") plan.options.limit = 0;
    return plan;
  }
  if (!plan.options.resource_version.empty() && plan.options.resource_version != "0") {
    return std::unexpected(
        schema::bad_request("specifying resource version is not allowed when using continue"));
  }
  auto token = read_token(plan.options.continue_token);
  if (!token) return std::unexpected(std::move(token.error()));
  plan.revision = token->revision > 0 ? token->revision : 0;
  plan.continuation = std::move(*token);
  return plan;
}

// Whether the cache may answer at once, whatever it holds.
bool is_fresh(const Core& core, std::string_view resource_version) {
  return resource_version == "0" || (resource_version.empty() && !core.config.shared_store);
}

Answer<Outcome> find(Core& core, const Operation& op) {
  ObjectPtr object = readable(core, op);
  if (object) return outcome(std::move(object));
  return std::unexpected(absent_status(core, op));
}

}  // namespace

void when_fresh(Core& core, std::string_view resource_version,
                std::move_only_function<void(Answer<void>)> ready) {
  if (is_fresh(core, resource_version)) return ready({});
  if (resource_version.empty()) {
    core.cache.wait_fresh(kFreshWait, [ready = std::move(ready)](base::Result<Revision> r) mutable {
      if (r)
        ready({});
      else
        ready(std::unexpected(status_of(r.error())));
    });
    return;
  }
  const auto wanted = parse_revision(resource_version);
  if (!wanted) return ready(std::unexpected(wanted.error()));
  if (*wanted <= core.cache.revision()) return ready({});
  if (core.config.shared_store) {
    // Another server may have told a revision that is nobody's write; asking for the head makes
    // the watch show it.
    return core.cache.wait_fresh(kRevisionWait, [&core, wanted = *wanted, ready = std::move(ready)](
                                                    base::Result<Revision>) mutable {
      if (wanted <= core.cache.revision()) return ready({});
      ready(std::unexpected(too_large_status(wanted, core.cache.revision())));
    });
  }
  core.cache.wait_for(*wanted, kRevisionWait,
                      [&core, wanted = *wanted, ready = std::move(ready)](bool reached) mutable {
                        if (reached) return ready({});
                        ready(std::unexpected(too_large_status(wanted, core.cache.revision())));
                      });
}

void get(Core& core, OperationPtr op, OutcomeCallback done) {
  const std::string version(op->query.get("resourceVersion"));
  if (is_fresh(core, version)) return done(find(core, *op));
  when_fresh(core, version,
             [&core, op = std::move(op), done = std::move(done)](Answer<void> ok) mutable {
               if (!ok) return done(std::unexpected(std::move(ok.error())));
               done(find(core, *op));
             });
}

void list(Core& core, OperationPtr op, OutcomeCallback done) {
  auto plan = make_plan(*op);
  if (!plan) return done(std::unexpected(std::move(plan.error())));
  // A continued list stands on its token's revision: served before, perhaps by another server.
  const std::string version =
      plan->continuation ? std::to_string(plan->revision) : plan->options.resource_version;
  when_fresh(core, version,
             [&core, op, plan = std::move(*plan), done = std::move(done)](Answer<void> ok) mutable {
               if (!ok) return done(std::unexpected(std::move(ok.error())));
               done(run(core, plan));
             });
}

}  // namespace keelway::apiserver
