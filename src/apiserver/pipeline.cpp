#include "apiserver/pipeline.h"

#include <algorithm>
#include <array>
#include <utility>

#include "access/impersonation.h"
#include "apiserver/discovery/discovery.h"
#include "apiserver/encode.h"
#include "apiserver/gzip.h"
#include "apiserver/list_stream.h"
#include "apiserver/metrics.h"
#include "apiserver/routing.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/watch_stream.h"
#include "base/encoding.h"
#include "value/json.h"
#include "value/utf8.h"

namespace keelway::apiserver {
namespace {

constexpr std::size_t kBodyBytesMax = 3u << 20;
constexpr int retry_after_seconds = 1;
constexpr std::string_view busy =
    "the server has received too many requests and has asked us to try again later";

enum class Step {
  next,  // the following stage goes on
  done,  // answered, or somebody else will
};

Step refuse(Core& core, const HttpCallPtr& call, const schema::Status& status) {
  reply_status(core, call, status);
  return Step::done;
}

// What JSON cannot hold stays outside: it would be answered, or kept as somebody's name. A query
// that does not decode is no query without what it says.
bool is_text(const http::Request& request) {
  if (request.target.find('%') == std::string::npos) {
    if (!value::is_utf8(request.target)) return false;
  } else {
    const auto target = base::percent_decode(request.target);
    if (!target || !value::is_utf8(*target)) return false;
  }
  if (!value::is_utf8(request.method)) return false;
  return std::all_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return header.first == "user-agent" || value::is_utf8(header.second);
  });
}

// Path, query, verb, agent.
Step read(Core& core, const HttpCallPtr& call) {
  const std::string_view target = call->request.target;
  const std::size_t mark = target.find('?');
  Operation& op = *call->op;
  op.query = Query::parse(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  auto info = read_request_info(call->request.method, target.substr(0, mark), op.query);
  if (!info) return refuse(core, call, schema::bad_request("the path has a broken escape"));
  op.info = std::move(*info);
  if (!is_text(call->request)) {
    return refuse(core, call, schema::bad_request("the path, query or a header is not UTF-8"));
  }
  op.content_type = call->request.header("content-type");
  op.default_manager = manager_of_agent(call->request.header("user-agent"));
  if (call->request.body.size() > kBodyBytesMax) {
    return refuse(core, call,
                  schema::request_too_large("Request entity too large: limit is 3145728"));
  }
  return Step::next;
}

// Watches and streams from a pod go on as long as both sides like.
bool is_long_running(const RequestInfo& info, const Query& query) {
  if (!info.resource_request) return false;
  if (info.verb == "watch" || info.verb == "proxy") return true;
  const std::string& sub = info.subresource;
  return sub == "exec" || sub == "attach" || sub == "portforward" || sub == "proxy" ||
         (sub == "log" && query.flag("follow"));
}

Step set_deadline(Core& core, const HttpCallPtr& call) {
  const Operation& op = *call->op;
  if (is_long_running(op.info, op.query)) return Step::next;
  call->timeout = core.config.request_timeout;
  const std::string_view asked = op.query.get("timeout");
  if (asked.empty()) return Step::next;
  const auto duration = base::parse_duration(asked);
  if (!duration) {
    return refuse(core, call,
                  schema::bad_request("invalid timeout specified in the request URL - time: "
                                      "invalid duration \"" +
                                      std::string(asked) + "\""));
  }
  if (*duration > base::Duration(0)) call->timeout = std::min(call->timeout, *duration);
  return Step::next;
}

// Until the store has been read nobody's permissions are known and only health can be told.
Step wait_ready(Core& core, const HttpCallPtr& call) {
  if (core.ready) return Step::next;
  const std::string& path = call->op->info.path;
  if (path.starts_with("/livez") || path.starts_with("/healthz") || path.starts_with("/readyz")) {
    answer_path(core, call);
    return Step::done;
  }
  schema::Status status = schema::service_unavailable("the server is starting");
  status.retry_after_seconds = 1;
  return refuse(core, call, status);
}

Step authenticate(Core& core, const HttpCallPtr& call) {
  access::Credentials credentials;
  credentials.authorization = call->request.header("authorization");
  if (const auto& tls = call->request.tls) {
    credentials.certificate_refused = tls->certificate_refused;
    if (!tls->certificates.empty()) credentials.peer_certificates = &tls->certificates;
  }
  credentials.now = core.now();
  auto who = core.authenticator->authenticate(credentials);
  if (!who) return refuse(core, call, who.error());
  call->op->who = std::move(*who);
  return Step::next;
}

Step impersonate(Core& core, const HttpCallPtr& call) {
  if (!access::asks_impersonation(call->request.headers)) return Step::next;
  auto who = access::impersonate(*call->op->who, call->request.headers, core.authorizer);
  if (!who) return refuse(core, call, who.error());
  call->impersonator = call->op->who->user;
  call->op->who = std::make_shared<const access::Identity>(std::move(*who));
  return Step::next;
}

void run_stages(Core& core, const HttpCallPtr& call, std::size_t from);
constexpr std::size_t kAfterTurn = 6;

// One text for all: under overload most of what is answered is this.
void tell_to_come_again(Core& core, const HttpCallPtr& call) {
  core.executor.reached("apiserver.too_many_requests");
  static const std::string text =
      value::to_json(schema::too_many_requests(std::string(busy), retry_after_seconds).to_value()) +
      '\n';
  http::Response response{429, {{"content-type", "application/json"}}, text};
  response.headers.emplace_back("retry-after", std::to_string(retry_after_seconds));
  reply_raw(core, call, std::move(response));
}

Step refuse_for_now(Core& core, const HttpCallPtr& call) {
  // Until it is told, it holds no more than what is said of it then.
  call->request.body = {};
  call->request.held = {};
  std::erase_if(call->request.headers, [](const auto& h) { return h.first == "authorization"; });
  call->timeout = base::Duration(0);
  const bool later = core.in_flight->tell_later([&core, call] { tell_to_come_again(core, call); });
  if (!later) tell_to_come_again(core, call);
  return Step::done;
}

// Whose turn it is, once it is known who asks. The usual request goes straight on.
Step take_turn(Core& core, const HttpCallPtr& call) {
  const RequestInfo& info = call->op->info;
  const access::FlowClass flow = access::classify_flow(
      *call->op->who,
      {info.resource_request, info.verb, info.group, info.resource, info.name_space, info.path});
  call->flow = flow.schema;
  const bool heavy = info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection";
  const int cost = heavy ? core.config.fairness.heavy : 1;
  if (core.in_flight->try_enter(flow.schema, cost, call->seat)) return Step::next;
  const bool waits =
      core.in_flight->wait(flow, cost, [&core, call](std::unique_ptr<Seat> seat) mutable {
        const HttpCallPtr mine = std::move(call);
        if (mine->answered) return;                        // it took too long
        if (!seat) return tell_to_come_again(core, mine);  // has waited long enough
        mine->seat = std::move(*seat);
        run_stages(core, mine, kAfterTurn);
      });
  return waits ? Step::done : refuse_for_now(core, call);
}

Step authorize(Core& core, const HttpCallPtr& call) {
  auto allowed = access::require(core.authorizer, *call->op->who, attributes_of(*call->op));
  if (!allowed) return refuse(core, call, allowed.error());
  return Step::next;
}

// Discovery, OpenAPI, health, version, metrics.
Step answer_other_paths(Core& core, const HttpCallPtr& call) {
  if (call->op->info.resource_request) return Step::next;
  answer_path(core, call);
  return Step::done;
}

Step find_kind(Core& core, const HttpCallPtr& call) {
  auto routed = route(core, *call->op);
  if (routed) return Step::next;
  const Operation& op = *call->op;
  if (op.kind != nullptr || serves_group(*op.kinds, op.info.group)) {
    return refuse(core, call, routed.error());
  }
  reply_page_not_found(core, call);
  return Step::done;
}

bool wants_pretty(const HttpCall& call) {
  const Query& query = call.op->query;
  if (query.has("pretty")) return query.flag("pretty");
  const std::string_view agent = call.request.header("user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

Step negotiate_form(Core& core, const HttpCallPtr& call) {
  const Operation& op = *call->op;
  Offer offer;
  offer.protobuf = !op.kind->proto_message.empty();
  const std::string& sub = op.info.subresource;
  offer.transform = sub.empty() || sub == "status" || sub == "scale";
  if (op.info.subresource == "log") return Step::next;
  auto media = negotiate(call->request.header("accept"), offer);
  if (!media) return refuse(core, call, schema::not_acceptable(acceptable_types(offer)));
  call->media = std::move(*media);
  call->media.pretty = wants_pretty(*call);
  return Step::next;
}

Step run_verb(Core& core, const HttpCallPtr& call) {
  const OperationPtr op = call->op;
  op->body = std::move(call->request.body);
  if (op->info.verb == "watch") {
    // An answer without a body would end at its head, and the stream would have no client.
    if (call->request.method == "HEAD") {
      return refuse(core, call,
                    schema::method_not_supported(op->info.group, op->info.resource, "head"));
    }
    std::vector<http::Header> headers = common_headers(*call);
    headers.emplace_back("content-type", watch_content_type(call->media.encoding));
    start_watch(core, op, call->media, call->exchange, std::move(headers),
                [&core, call](schema::Status status) { reply_status(core, call, status); });
    return Step::done;
  }
  run_operation(core, op, [&core, call](Answer<Outcome> answer) {
    reply_outcome(core, call, std::move(answer));
  });
  return Step::done;
}

using Stage = Step (*)(Core&, const HttpCallPtr&);

// The way of every request, first to last.
constexpr std::array<Stage, 11> kStages = {
    read,      set_deadline,       wait_ready, authenticate,   impersonate, take_turn,
    authorize, answer_other_paths, find_kind,  negotiate_form, run_verb,
};
static_assert(kStages[kAfterTurn - 1] == take_turn);

void run_stages(Core& core, const HttpCallPtr& call, std::size_t from) {
  for (std::size_t i = from; i < kStages.size(); ++i) {
    if (kStages[i](core, call) == Step::done) break;
  }
  if (call->answered || call->timeout == base::Duration(0)) return;
  core.pending_answers->add(*call, call->arrived + call->timeout);
}

void record(Core& core, const HttpCall& call, int code) {
  const Operation& op = *call.op;
  // Another core may have stamped it a moment ahead of this turn's time.
  const auto taken = std::max(core.executor.now() - call.arrived, base::Duration(0));
  const double seconds = std::chrono::duration<double>(taken).count();
  // Before the kind is known a path is whatever anybody wrote, and would be a series of its own.
  if (op.kind != nullptr) {
    core.metrics->answered(op.info.verb, op.info.group, op.info.version, op.info.resource, code,
                           seconds);
  } else {
    core.metrics->answered(op.info.verb, "", "", "", code, seconds);
  }
  if (!core.config.audit) return;
  AuditRecord entry = audit_record(op, call.received);
  entry.id = call.audit_id;
  entry.uri = call.request.target;
  entry.impersonator = call.impersonator;
  entry.source = call.request.peer.host;
  entry.user_agent = call.request.header("user-agent");
  entry.code = code;
  entry.answered = core.now();
  core.config.audit(entry);
}

http::Response encoded_response(base::WallTime now, const HttpCall& call, const Outcome& outcome) {
  http::Response response;
  response.status = outcome.code;
  response.headers.reserve(8);
  Encoded encoded = encode_outcome(now, *call.op, call.media, outcome);
  response.headers.emplace_back("content-type", encoded.content_type);
  response.body = std::move(encoded.body);
  return response;
}

// Tables, YAML and protobuf of many objects, so that others need not wait for them.
void encode_by_worker(Core& core, const HttpCallPtr& call, Outcome outcome) {
  struct Job {
    Outcome outcome;
    http::Response response;
  };
  auto job = std::make_shared<Job>(Job{std::move(outcome), {}});
  core.config.runtime->workers().run(
      core.executor,
      [job, call, now = core.now()] {
        job->response = encoded_response(now, *call, job->outcome);
        compress_if_wanted(call->request.header("accept-encoding"), job->response);
      },
      [&core, alive = core.alive, job, call] {
        if (*alive) reply_raw(core, call, std::move(job->response));
      });
}

std::string quoted_warning(const std::string& text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

// What every answer says, and what says whose turn it was: texts that are known before any request.
using ConstantHeaders = std::array<http::Header, 3>;
const ConstantHeaders& constant_headers(access::FlowSchema schema) {
  using All = std::array<ConstantHeaders, access::flow_schema_count>;
  static const All all = [] {
    All made;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const auto one = static_cast<access::FlowSchema>(i);
      made[i] = {
          http::Header("x-kubernetes-pf-flowschema-uid", access::flow_schema_uid(one)),
          http::Header("x-kubernetes-pf-prioritylevel-uid",
                       access::level_uid(access::level_of(one))),
          http::Header("cache-control", "no-cache, private"),
      };
    }
    return made;
  }();
  return all[static_cast<std::size_t>(schema)];
}
std::span<const http::Header> constant_headers(const HttpCall& call) {
  const std::span<const http::Header> all =
      constant_headers(call.flow.value_or(access::FlowSchema::exempt));
  return call.flow ? all : all.last(1);
}

void add_warnings(const HttpCall& call, std::vector<http::Header>& headers) {
  for (const std::string& warning : call.op->warnings) {
    headers.emplace_back("warning", quoted_warning(warning));
  }
}

}  // namespace

AuditRecord audit_record(const Operation& op, base::WallTime received) {
  AuditRecord entry;
  entry.verb = op.info.verb;
  if (op.who) {
    entry.user = op.who->user;
    entry.groups = op.who->groups;
  }
  entry.group = op.info.group;
  entry.version = op.info.version;
  entry.resource = op.info.resource;
  entry.subresource = op.info.subresource;
  entry.name_space = op.info.name_space;
  entry.name = op.info.name;
  entry.received = received;
  return entry;
}

void handle_request(Core& core, http::Request request, std::shared_ptr<http::Exchange> exchange) {
  auto call = std::make_shared<HttpCall>(core);
  call->request = std::move(request);
  call->exchange = std::move(exchange);
  const bool stamped = call->request.arrived != base::Instant();
  call->received = stamped ? call->request.received : core.now();
  call->arrived = stamped ? call->request.arrived : core.executor.now();
  call->audit_id = call->request.header("audit-id");
  if (call->audit_id.empty()) call->audit_id = base::make_uuid(core.executor.random());
  run_stages(core, call, 0);
}

http::Response refusal_words(const http::Request&, int code, std::string_view why) {
  if (!is_refused_with_status(code)) {
    return {code, {{"content-type", "text/plain; charset=utf-8"}}, std::string(why) + '\n'};
  }
  const schema::Status status =
      code == 413 ? schema::request_too_large("Request entity too large: limit is 3145728")
                  : schema::too_many_requests(std::string(busy), retry_after_seconds);
  http::Response response{status.code, {{"content-type", "application/json"}}, ""};
  if (code == 429) response.headers.emplace_back("retry-after", "1");
  response.body = value::to_json(status.to_value()) + '\n';
  return response;
}

void HttpCall::time_out() {
  const HttpCallPtr self = weak_from_this().lock();
  if (!self || answered) return;
  reply_status(core, self,
               schema::timeout("Timeout: request did not complete within the allotted timeout", 0));
}

std::vector<http::Header> common_headers(const HttpCall& call) {
  const std::span<const http::Header> constant = constant_headers(call);
  std::vector<http::Header> headers(constant.begin(), constant.end());
  headers.emplace_back("audit-id", call.audit_id);
  add_warnings(call, headers);
  return headers;
}

void reply_raw(Core& core, const HttpCallPtr& call, http::Response response) {
  if (call->answered) return;
  call->answered = true;
  const bool cached = std::any_of(response.headers.begin(), response.headers.end(),
                                  [](const auto& h) { return h.first == "cache-control"; });
  response.constant = constant_headers(*call);
  if (cached) response.constant = response.constant.first(response.constant.size() - 1);
  add_warnings(*call, response.headers);
  compress_if_wanted(call->request.header("accept-encoding"), response);
  record(core, *call, response.status);
  response.headers.emplace_back("audit-id", std::move(call->audit_id));  // its last use
  call->exchange->respond(std::move(response));
}

void reply_status(Core& core, const HttpCallPtr& call, const schema::Status& status) {
  http::Response response;
  response.status = status.code;
  Outcome outcome = document_outcome(status.to_value(), status.code);
  Media media = call->media;
  media.form = Form::whole;
  Encoded encoded = encode_outcome(core.now(), *call->op, media, outcome);
  response.headers.emplace_back("content-type", encoded.content_type);
  if (status.retry_after_seconds > 0) {
    response.headers.emplace_back("retry-after", std::to_string(status.retry_after_seconds));
  }
  response.body = std::move(encoded.body);
  reply_raw(core, call, std::move(response));
}

void reply_outcome(Core& core, const HttpCallPtr& call, Answer<Outcome> answer) {
  if (!answer) return reply_status(core, call, answer.error());
  if (!is_long_list(*answer)) {
    return reply_raw(core, call, encoded_response(core.now(), *call, *answer));
  }
  if (!can_be_streamed(*call)) return encode_by_worker(core, call, std::move(*answer));
  if (std::exchange(call->answered, true)) return;
  record(core, *call, answer->code);
  stream_list(core, call, std::move(*answer));
}

}  // namespace keelway::apiserver
