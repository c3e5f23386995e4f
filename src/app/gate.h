// Stands before an API server that is still being put together: the port is open before the
// server knows it, and requests wait outside for some seconds. On the server's executor, but for
// refusal().
#pragma once

#include <utility>
#include <vector>

#include "http/server.h"
#include "runtime/runtime.h"

namespace keelway::app {

class Gate final : public http::Handler {
 public:
  using Refusal = http::Response(const http::Request& request, int status, std::string_view why);
  // `refusal`: in what words HTTP itself refuses; null: its own.
  explicit Gate(runtime::Executor& executor, Refusal* refusal = nullptr)
      : executor_(executor), refusal_(refusal) {}

  // Once. Whoever waited goes in first.
  void open(http::Handler& behind) {
    behind_ = &behind;
    executor_.cancel(std::exchange(timer_, 0));
    for (auto& [request, exchange] : std::exchange(waiting_, {})) {
      behind.handle(std::move(request), std::move(exchange));
    }
  }
  // For good.
  void close() {
    behind_ = nullptr;
    closed_ = true;
    executor_.cancel(std::exchange(timer_, 0));
    turn_all_away();
  }

  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    if (behind_ != nullptr) return behind_->handle(std::move(request), std::move(exchange));
    if (closed_ || waiting_.size() >= waiting_max) return turn_away(*exchange);
    waiting_.emplace_back(std::move(request), std::move(exchange));
    if (timer_ != 0) return;
    timer_ = executor_.after(patience, [this] {
      timer_ = 0;
      turn_all_away();
    });
  }

  http::Response refusal(const http::Request& request, int status, std::string_view why) override {
    return refusal_ != nullptr ? refusal_(request, status, why)
                               : http::Handler::refusal(request, status, why);
  }
  void refused(std::string_view method, int status) override {
    if (behind_ != nullptr) behind_->refused(method, status);
  }

 private:
  static constexpr std::size_t waiting_max = 1000;
  static constexpr base::Duration patience = std::chrono::seconds(10);

  void turn_all_away() {
    for (auto& [request, exchange] : std::exchange(waiting_, {})) turn_away(*exchange);
  }
  static void turn_away(http::Exchange& exchange) {
    http::Response response;
    response.status = 503;
    response.headers = {{"content-type", "text/plain"}, {"retry-after", "1"}};
    response.body = "the server is starting or stopping; try again\n";
    exchange.respond(std::move(response));
  }

  runtime::Executor& executor_;
  Refusal* const refusal_;
  http::Handler* behind_ = nullptr;
  bool closed_ = false;
  runtime::TimerId timer_ = 0;  // while somebody waits
  std::vector<std::pair<http::Request, std::shared_ptr<http::Exchange>>> waiting_;
};

}  // namespace keelway::app
