// /healthz, /livez, /readyz and their single checks.
#include <algorithm>

#include "apiserver/discovery/discovery.h"

namespace keelway::apiserver {
namespace {

struct Check {
  std::string_view name;
  bool live;  // also of /livez and /healthz
  bool (*holds)(const Core&);
};

constexpr Check kChecks[] = {
    {"ping", true, [](const Core&) { return true; }},
    {"log", true, [](const Core&) { return true; }},
    {"etcd", true, [](const Core&) { return true; }},
    {"informer-sync", false, [](const Core& core) { return core.cache.ready(); }},
    {"poststarthook/bootstrap", false, [](const Core& core) { return core.ready; }},
    {"shutdown", false, [](const Core& core) { return !core.leaving; }},
};

}  // namespace

bool answer_health(Core& core, const HttpCallPtr& call) {
  std::string_view path = call->op->info.path;
  bool ready_checks = false;
  if (path.starts_with("/readyz")) {
    ready_checks = true;
    path.remove_prefix(7);
  } else if (path.starts_with("/healthz")) {
    path.remove_prefix(8);
  } else if (path.starts_with("/livez")) {
    path.remove_prefix(6);
  } else {
    return false;
  }
  if (!path.empty() && path.front() != '/') return false;
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const auto excluded = call->op->query.all("exclude");
  std::string lines;
  bool good = true, found = false;
  for (const Check& check : kChecks) {
    if (!check.live && !ready_checks) continue;
    if (!path.empty() && path != check.name) continue;
    found = true;
    if (std::find(excluded.begin(), excluded.end(), check.name) != excluded.end()) {
      lines += "[+]" + std::string(check.name) + " excluded: ok\n";
      continue;
    }
    const bool holds = check.holds(core);
    good = good && holds;
    lines += holds ? "[+]" + std::string(check.name) + " ok\n"
                   : "[-]" + std::string(check.name) + " failed: reason withheld\n";
  }
  if (!found) return false;
  const std::string name = ready_checks ? "readyz" : "healthz";
  std::string body = "ok";
  if (!good)
    body = lines + name + " check failed\n";
  else if (call->op->query.has("verbose") && path.empty())
    body = lines + name + " check passed\n";
  reply_raw(core, call,
            text_response(good ? 200 : 500, std::move(body), "text/plain; charset=utf-8"));
  return true;
}

}  // namespace keelway::apiserver
