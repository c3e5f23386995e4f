// Stands before an API server that is still being put together: the port is open before the
// server knows it, and requests wait outside with a 503. On the server's executor, but for
// refusal().
#pragma once

#include "http/server.h"

namespace keelway::app {

class Gate final : public http::Handler {
 public:
  using Refusal = http::Response(const http::Request& request, int status, std::string_view why);
  // `refusal`: in what words HTTP itself refuses; null: its own.
  explicit Gate(Refusal* refusal = nullptr) : refusal_(refusal) {}
  void open(http::Handler& behind) { behind_ = &behind; }
  void close() { behind_ = nullptr; }

  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    if (behind_ != nullptr) return behind_->handle(std::move(request), std::move(exchange));
    http::Response response;
    response.status = 503;
    response.headers = {{"content-type", "text/plain"}, {"retry-after", "1"}};
    response.body = "the server is starting or stopping; try again\n";
    exchange->respond(std::move(response));
  }

  http::Response refusal(const http::Request& request, int status, std::string_view why) override {
    return refusal_ != nullptr ? refusal_(request, status, why)
                               : http::Handler::refusal(request, status, why);
  }
  void refused(std::string_view method, int status) override {
    if (behind_ != nullptr) behind_->refused(method, status);
  }

 private:
  Refusal* const refusal_;
  http::Handler* behind_ = nullptr;
};

}  // namespace keelway::app
