#include "wire/http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>

namespace keelway::wire::http2 {
namespace {

// Frames that cost the peer nothing and us something.
constexpr double kWorkBudget = 500;
constexpr double kWorkPerSecond = 50;
// Windows are opened for what was sent: a reader may do so several times a frame, no more.
constexpr double kUpdatesPerData = 8;
constexpr double kUpdateCredit = 2'000;
constexpr int kExtensionFirst = 0x0a;  // frame types that RFC 9113 does not define
constexpr std::size_t kFrameHeadBytes = 9;
constexpr std::size_t kHeadersMax = 500;
constexpr std::size_t kHeadersUsual = 12;
constexpr std::size_t kEventsUsual = 64;        // between two calls of take_events
constexpr std::size_t kHeadBytesUsual = 512;    // of what leaves in one piece
constexpr std::size_t kAnswerBytesUsual = 192;  // of an answer beside its body

std::uint8_t* raw(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// Another value in each answer: in the table of either side it would only drive out what repeats.
bool never_repeats(std::string_view name) {
  return name == "audit-id" || name == "x-amzn-requestid";
}

constexpr std::uint8_t kConstant = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

void add_native(std::span<const Header> headers, std::uint8_t flags,
                std::vector<nghttp2_nv>& native) {
  for (const auto& [name, value] : headers) {
    const std::uint8_t index =
        never_repeats(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    native.push_back({raw(name), raw(value), name.size(), value.size(),
                      static_cast<std::uint8_t>(flags | index)});
  }
}

// Chunks that wait to be framed. Most streams have one.
class Chunks {
 public:
  bool empty() const { return first_ == chunks_.size(); }
  void push(std::string bytes) { chunks_.push_back(std::move(bytes)); }
  // Moves `size` bytes, which there are, to the end of `to`.
  void move_to(std::string& to, std::size_t size) {
    while (size > 0) {
      const std::string& front = chunks_[first_];
      const std::size_t part = std::min(size, front.size() - offset_);
      to.append(front, offset_, part);
      size -= part;
      offset_ += part;
      if (offset_ == front.size()) drop_front();
    }
  }

 private:
  void drop_front() {
    offset_ = 0;
    chunks_[first_++] = {};
    if (first_ < kCompactAt && first_ < chunks_.size()) return;
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }

  static constexpr std::size_t kCompactAt = 64;  // so that a long queue is not moved each time
  std::vector<std::string> chunks_;
  std::size_t first_ = 0;
  std::size_t offset_ = 0;  // into chunks_[first_]
};

struct StreamState {
  std::vector<Header> headers;
  std::size_t header_bytes = 0;
  bool too_large = false;
  bool head_told = false;
  Chunks out;
  std::size_t pending_bytes = 0;
  bool ended = false;  // by us
  bool moved = false;  // since stuck_streams() looked
  int still = 0;       // intervals without movement
};

class NativeSession : public Session {
 public:
  NativeSession(Limits limits, bool is_server) : limits_(limits), is_server_(is_server) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &take_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &take_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &take_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &close_stream);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, &begin_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &refuse_frame);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, &pass_over);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &send_data);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_outbound_ack(options, 100);
    nghttp2_option_set_peer_max_concurrent_streams(options, 100);
    nghttp2_option_set_max_settings(options, 32);
    // Types that nobody knows are passed over, but counted.
    for (int type = kExtensionFirst; type <= UINT8_MAX; ++type) {
      nghttp2_option_set_user_recv_extension_type(options, static_cast<std::uint8_t>(type));
    }
    if (is_server) {
      nghttp2_session_server_new2(&session_, callbacks, this, options);
    } else {
      nghttp2_session_client_new2(&session_, callbacks, this, options);
    }
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    announce();
  }
  ~NativeSession() override { nghttp2_session_del(session_); }
  NativeSession(const NativeSession&) = delete;

  bool feed(std::string_view bytes, base::Instant now) override {
    if (over_) return false;
    refill(now);
    const auto used = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (used < 0) {
      over_ = true;
      nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    } else if (limits_.work_bounded && work_left_ < 0) {
      over_ = true;
      nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    return !over_;
  }

  std::vector<Event> take_events() override {
    std::vector<Event> next;
    next.reserve(std::min(events_.size(), kEventsUsual));
    return std::exchange(events_, std::move(next));
  }

  std::string take_output(std::size_t bytes) override {
    std::string out;
    out_ = &out;
    out_bytes_max_ = bytes;
    while (out.size() < bytes) {
      const std::uint8_t* data = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) over_ = true;
      if (size <= 0) break;
      put_out(data, static_cast<std::size_t>(size));
    }
    out_ = nullptr;
    heads_ = 0;
    return out;
  }

  bool finished() const override {
    return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
  }

  void respond(StreamId stream, const AnswerHead& head, bool end) override {
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return;
    found->second.ended = end;
    ++heads_;
    const Header status(":status", std::to_string(head.status));
    native_.clear();
    add_native({&status, 1}, NGHTTP2_NV_FLAG_NONE, native_);
    add_native(head.headers, NGHTTP2_NV_FLAG_NONE, native_);
    add_native(head.constant, kConstant, native_);
    auto provider = data_provider();
    nghttp2_submit_response(session_, stream, native_.data(), native_.size(),
                            end ? nullptr : &provider);
  }

  StreamId request(const std::vector<Header>& headers, bool end) override {
    if (over_ || streams_left() == 0) return 0;
    native_.clear();
    add_native(headers, NGHTTP2_NV_FLAG_NONE, native_);
    auto provider = data_provider();
    const auto stream = nghttp2_submit_request(session_, nullptr, native_.data(), native_.size(),
                                               end ? nullptr : &provider, nullptr);
    if (stream <= 0) return 0;
    streams_[stream].ended = end;
    return stream;
  }

  std::size_t streams_left() const override {
    if (!takes_requests()) return 0;
    const auto allowed =
        nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    // Before the peer's settings are known, nghttp2 answers "unbounded".
    const std::size_t bound = std::min<std::size_t>(allowed, 1000);
    return bound > streams_.size() ? bound - streams_.size() : 0;
  }

  bool takes_requests() const override {
    return !over_ && !gone_away_ && nghttp2_session_check_request_allowed(session_) != 0;
  }

  void write(StreamId stream, std::string bytes) override {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || bytes.empty() || found->second.ended) return;
    found->second.pending_bytes += bytes.size();
    pending_bytes_ += bytes.size();
    found->second.out.push(std::move(bytes));
    nghttp2_session_resume_data(session_, stream);
  }

  void end(StreamId stream) override {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || found->second.ended) return;
    found->second.ended = true;
    nghttp2_session_resume_data(session_, stream);
  }

  void reset(StreamId stream, Code code) override {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream,
                              static_cast<std::uint32_t>(code));
  }

  std::size_t pending_bytes(StreamId stream) const override {
    const auto found = streams_.find(stream);
    return found == streams_.end() ? 0 : found->second.pending_bytes;
  }

  std::size_t pending_bytes() const override { return pending_bytes_; }

  std::vector<StreamId> stuck_streams(int intervals) override {
    std::vector<StreamId> stuck;
    for (auto& [id, state] : streams_) {
      const bool still = state.pending_bytes > 0 && !std::exchange(state.moved, false);
      state.still = still ? state.still + 1 : 0;
      if (state.still >= intervals) stuck.push_back(id);
    }
    return stuck;
  }

  void go_away() override {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                          nullptr, 0);
  }

 private:
  void announce() {
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
         static_cast<std::uint32_t>(limits_.stream_window_bytes)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         static_cast<std::uint32_t>(limits_.header_bytes_max)},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, is_server_ ? 3 : 4);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                          limits_.connection_window_bytes);
  }

  void refill(base::Instant now) {
    if (last_refill_.nanoseconds != 0) {
      const double seconds = static_cast<double>((now - last_refill_).count()) / 1e9;
      work_left_ = std::min(kWorkBudget, work_left_ + seconds * kWorkPerSecond);
    }
    last_refill_ = now;
  }

  nghttp2_data_provider data_provider() {
    nghttp2_data_provider provider{};
    provider.read_callback = &give_data;
    return provider;
  }

  void put_out(const std::uint8_t* bytes, std::size_t size) {
    if (out_->empty()) {
      // Bytes that wait for a window are counted as if they did not.
      const std::size_t waiting = pending_bytes_ + heads_ * kAnswerBytesUsual;
      out_->reserve(std::min(out_bytes_max_, size + waiting) + kHeadBytesUsual);
    }
    out_->append(reinterpret_cast<const char*>(bytes), size);
  }

  static NativeSession& self(void* user) { return *static_cast<NativeSession*>(user); }

  // Also of frames that the library passes over in silence.
  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    auto& me = self(user);
    switch (head->type) {
      case NGHTTP2_DATA:
      case NGHTTP2_HEADERS:
        return 0;
      case NGHTTP2_WINDOW_UPDATE:
        if (me.update_credit_ >= 1) {
          me.update_credit_ -= 1;
          return 0;
        }
        break;
      default:
        break;
    }
    me.work_left_ -= 1;
    return 0;
  }

  static int pass_over(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) {
    return NGHTTP2_ERR_CANCEL;
  }

  // The library answers some of these with a reset, which costs the peer nothing.
  static int refuse_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    self(user).work_left_ -= 1;
    return 0;
  }

  // Nothing else of the connection comes between a head's first frame and its last header.
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    self(user).head_of_ = &self(user).streams_.try_emplace(frame->hd.stream_id).first->second;
    return 0;
  }

  static int take_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* user) {
    if (self(user).head_of_ == nullptr) return 0;
    StreamState& state = *self(user).head_of_;
    if (state.head_told && self(user).is_server_) return 0;  // nobody reads them there
    state.header_bytes += name_size + value_size + 32;
    state.too_large |= state.header_bytes > self(user).limits_.header_bytes_max ||
                       state.headers.size() >= kHeadersMax;
    if (state.too_large) return 0;
    if (state.headers.empty()) state.headers.reserve(kHeadersUsual);
    state.headers.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                               std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }

  static int take_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& me = self(user);
    const auto stream = frame->hd.stream_id;
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        me.tell_head(stream);
        break;
      case NGHTTP2_DATA:
        if (frame->hd.length == 0 && !end) me.work_left_ -= 1;
        break;
      case NGHTTP2_GOAWAY:
        me.gone_away_ = true;
        me.events_.push_back(GoneAway{frame->goaway.last_stream_id});
        break;
      default:
        break;
    }
    if (end && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
      me.events_.push_back(EndReceived{stream});
    }
    return 0;
  }

  void tell_head(StreamId stream) {
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return;
    auto& state = found->second;
    auto headers = std::exchange(state.headers, {});
    if (state.head_told) {
      if (!is_server_) events_.push_back(TrailersReceived{stream, std::move(headers)});
      return;
    }
    // An interim answer (1xx) is followed by the true one.
    if (!is_server_ && !headers.empty() && headers[0].second.starts_with('1')) return;
    state.head_told = true;
    events_.push_back(HeadReceived{stream, std::move(headers), state.too_large});
  }

  static int take_data(nghttp2_session*, std::uint8_t, std::int32_t stream,
                       const std::uint8_t* data, std::size_t size, void* user) {
    self(user).events_.push_back(
        DataReceived{stream, std::string(reinterpret_cast<const char*>(data), size)});
    return 0;
  }

  static int close_stream(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user) {
    const auto found = self(user).streams_.find(stream);
    if (found != self(user).streams_.end()) {
      if (self(user).head_of_ == &found->second) self(user).head_of_ = nullptr;
      self(user).pending_bytes_ -= found->second.pending_bytes;
      self(user).streams_.erase(found);
    }
    self(user).events_.push_back(StreamClosed{stream, static_cast<Code>(code)});
    return 0;
  }

  // Says how much of a stream's bytes the next frame takes; send_data() moves them, so that they
  // are copied once on their way out.
  static ssize_t give_data(nghttp2_session*, std::int32_t stream, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    const auto found = self(user).streams_.find(stream);
    if (found == self(user).streams_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const StreamState& state = found->second;
    const std::size_t given = std::min(size, state.pending_bytes);
    if (given == state.pending_bytes && state.ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (given == 0) return state.ended ? 0 : NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(given);
  }

  // No frame is padded. What would be too much for this output waits for the next.
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source*, void* user) {
    auto& me = self(user);
    const auto found = me.streams_.find(frame->hd.stream_id);
    if (found == me.streams_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (me.out_->size() >= me.out_bytes_max_) return NGHTTP2_ERR_WOULDBLOCK;
    auto& state = found->second;
    me.put_out(head, kFrameHeadBytes);
    state.out.move_to(*me.out_, size);
    state.pending_bytes -= size;
    state.moved = true;
    me.pending_bytes_ -= size;
    me.update_credit_ = std::min(kUpdateCredit, me.update_credit_ + kUpdatesPerData);
    if (state.pending_bytes == 0) me.events_.push_back(StreamDrained{frame->hd.stream_id});
    return 0;
  }

  const Limits limits_;
  const bool is_server_;
  nghttp2_session* session_ = nullptr;
  std::map<StreamId, StreamState> streams_;
  std::vector<Event> events_;
  std::vector<nghttp2_nv> native_;  // of one head; kept for its memory
  StreamState* head_of_ = nullptr;  // whose headers come in
  std::string* out_ = nullptr;      // of take_output() while it runs
  std::size_t out_bytes_max_ = 0;
  std::size_t heads_ = 0;  // of answers since the last output
  std::size_t pending_bytes_ = 0;
  double work_left_ = kWorkBudget;
  double update_credit_ = kUpdateCredit;
  base::Instant last_refill_;
  bool gone_away_ = false;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Session> make_server_session(Limits limits) {
  return std::make_unique<NativeSession>(limits, true);
}

std::unique_ptr<Session> make_client_session(Limits limits) {
  return std::make_unique<NativeSession>(limits, false);
}

}  // namespace keelway::wire::http2
