#include "aws/door.h"

#include <utility>

#include "aws/eks/operations.h"
#include "aws/identity/access_key.h"
#include "aws/identity/sts.h"
#include "aws/keys.h"
#include "aws/protocol/dialect.h"
#include "aws/protocol/verify.h"
#include "aws/reset.h"
#include "value/json.h"

namespace keelway::aws {
namespace {

using value::Value;

constexpr std::string_view health_path = "/_keelway/health";
constexpr std::string_view metrics_path = "/_keelway/metrics";
constexpr std::string_view reset_path = "/_keelway/reset";

bool is_about_keys(std::string_view path) {
  return path.starts_with(keys_path) &&
         (path.size() == keys_path.size() || path[keys_path.size()] == '/');
}

class DoorImpl final : public Door {
 public:
  DoorImpl(DoorParts parts, DoorOptions options)
      : executor_(parts.executor),
        log_(parts.log),
        options_(std::move(options)),
        keys_(lookup_in(parts.view)),
        service_(std::make_shared<const eks::Service>(
            eks::Service{parts.executor, parts.hub, parts.view, options_.cluster_endpoint})),
        keys_desk_{service_, options_.operator_account,
                   [&runtime = parts.runtime](std::size_t n) { return runtime.random_bytes(n); }} {}

  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    if (path_of(request) == health_path) return exchange->respond(health(request));
    const std::string id = base::make_uuid(executor_.random());
    const auto caller = verify_request(request, keys_, executor_.wall_now());
    if (!caller) {
      log_.info("request refused",
                {{"code", caller.error().error.code}, {"operation", wanted_operation(request)}});
      return exchange->respond(render_error(caller.error().dialect, caller.error().error, id));
    }
    if (path_of(request) == reset_path) {
      return reset(request, *caller, id, std::move(exchange));
    }
    if (path_of(request) == metrics_path) {
      return exchange->respond(metrics(request, *caller, id));
    }
    if (is_about_keys(path_of(request))) {
      return answer_keys(keys_desk_, request, *caller, id, std::move(exchange));
    }
    if (caller->service == "sts") return exchange->respond(answer_sts(request, *caller, id));
    if (caller->service == "eks") return run_eks(request, *caller, id, std::move(exchange));
    const Dialect dialect = dialect_of(caller->service);
    exchange->respond(render_error(
        dialect, unknown_operation(dialect, caller->service, wanted_operation(request)), id));
  }

 private:
  http::Response health(const http::Request& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
      return {405, {{"allow", "GET, HEAD"}}, ""};
    }
    const Value body = Value::object({{"status", "ok"},
                                      {"product", "keelway"},
                                      {"version", options_.version},
                                      {"endpoint", options_.endpoint_host}});
    return {200, {{"content-type", "application/json"}}, value::to_json(body)};
  }

  http::Response metrics(const http::Request& request, const Caller& caller,
                         const std::string& id) const {
    const auto refuse = [&](const ServiceError& error) {
      return render_error(Dialect::rest_json, error, id);
    };
    if (request.method != "GET" || caller.service != "eks") {
      return refuse(
          {405, "MethodNotAllowedException", "Metrics are a GET that is signed for eks.", {}});
    }
    if (!caller.root || caller.account_id != options_.operator_account) {
      return refuse({403,
                     "AccessDeniedException",
                     caller.arn + " is not authorized to read metrics: only root of account " +
                         options_.operator_account + " may",
                     {}});
    }
    return {200,
            {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
            options_.metrics ? options_.metrics->prometheus_text() : std::string()};
  }

  void reset(const http::Request& request, const Caller& caller, const std::string& id,
             std::shared_ptr<http::Exchange> exchange) {
    if (request.method != "POST" || caller.service != "eks") {
      return exchange->respond(render_error(
          Dialect::rest_json,
          {405, "MethodNotAllowedException", "Reset is a POST that is signed for eks.", {}}, id));
    }
    reset_account(service_, caller, options_.reset_timeout, std::move(exchange));
  }

  void run_eks(const http::Request& request, const Caller& caller, const std::string& id,
               std::shared_ptr<http::Exchange> exchange) {
    const auto refuse_with = [&](const ServiceError& error) {
      exchange->respond(render_error(Dialect::rest_json, error, id));
    };
    eks::Match match = eks::find_operation(request.method, path_of(request));
    if (match.row == nullptr) {
      return refuse_with(unknown_operation(Dialect::rest_json, "eks", wanted_operation(request)));
    }
    if (match.row->run == nullptr) {
      return refuse_with({400,
                          "InvalidRequestException",
                          unknown_operation(Dialect::rest_json, "eks", match.row->name).message,
                          {}});
    }
    eks::Invocation invocation{caller, std::move(match.labels), Query::of_request(request),
                               Value::object()};
    if (!request.body.empty()) {
      auto body = value::parse_json(request.body);
      if (!body || !body->is_object()) {
        return refuse_with({400, "SerializationException", "The body is not a JSON object.", {}});
      }
      invocation.body = std::move(*body);
    }
    match.row->run(
        service_, std::move(invocation), [id, exchange = std::move(exchange)](eks::Answer answer) {
          exchange->respond(answer ? render_json(*answer, id)
                                   : render_error(Dialect::rest_json, answer.error(), id));
        });
  }

  runtime::Executor& executor_;
  const telemetry::Log log_;
  const DoorOptions options_;
  const KeyLookup keys_;
  const eks::ServicePtr service_;
  const KeyDesk keys_desk_;
};

}  // namespace

std::unique_ptr<Door> make_door(DoorParts parts, DoorOptions options) {
  return std::make_unique<DoorImpl>(parts, std::move(options));
}

}  // namespace keelway::aws
