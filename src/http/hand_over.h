// Connections on one executor, the handler of their requests on another: TLS and HTTP take one
// core, what a request asks for takes the other. Requests go over and answers come back in batches.
#pragma once

#include <memory>

#include "http/server.h"

namespace keelway::http {

// The handler that a server on `front` is given. Exchanges that it hands over belong to `back`;
// who is gone and what has drained is told there a moment later than it happens. While many bytes
// of whole answers are on their way to the front, no request is heard.
//
// The server goes before it, then it may be destroyed on any thread; both executors outlive it.
class HandOver final : public Handler {
 public:
  // `handler` is called on `back` until close(), but for refusal(). How many requests wait is
  // bounded by the server's limits, and shown.
  HandOver(runtime::Executor& front, runtime::Executor& back, Handler& handler,
           std::shared_ptr<telemetry::Metrics> metrics = nullptr);
  ~HandOver() override;

  // On `back`: the handler hears nothing from now on. Requests on their way are dropped; streamed
  // answers end as if their clients had gone.
  void close();

  void handle(Request request, std::shared_ptr<Exchange> exchange) override;
  Response refusal(const Request& request, int status, std::string_view why) override;
  void refused(std::string_view method, int status) override;

 private:
  struct Lines;
  Handler& handler_;
  const std::shared_ptr<telemetry::Metrics> metrics_;
  const std::unique_ptr<Lines> lines_;
};

}  // namespace keelway::http
