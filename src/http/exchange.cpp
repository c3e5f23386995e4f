#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "http/connection.h"
#include "wire/http1.h"

namespace keelway::http {

std::string format_http_date(base::WallTime at) {
  using namespace std::chrono;
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds time{seconds(at.seconds())};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

bool has_header(const std::vector<Header>& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return true;
  }
  return false;
}

std::string_view Request::header(std::string_view lower_case_name) const {
  for (const auto& [key, value] : headers) {
    if (key == lower_case_name) return value;
  }
  return {};
}

Response Handler::refusal(const Request&, int status, std::string_view why) {
  return {status, {{"content-type", "text/plain"}}, std::string(why) + '\n'};
}

namespace {

// What the request says of its body's length; the most there is where it says nothing.
std::size_t told_length(const Request& request) {
  const std::string_view text = request.header("content-length");
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() ? length : SIZE_MAX;
}

}  // namespace

std::size_t head_bytes(const Request& request) {
  constexpr std::size_t parts = 1536;
  std::size_t bytes = parts + request.method.size() + request.target.size();
  for (const auto& [name, value] : request.headers) {
    bytes += sizeof(Header) + name.size() + value.size();
  }
  return bytes;
}

bool grow_body(Request& request, std::string bytes, const std::shared_ptr<Budget>& budget) {
  std::string& body = request.body;
  const std::size_t needed = body.size() + bytes.size();
  if (needed > body.capacity()) {
    const std::size_t counted = body.capacity() > std::string().capacity() ? body.capacity() : 0;
    const std::size_t wanted = std::max(needed, std::min(2 * counted, told_length(request)));
    if (!request.held.add(budget, wanted - counted)) return false;
    std::string grown;
    grown.reserve(wanted);  // exactly: what has bytes already would take twice as many
    body = std::move(grown.append(body));
  }
  body += bytes;
  return true;
}

Response refusal_of(ConnectionHost& host, const Request& request, int status,
                    std::string_view why) {
  host.refused(status);
  Response response = host.handler().refusal(request, status, why);
  host.handler().refused(request.method, status);
  response.headers.emplace_back("content-length", std::to_string(response.body.size()));
  response.headers.emplace_back("date", format_http_date(host.executor().wall_now()));
  return response;
}

ServerExchange::ServerExchange(ConnectionHost& host, Connection& connection, std::int32_t stream,
                               bool is_head)
    : host_(host), connection_(&connection), stream_(stream), is_head_(is_head) {
  host_.exchange_opened();
}

ServerExchange::~ServerExchange() {
  if (connection_ == nullptr) return;
  if (state_ == State::open) {
    respond({500, {{"content-type", "text/plain"}}, "the request was not answered\n"});
  } else if (state_ == State::streaming) {
    abort();
  }
}

bool ServerExchange::begin(AnswerHead& head) {
  if (connection_ == nullptr || state_ != State::open) return false;
  state_ = State::streaming;
  underway(false);
  body_allowed_ = !is_head_ && wire::http1::status_has_body(head.status);
  if (!has_header(head.headers, "date")) head.headers.emplace_back("date", host_.date());
  return true;
}

void ServerExchange::respond(Response response) {
  AnswerHead head{response.status, std::move(response.headers), response.constant};
  if (!begin(head)) return;
  if (wire::http1::status_has_body(head.status) && !has_header(head.headers, "content-length")) {
    head.headers.emplace_back("content-length", std::to_string(response.body.size()));
  }
  const bool has_body = body_allowed_ && !response.body.empty();
  if (has_body) {
    connection_->send_whole(stream_, std::move(head), std::move(response.body));
  } else {
    connection_->send_head(stream_, std::move(head), true);
  }
  complete();
}

void ServerExchange::start(int status, std::vector<Header> headers) {
  AnswerHead head{status, std::move(headers)};
  if (!begin(head)) return;
  connection_->send_head(stream_, std::move(head), !body_allowed_);
}

void ServerExchange::write(std::string chunk) {
  if (connection_ == nullptr || state_ != State::streaming || !body_allowed_ || chunk.empty()) {
    return;
  }
  connection_->send_body(stream_, std::move(chunk));
}

void ServerExchange::finish() {
  if (connection_ == nullptr || state_ != State::streaming) return;
  if (body_allowed_) connection_->send_end(stream_);
  complete();
}

void ServerExchange::abort() {
  if (connection_ == nullptr || state_ == State::done) return;
  underway(false);
  connection_->send_abort(stream_);
  complete();
}

// The connection has detached us where the answer was its last word; otherwise bytes may still
// wait there, and on_drained goes on.
void ServerExchange::complete() {
  if (state_ == State::done) return;
  state_ = State::done;
  const auto keep = weak_from_this().lock();
  gone_ = nullptr;
}

std::size_t ServerExchange::pending_bytes() const {
  return connection_ == nullptr ? 0 : connection_->pending_bytes(stream_);
}

void ServerExchange::on_drained(std::move_only_function<void()> callback) {
  if (connection_ != nullptr) drained_ = std::move(callback);
}

void ServerExchange::on_gone(std::move_only_function<void()> callback) {
  if (connection_ != nullptr) {
    gone_ = std::move(callback);
  } else if (client_gone_) {
    callback();
  }
}

void ServerExchange::underway(bool now) {
  if (connection_ == nullptr || std::exchange(underway_, now) == now) return;
  connection_->count_underway(now ? 1 : -1);
}

void ServerExchange::drained() {
  if (!drained_ || state_ == State::done) return;
  // The callback may replace itself, end the answer, or drop this exchange's owner. Once the
  // answer has ended it must go: it may own this exchange.
  const auto keep = shared_from_this();
  auto callback = std::exchange(drained_, nullptr);
  callback();
  if (!drained_ && connection_ != nullptr) drained_ = std::move(callback);
}

void ServerExchange::detach(bool gone) {
  if (connection_ == nullptr) return;
  // A callback may be what owns this exchange.
  const auto keep = weak_from_this().lock();
  underway(false);
  connection_ = nullptr;
  host_.exchange_closed();
  client_gone_ = gone;
  state_ = State::done;
  drained_ = nullptr;
  auto callback = std::exchange(gone_, nullptr);
  if (gone && callback) callback();
}

}  // namespace keelway::http
