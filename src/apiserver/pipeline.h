// One HTTP request from arrival to answer: an ordered list of stages.
#pragma once

#include <memory>
#include <optional>

#include "apiserver/core.h"
#include "apiserver/in_flight.h"
#include "apiserver/media.h"
#include "apiserver/operation.h"
#include "http/server.h"

namespace keelway::apiserver {

// What the stages know of one request; each fills its part.
struct HttpCall : PendingAnswer, std::enable_shared_from_this<HttpCall> {
  explicit HttpCall(Core& of) : core(of) {}
  void time_out() override;

  Core& core;
  http::Request request;
  std::shared_ptr<http::Exchange> exchange;
  OperationPtr op = std::make_shared<Operation>();
  Media media;
  std::string audit_id, impersonator;
  base::WallTime received;
  base::Instant arrived;      // the same, by a clock that does not jump
  base::Duration timeout{0};  // 0: none, it may go on as long as it likes
  bool answered = false;
  Seat seat;                               // kept while the request executes
  std::optional<access::FlowSchema> flow;  // once it is known who asks
};
using HttpCallPtr = std::shared_ptr<HttpCall>;

void handle_request(Core& core, http::Request request, std::shared_ptr<http::Exchange> exchange);

// Whether refusal_words() are a Status's. Go's own server refuses the others before any handler, in
// plain words, and nobody counts them.
constexpr bool is_refused_with_status(int code) {
  return code == 413 || code == 429;
}

// Ends of the pipeline, for stages and for what answers later.
void reply_outcome(Core& core, const HttpCallPtr& call, Answer<Outcome> answer);
void reply_raw(Core& core, const HttpCallPtr& call, http::Response response);
void reply_status(Core& core, const HttpCallPtr& call, const schema::Status& status);
// The headers that every answer carries.
std::vector<http::Header> common_headers(const HttpCall& call);

AuditRecord audit_record(const Operation& op, base::WallTime received);

}  // namespace keelway::apiserver
