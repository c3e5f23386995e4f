#include "wire/http1.h"

#include <algorithm>
#include <deque>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#pragma GCC diagnostic pop

namespace keelway::wire::http1 {
namespace {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
// The shortest last chunk. Beast must not see one in fewer bytes: it takes that for its own error
// and ends the process.
constexpr std::size_t kLastChunkBytes = 5;
// As Go's server has it: so much of extensions a chunk, twice a chunk's size more, and so much
// above.
constexpr std::uint64_t kExtensionBytesUsual = 16;
constexpr std::uint64_t kExcessMax = 16u << 10;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

// Shapes that two programs may read in two ways are refused before the parser sees them.
struct Shape {
  int content_lengths = 0, transfer_encodings = 0, hosts = 0;
  std::string problem;

  void take_line(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') return refuse("folded header line");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return refuse("header line without name");
    const auto name = line.substr(0, colon);
    if (name.find_first_of(" \t") != std::string_view::npos) return refuse("space in header name");
    const auto value = trim(line.substr(colon + 1));
    const auto key = lower(name);
    if (key == "content-length") {
      ++content_lengths;
      if (value.empty() || value.size() > 18 ||
          value.find_first_not_of("0123456789") != std::string_view::npos) {
        refuse("bad Content-Length");
      }
    } else if (key == "transfer-encoding") {
      ++transfer_encodings;
      if (lower(value) != "chunked") refuse("unsupported Transfer-Encoding");
    } else if (key == "host") {
      ++hosts;
    }
  }
  void refuse(std::string_view why) {
    if (problem.empty()) problem = why;
  }
};

std::string find_problem(std::string_view head, bool is_request) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\0') return "NUL in the head";
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return "bare line feed";
    if (head[i] == '\r' && (i + 1 == head.size() || head[i + 1] != '\n')) {
      return "bare carriage return";
    }
  }
  Shape shape;
  auto at = head.find("\r\n");
  const bool http_1_0 = head.substr(0, at).ends_with("HTTP/1.0");
  for (head.remove_prefix(at + 2); !head.starts_with("\r\n"); head.remove_prefix(at + 2)) {
    at = head.find("\r\n");
    shape.take_line(head.substr(0, at));
  }
  if (shape.content_lengths > 1) shape.refuse("more than one Content-Length");
  if (shape.transfer_encodings > 1) shape.refuse("more than one Transfer-Encoding");
  if (shape.content_lengths > 0 && shape.transfer_encodings > 0) {
    shape.refuse("both Content-Length and Transfer-Encoding");
  }
  if (shape.transfer_encodings > 0 && http_1_0) shape.refuse("Transfer-Encoding in HTTP/1.0");
  if (is_request && shape.hosts > 1) shape.refuse("more than one Host");
  if (is_request && shape.hosts == 0 && !http_1_0) shape.refuse("no Host");
  return shape.problem;
}

// Beast's incremental parser, one per message; what it finds becomes events.
template <bool is_request>
class Message : public beast::http::basic_parser<is_request> {
 public:
  explicit Message(std::deque<Event>& events) : events_(events) {
    this->eager(true);
    this->body_limit(UINT64_MAX);  // the owner counts
    this->header_limit(UINT32_MAX);
  }

  bool before_chunk() const { return in_body_ && this->chunked() && chunk_left_ == 0; }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCode&) override {
    head_.method = view(method);
    head_.target = view(target);
    head_.http_1_0 = version < 11;
  }
  void on_response_impl(int code, beast::string_view, int version, ErrorCode&) override {
    head_.status = code;
    head_.http_1_0 = version < 11;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     ErrorCode&) override {
    if (in_body_) return;  // trailers are not used
    auto key = lower(view(name));
    if (key == "expect" && lower(view(value)) == "100-continue") head_.expect_continue = true;
    head_.headers.emplace_back(std::move(key), view(value));
  }
  void on_header_impl(ErrorCode&) override {
    in_body_ = true;
    head_.keep_alive = this->keep_alive();
    if (this->content_length()) head_.content_length = *this->content_length();
    events_.emplace_back(std::move(head_));
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(beast::string_view body, ErrorCode&) override { return take(body); }
  void on_chunk_header_impl(std::uint64_t size, beast::string_view extensions,
                            ErrorCode& error) override {
    chunk_left_ = size;
    excess_ += extensions.size();
    excess_ -= std::min(excess_, kExtensionBytesUsual + 2 * size);
    if (excess_ > kExcessMax) error = beast::http::error::bad_chunk_extension;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, ErrorCode&) override {
    chunk_left_ -= body.size();
    return take(body);
  }
  void on_finish_impl(ErrorCode&) override { events_.emplace_back(End{}); }

  std::size_t take(beast::string_view body) {
    if (body.empty()) return 0;
    Body* last = events_.empty() ? nullptr : std::get_if<Body>(&events_.back());
    if (last != nullptr) {
      last->bytes += view(body);
    } else {
      events_.emplace_back(Body{std::string(view(body))});
    }
    return body.size();
  }

  std::deque<Event>& events_;
  Head head_;
  bool in_body_ = false;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t excess_ =
      0;  // of chunk extensions: what nobody reads and no limit of bodies counts
};

template <bool is_request>
class BeastParser : public Parser {
 public:
  explicit BeastParser(ParserLimits limits) : limits_(limits) {}

  void feed(std::string_view bytes) override { buffer_ += bytes; }
  std::size_t buffered() const override { return buffer_.size(); }
  void expect_no_body() override { no_body_ = true; }

  Event next() override {
    if (events_.empty()) advance();
    return take_event();
  }

  Event end_of_input() override {
    if (!message_ || finished_) return NeedMore{};
    ErrorCode error;
    message_->put_eof(error);
    if (error) refuse(400, "the message broke off");
    return take_event();
  }

 private:
  Event take_event() {
    if (events_.empty()) return NeedMore{};
    Event event = std::move(events_.front());
    events_.pop_front();
    if (std::holds_alternative<End>(event)) {
      message_.reset();
      no_body_ = false;
    }
    return event;
  }

  void advance() {
    if (finished_ || (!message_ && !begin())) return;
    ErrorCode error;
    std::size_t used = 0;
    // All of it at once: taking events one by one would move the rest of the buffer for each.
    while (used < buffer_.size() && !message_->is_done() && !error) {
      const bool short_last_chunk = message_->before_chunk() && buffer_[used] == '0' &&
                                    buffer_.size() - used < kLastChunkBytes;
      if (short_last_chunk) break;
      used += message_->put(boost::asio::const_buffer(buffer_.data() + used, buffer_.size() - used),
                            error);
    }
    buffer_.erase(0, used);
    if (error && error != beast::http::error::need_more) refuse(400, error.message());
    // The whole head was there: one that wants more has no start line.
    if (error == beast::http::error::need_more && !message_->is_header_done()) {
      refuse(400, "malformed start line");
    }
    if (error == beast::http::error::need_more && events_.empty() &&
        buffer_.size() > limits_.header_bytes_max) {
      refuse(431, "a chunk's head or the trailers are too large");
    }
  }

  // Waits for the whole head, so that limits and shapes are judged on it at once.
  bool begin() {
    // At once: line by line the rest of the buffer would move for each.
    std::size_t empty_lines = 0;
    while (is_request && buffer_.compare(empty_lines, 2, "\r\n") == 0) empty_lines += 2;
    buffer_.erase(0, empty_lines);
    const auto end = buffer_.find(kHeadEnd, scanned_ > 3 ? scanned_ - 3 : 0);
    scanned_ = buffer_.size();
    // Where the ends may be at best: what has come can be the first part of one.
    const auto at_best = [&](std::size_t found, std::size_t length) {
      return found != std::string::npos ? found
                                        : buffer_.size() - std::min(buffer_.size(), length - 1);
    };
    const auto line = at_best(buffer_.find("\r\n"), 2);
    if (is_request && line > limits_.target_bytes_max + 64) {
      refuse(414, "the request target is too long");
    } else if (at_best(end, kHeadEnd.size()) > limits_.header_bytes_max) {
      refuse(431, "the header is too large");
    } else if (end == std::string::npos) {
      return false;
    } else if (auto problem = find_problem({buffer_.data(), end + 4}, is_request);
               !problem.empty()) {
      refuse(400, problem);
    }
    if (finished_) return false;
    scanned_ = 0;
    message_.emplace(events_);
    if (no_body_) message_->skip(true);
    return true;
  }

  void refuse(int status, std::string message) {
    finished_ = true;
    events_.emplace_back(Refused{status, std::move(message)});
  }

  const ParserLimits limits_;
  std::string buffer_;
  std::size_t scanned_ = 0;  // no end of a head lies wholly before
  std::deque<Event> events_;
  std::optional<Message<is_request>> message_;
  bool no_body_ = false;
  bool finished_ = false;
};

void append_headers(std::string& out, const std::vector<Header>& headers) {
  for (const auto& [name, value] : headers) {
    out += name;
    out += ": ";
    for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace

std::unique_ptr<Parser> make_request_parser(ParserLimits limits) {
  return std::make_unique<BeastParser<true>>(limits);
}

std::unique_ptr<Parser> make_response_parser(ParserLimits limits) {
  return std::make_unique<BeastParser<false>>(limits);
}

std::string_view reason_phrase(int status) {
  return view(beast::http::obsolete_reason(static_cast<beast::http::status>(status)));
}

std::string write_response_head(int status, const std::vector<Header>& headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + ' ';
  out += reason_phrase(status);
  out += "\r\n";
  append_headers(out, headers);
  return out;
}

std::string write_request_head(std::string_view method, std::string_view target,
                               const std::vector<Header>& headers) {
  std::string out(method);
  out += ' ';
  out += target;
  out += " HTTP/1.1\r\n";
  append_headers(out, headers);
  return out;
}

std::string write_chunk(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string size;
  for (auto left = bytes.size(); left > 0; left /= 16) size.insert(size.begin(), digits[left % 16]);
  std::string out;
  out.reserve(size.size() + bytes.size() + 4);
  out += size;
  out += "\r\n";
  out += bytes;
  out += "\r\n";
  return out;
}

}  // namespace keelway::wire::http1
