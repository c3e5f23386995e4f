#include <charconv>
#include <map>

#include "http/client_connection.h"
#include "http/connection.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

namespace http2 = wire::http2;

constexpr base::Duration kIdleTimeout = std::chrono::seconds(90);
constexpr std::size_t kFlushBytes = 64u << 10;
constexpr std::size_t kStreamBufferMax = 128u << 10;

class Http2Client : public ClientConnection {
 public:
  Http2Client(ClientHost& host, std::uint64_t id, runtime::Stream& stream)
      : host_(host), id_(id), stream_(stream), session_(http2::make_client_session({})) {
    flush();
  }
  ~Http2Client() override { disarm(); }

  bool ready() const override { return !dead_ && session_->streams_left() > 0; }

  void begin(const JobPtr& job) override {
    disarm();
    const auto& request = job->request;
    std::vector<Header> headers = {{":method", request.method},
                                   {":scheme", host_.secure() ? "https" : "http"},
                                   {":authority", host_.authority()},
                                   {":path", request.target}};
    for (const auto& header : request.headers) {
      if (header.first == "host") {
        headers[2].second = header.second;
      } else if (header.first != "connection" && header.first != "transfer-encoding") {
        headers.push_back(header);
      }
    }
    if (!request.body.empty() && !has_header(headers, "content-length")) {
      headers.emplace_back("content-length", std::to_string(request.body.size()));
    }
    const auto stream = session_->request(headers, request.body.empty());
    if (stream == 0) return host_.on_unsent(job);
    jobs_[stream].job = job;
    if (!request.body.empty()) {
      session_->write(stream, request.body);
      session_->end(stream);
    }
    flush();
  }

  void cancel(const JobPtr& job) override {
    for (auto& [stream, open] : jobs_) {
      if (open.job != job) continue;
      session_->reset(stream, http2::Code::cancel);
      open.job.reset();
      return flush();
    }
  }

  void take(std::string_view bytes) override {
    if (dead_) return;
    if (!session_->feed(bytes, host_.executor().now())) broken_ = true;
    flush();
    if (broken_) drop("the peer broke the rules of HTTP/2");
  }

  void drained() override { flush(); }

  void closed(std::optional<base::Error> error) override {
    drop(error ? error->message : "the connection closed before the answer was complete");
  }

 private:
  struct Open {
    JobPtr job;  // null once cancelled
    bool ended = false;
  };

  void flush() {
    if (flushing_ || dead_) return;
    flushing_ = true;
    bool moved = true;
    while (moved && !dead_) {
      moved = false;
      for (auto& event : session_->take_events()) {
        moved = true;
        std::visit([this](auto& e) { hear(e); }, event);
      }
      if (stream_.pending_bytes() >= kStreamBufferMax) continue;
      auto output = session_->take_output(kFlushBytes);
      if (output.empty()) continue;
      moved = true;
      stream_.write(std::move(output));
    }
    flushing_ = false;
    if (!dead_ && session_->finished()) drop("the connection was closed");
  }

  Open* find(http2::StreamId stream) {
    const auto found = jobs_.find(stream);
    return found != jobs_.end() && found->second.job ? &found->second : nullptr;
  }

  void hear(http2::HeadReceived& head) {
    Open* open = find(head.stream);
    if (open == nullptr || head.headers.empty()) return;
    int status = 0;
    const auto& text = head.headers.front().second;
    std::from_chars(text.data(), text.data() + text.size(), status);
    head.headers.erase(head.headers.begin());
    host_.on_head(open->job, status, std::move(head.headers));
  }
  void hear(http2::DataReceived& data) {
    if (Open* open = find(data.stream)) host_.on_data(open->job, std::move(data.bytes));
  }
  void hear(http2::TrailersReceived&) {}
  void hear(http2::EndReceived& end) {
    if (Open* open = find(end.stream)) open->ended = true;
  }
  void hear(http2::StreamClosed& closed) {
    const auto node = jobs_.extract(closed.stream);
    if (jobs_.empty()) arm();
    host_.on_ready();
    if (node.empty() || !node.mapped().job) return;
    const auto& open = node.mapped();
    if (open.ended) return host_.on_end(open.job, std::nullopt);
    if (closed.code == http2::Code::refused_stream) return host_.on_unsent(open.job);
    host_.on_end(open.job, base::Error{base::ErrorCode::unavailable,
                                       "the stream was reset, HTTP/2 error code " +
                                           std::to_string(static_cast<unsigned>(closed.code))});
  }
  void hear(http2::StreamDrained&) {}
  void hear(http2::GoneAway&) {}

  void arm() {
    disarm();
    timer_ = host_.executor().after(kIdleTimeout, [this] {
      timer_ = 0;
      drop("idle");
    });
  }
  void disarm() {
    if (timer_ != 0) host_.executor().cancel(std::exchange(timer_, 0));
  }

  void drop(const std::string& why) {
    if (std::exchange(dead_, true)) return;
    disarm();
    for (auto& [stream, open] : std::exchange(jobs_, {})) {
      if (open.job) host_.on_end(open.job, base::Error{base::ErrorCode::unavailable, why});
    }
    host_.forget(id_);
  }

  ClientHost& host_;
  const std::uint64_t id_;
  runtime::Stream& stream_;
  std::unique_ptr<http2::Session> session_;
  std::map<http2::StreamId, Open> jobs_;
  bool flushing_ = false;
  bool broken_ = false;
  bool dead_ = false;
  runtime::TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<ClientConnection> make_http2_client(ClientHost& host, std::uint64_t id,
                                                    runtime::Stream& stream) {
  return std::make_unique<Http2Client>(host, id, stream);
}

}  // namespace keelway::http
