// pods/log, and what would be a stream into a container.
#include <charconv>

#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {
namespace {

std::int64_t number(std::string_view text) {
  std::int64_t n = -1;
  if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc()) return -1;
  return n;
}

LogRequest log_request(const Operation& op, const Value& pod) {
  LogRequest request;
  request.name_space = op.info.name_space;
  request.pod = op.info.name;
  request.node = pod.at("spec", "nodeName").as_string();
  request.container = op.query.get("container");
  if (request.container.empty()) {
    request.container = pod.at("spec", "containers")[0]["name"].as_string();
  }
  request.follow = op.query.flag("follow");
  request.previous = op.query.flag("previous");
  request.timestamps = op.query.flag("timestamps");
  if (op.query.has("tailLines")) request.tail_lines = number(op.query.get("tailLines"));
  if (op.query.has("limitBytes")) request.limit_bytes = number(op.query.get("limitBytes"));
  if (op.query.has("sinceSeconds")) request.since_seconds = number(op.query.get("sinceSeconds"));
  return request;
}

bool has_container(const Value& pod, const std::string& name) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : pod["spec"][list].items()) {
      if (container["name"].as_string() == name) return true;
    }
  }
  return false;
}

}  // namespace

void read_log(Core& core, OperationPtr op, OutcomeCallback done) {
  const ObjectPtr pod = core.cache.get(object_key(*op->kind, op->info.name_space, op->info.name));
  if (!pod) return done(std::unexpected(schema::not_found("", "pods", op->info.name)));
  LogRequest request = log_request(*op, pod->value());
  if (!has_container(pod->value(), request.container)) {
    return done(std::unexpected(schema::bad_request("container " + request.container +
                                                    " is not valid for pod " + request.pod)));
  }
  if (!core.config.logs) {
    Outcome answer;
    answer.content =
        TextAnswer{"This node is hollow: it plays the pod's life and keeps no logs.\n"};
    return done(std::move(answer));
  }
  core.config.logs(std::move(request), [done = std::move(done)](Answer<std::string> text) mutable {
    if (!text) return done(std::unexpected(std::move(text.error())));
    Outcome answer;
    answer.content = TextAnswer{std::move(*text)};
    done(std::move(answer));
  });
}

void refuse_streaming(Core& core, OperationPtr op, OutcomeCallback done) {
  if (!core.cache.get(object_key(*op->kind, op->info.name_space, op->info.name))) {
    return done(std::unexpected(schema::not_found("", "pods", op->info.name)));
  }
  done(std::unexpected(schema::bad_request(op->info.subresource +
                                           " is not offered: the pod's node runs no containers")));
}

}  // namespace keelway::apiserver
