#include "http/client_connection.h"
#include "http/connection.h"
#include "wire/http1.h"

namespace keelway::http {
namespace {

namespace http1 = wire::http1;

constexpr base::Duration kIdleTimeout = std::chrono::seconds(90);

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

class Http1Client : public ClientConnection {
 public:
  Http1Client(ClientHost& host, std::uint64_t id, runtime::Stream& stream)
      : host_(host), id_(id), stream_(stream), parser_(http1::make_response_parser({})) {}
  ~Http1Client() override { disarm(); }

  bool ready() const override { return !job_ && !dead_; }

  void begin(const JobPtr& job) override {
    disarm();
    job_ = job;
    heard_ = false;
    ++jobs_;
    const auto& request = job->request;
    auto headers = request.headers;
    if (!has_header(headers, "host")) {
      headers.insert(headers.begin(), {"host", host_.authority()});
    }
    const bool needs_length = !request.body.empty() || request.method == "POST" ||
                              request.method == "PUT" || request.method == "PATCH";
    if (needs_length && !has_header(headers, "content-length")) {
      headers.emplace_back("content-length", std::to_string(request.body.size()));
    }
    if (request.method == "HEAD") parser_->expect_no_body();
    stream_.write(http1::write_request_head(request.method, request.target, headers));
    if (!request.body.empty()) stream_.write(request.body);
  }

  void cancel(const JobPtr& job) override {
    if (job != job_) return;
    job_.reset();
    drop();  // what is still under way would be taken for the next answer
  }

  void take(std::string_view bytes) override {
    if (dead_) return;
    if (!job_) return drop();  // nobody asked
    heard_ = true;
    parser_->feed(bytes);
    while (job_ && !dead_) {
      auto event = parser_->next();
      if (std::holds_alternative<http1::NeedMore>(event)) return;
      hear(event);
    }
  }

  void drained() override {}

  void closed(std::optional<base::Error> error) override {
    if (job_ && !dead_) end_of_stream(std::move(error));
    drop();
  }

 private:
  void hear(http1::Event& event) {
    if (auto* head = std::get_if<http1::Head>(&event)) {
      interim_ = head->status < 200;
      if (interim_) return;
      keep_alive_ = head->keep_alive;
      host_.on_head(job_, head->status, std::move(head->headers));
    } else if (auto* body = std::get_if<http1::Body>(&event)) {
      host_.on_data(job_, std::move(body->bytes));
    } else if (auto* refused = std::get_if<http1::Refused>(&event)) {
      fail("the answer is malformed: " + refused->message);
    } else if (!interim_) {
      finished();
    } else if (job_->request.method == "HEAD") {
      parser_->expect_no_body();
    }
  }

  void end_of_stream(std::optional<base::Error> error) {
    if (!heard_ && jobs_ > 1 && !job_->retried && is_idempotent(job_->request.method)) {
      return host_.on_unsent(std::exchange(job_, nullptr));  // the kept connection was stale
    }
    if (heard_ && !error) {
      auto event = parser_->end_of_input();
      if (std::holds_alternative<http1::End>(event)) {
        keep_alive_ = false;
        return finished();
      }
    }
    fail(error ? error->message : "the connection closed before the answer was complete");
  }

  void finished() {
    host_.on_end(std::exchange(job_, nullptr), std::nullopt);
    if (!keep_alive_ || parser_->buffered() > 0) return drop();
    timer_ = host_.executor().after(kIdleTimeout, [this] {
      timer_ = 0;
      drop();
    });
    host_.on_ready();
  }

  void fail(const std::string& why) {
    if (job_) {
      host_.on_end(std::exchange(job_, nullptr), base::Error{base::ErrorCode::unavailable, why});
    }
    drop();
  }

  void drop() {
    disarm();
    if (!std::exchange(dead_, true)) host_.forget(id_);
  }
  void disarm() {
    if (timer_ != 0) host_.executor().cancel(std::exchange(timer_, 0));
  }

  ClientHost& host_;
  const std::uint64_t id_;
  runtime::Stream& stream_;
  std::unique_ptr<http1::Parser> parser_;
  JobPtr job_;
  int jobs_ = 0;
  bool heard_ = false;    // of this job's answer
  bool interim_ = false;  // a 1xx, before the true answer
  bool keep_alive_ = true;
  bool dead_ = false;
  runtime::TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<ClientConnection> make_http1_client(ClientHost& host, std::uint64_t id,
                                                    runtime::Stream& stream) {
  return std::make_unique<Http1Client>(host, id, stream);
}

}  // namespace keelway::http
