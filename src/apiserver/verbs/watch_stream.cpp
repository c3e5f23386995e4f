#include "apiserver/verbs/watch_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "apiserver/encode.h"
#include "apiserver/metrics.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "value/json.h"

namespace keelway::apiserver {
namespace {

constexpr auto kBookmarkPeriod = std::chrono::seconds(60);
// Beyond this many unsent bytes a stream stops listening until the client has caught up; if the
// history window has gone by then, the stream ends and the client lists again.
constexpr std::size_t kPendingMax = 4u << 20;
constexpr std::size_t kChunk = 256u << 10;

std::string json_line(std::string_view type, std::string_view object) {
  std::string line;
  line.reserve(object.size() + 40);
  line += R"({"type":")";
  line += type;
  line += R"(","object":)";
  line += object;
  line += "}\n";
  return line;
}

constexpr std::string_view kTypes[] = {"ADDED", "MODIFIED", "DELETED"};

}  // namespace

class WatchStream : public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(Core& core, OperationPtr op, const Media& media, Selection selection,
              std::shared_ptr<http::Exchange> exchange)
      : core_(core),
        op_(std::move(op)),
        media_(media),
        selection_(std::move(selection)),
        exchange_(std::move(exchange)) {}

  void start(std::vector<http::Header> headers, bool initial, bool end_mark, Revision after);
  void bookmark(bool initial_end);
  void end(bool broken = false);

 private:
  void collect_current();
  void send_initial();
  void listen(Revision after);
  void take(const watch::CacheBatch& batch);
  void take_one(const watch::CacheEventPtr& event);
  void send(int type, const Value& object);
  void send_object(int type, const ObjectPtr& object);
  void send_error(const schema::Status& status);
  void send_document(std::string_view type, const Value& document);
  std::shared_ptr<const std::string> shared_line(int type, const watch::CacheEventPtr& event);
  void queue(std::string_view bytes);
  void flush();
  std::string prefix() const;
  void arm_timeout();
  bool plain() const { return media_.encoding == Encoding::json && media_.form == Form::whole; }

  Core& core_;
  const OperationPtr op_;
  const Media media_;
  const Selection selection_;
  const std::shared_ptr<http::Exchange> exchange_;
  std::unique_ptr<watch::CacheSubscription> subscription_;
  runtime::TimerId timeout_ = 0;
  BookmarkClock::Place place_ = 0;
  std::string buffer_;
  std::vector<ObjectPtr> initial_;  // the state at `seen_`; null where it has been sent
  std::size_t initial_sent_ = 0;
  bool end_mark_ = false;   // a bookmark says where the initial state ends
  Revision seen_ = 0;       // everything up to here has been sent or passed over
  bool level_ = false;      // nothing that the cache holds is outstanding
  bool head_sent_ = false;  // column definitions of a Table
  bool done_ = false;
};

std::string WatchStream::prefix() const {
  const RequestInfo& info = op_->info;
  const schema::Kind& kind = *op_->kind;
  if (!info.name.empty() && (!kind.namespaced || !info.name_space.empty())) {
    return object_key(kind, info.name_space, info.name);
  }
  return collection_prefix(kind, info.name_space);
}

void WatchStream::arm_timeout() {
  std::int64_t seconds = 0;
  if (op_->query.has("timeoutSeconds")) {
    seconds = parse_revision(op_->query.get("timeoutSeconds")).value_or(0);
  }
  if (seconds <= 0) {
    seconds = 1800 + static_cast<std::int64_t>(core_.executor.random().below(1800));
  }
  timeout_ = core_.executor.after(std::chrono::seconds(seconds), [self = shared_from_this()] {
    if (self->op_->query.flag("allowWatchBookmarks")) self->bookmark(false);
    self->end();
  });
}

void WatchStream::start(std::vector<http::Header> headers, bool initial, bool end_mark,
                        Revision after) {
  exchange_->start(200, std::move(headers));
  exchange_->on_gone([self = weak_from_this()] {
    if (auto stream = self.lock()) stream->end(true);
  });
  if (done_) return;  // the client left while the request waited
  place_ = core_.bookmarks->add(shared_from_this(), op_->query.flag("allowWatchBookmarks"));
  core_.metrics->watches.set(static_cast<double>(core_.bookmarks->open()));
  arm_timeout();
  seen_ = initial || after == 0 ? core_.cache.revision() : after;
  end_mark_ = end_mark;
  if (initial) collect_current();
  send_initial();
}

void WatchStream::collect_current() {
  (void)core_.cache.scan({prefix(), "", 0}, [&](std::string_view, const ObjectPtr& object) {
    if (selection_.matches(*object)) initial_.push_back(object);
    return true;
  });
}

// As much as the client takes; what comes after the state waits in the history window.
void WatchStream::send_initial() {
  while (initial_sent_ < initial_.size()) {
    send_object(0, std::exchange(initial_[initial_sent_++], nullptr));
    if (exchange_->pending_bytes() <= kPendingMax) continue;
    exchange_->on_drained([weak = weak_from_this()] {
      const auto stream = weak.lock();
      if (stream && !stream->done_ && !stream->subscription_) stream->send_initial();
    });
    return;
  }
  initial_ = {};
  initial_sent_ = 0;
  if (end_mark_) bookmark(true);
  flush();
  listen(seen_);
}

void WatchStream::listen(Revision after) {
  watch::SubscribeRequest request;
  request.prefix = prefix();
  Selection::Exact exact = selection_.exact_field();
  request.field = std::move(exact.path);
  request.text = std::move(exact.text);
  request.after = after;
  request.on_batch = [this](const watch::CacheBatch& batch) { take(batch); };
  request.on_end = [this](base::Error error) {
    core_.executor.reached("apiserver.watch_fell_behind");
    const auto self = shared_from_this();
    send_error(schema::expired(error.message));
    end();
  };
  auto subscribed = core_.cache.subscribe(std::move(request));
  if (!subscribed) {
    const auto self = shared_from_this();
    send_error(schema::expired(
        fmt::format("too old resource version: {} ({})", after, core_.cache.oldest_revision())));
    end();
    return;
  }
  subscription_ = std::move(*subscribed);
  // The backlog comes in a task that is queued before this one.
  level_ = after >= core_.cache.revision();
  if (level_) return;
  core_.executor.post([weak = weak_from_this()] {
    const auto stream = weak.lock();
    if (stream && stream->subscription_) stream->level_ = true;
  });
}

void WatchStream::take(const watch::CacheBatch& batch) {
  if (done_) return;
  const auto self = shared_from_this();
  for (const watch::CacheEventPtr& event : batch.events) take_one(event);
  seen_ = batch.revision;
  flush();
  const std::size_t unsent = exchange_->pending_bytes();
  const bool early = unsent > 0 && core_.executor.sometimes("apiserver.watch_stops_listening");
  if (unsent <= kPendingMax && !early) return;
  subscription_.reset();
  exchange_->on_drained([weak = weak_from_this()] {
    const auto stream = weak.lock();
    if (stream && !stream->done_ && !stream->subscription_) stream->listen(stream->seen_);
  });
}

void WatchStream::take_one(const watch::CacheEventPtr& event) {
  using Type = watch::CacheEvent::Type;
  const bool everything = selection_.everything();
  const bool was = event->previous && (everything || selection_.matches(*event->previous));
  const bool is =
      event->type != Type::deleted && (everything || selection_.matches(*event->object));
  if (!was && !is) return;
  if (was && !is && event->type != Type::deleted) {
    // It left the selection: the last state that was selected, at the revision of the change.
    Value left = to_served(*op_->kind, event->previous->value());
    left.mutate("metadata").set("resourceVersion", std::to_string(event->revision));
    return send(2, left);
  }
  const int type = !is ? 2 : was ? 1 : 0;
  if (plain()) return queue(*shared_line(type, event));
  send_object(type, event->object);
}

std::shared_ptr<const std::string> WatchStream::shared_line(int type,
                                                            const watch::CacheEventPtr& event) {
  WatchEncodings& cache = *core_.encodings;
  const WatchEncodings::Id id{event.get(), op_->kind, type};
  const auto found = cache.lines.find(id);
  if (found != cache.lines.end()) return found->second.text;
  auto text = std::make_shared<const std::string>(
      json_line(kTypes[type], object_json(*op_->kind, *event->object)));
  cache.lines[id] = {event, op_->kinds, text};
  if (!cache.clearing) {
    cache.clearing = true;
    core_.executor.post([alive = core_.alive, &cache] {
      if (!*alive) return;
      cache.lines.clear();
      cache.clearing = false;
    });
  }
  return text;
}

void WatchStream::send_object(int type, const ObjectPtr& object) {
  if (plain()) return queue(json_line(kTypes[type], object_json(*op_->kind, *object)));
  send(type, to_served(*op_->kind, object->value()));
}

void WatchStream::send(int type, const Value& object) {
  if (media_.form == Form::table) {
    schema::TableOptions options = table_options(core_.now(), *op_, media_);
    options.resource_version = object.at("metadata", "resourceVersion").as_string();
    options.no_headers = head_sent_;
    head_sent_ = true;
    const Value one[] = {object};
    return send_document(kTypes[type], schema::to_table(*op_->kind, one, options));
  }
  if (media_.form == Form::partial) {
    return send_document(kTypes[type],
                         schema::partial_metadata(object, "meta.k8s.io/" + media_.form_version));
  }
  send_document(kTypes[type], object);
}

void WatchStream::send_document(std::string_view type, const Value& document) {
  if (media_.encoding == Encoding::json) return queue(json_line(type, value::to_json(document)));
  queue(encode_watch_event(*op_, media_, type, document));
}

void WatchStream::send_error(const schema::Status& status) {
  send_document("ERROR", status.to_value());
  flush();
}

void WatchStream::bookmark(bool initial_end) {
  if (done_ || (!initial_end && !subscription_)) return;
  // A stream may begin at what another server has shown, which is ahead of this cache.
  const std::string revision =
      std::to_string(initial_end || !level_ ? seen_ : std::max(seen_, core_.cache.revision()));
  Value object = Value::object(
      {{"kind", std::string(op_->kind->kind)}, {"apiVersion", op_->kind->api_version()}});
  object.set("metadata",
             Value::object({{"resourceVersion", revision}, {"creationTimestamp", nullptr}}));
  if (initial_end) {
    object.mutate("metadata")
        .set("annotations", Value::object({{"k8s.io/initial-events-end", "true"}}));
  }
  if (media_.form == Form::table) {
    schema::TableOptions options = table_options(core_.now(), *op_, media_);
    options.no_headers = head_sent_;
    head_sent_ = true;
    object = schema::bookmark_table(*op_->kind, revision, options);
  } else if (media_.form == Form::partial) {
    object.set("kind", "PartialObjectMetadata");
    object.set("apiVersion", "meta.k8s.io/" + media_.form_version);
  }
  send_document("BOOKMARK", object);
  flush();
}

void WatchStream::queue(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kChunk) flush();
}

void WatchStream::flush() {
  if (buffer_.empty() || done_) return;
  exchange_->write(std::move(buffer_));
  buffer_.clear();
}

void WatchStream::end(bool broken) {
  if (done_) return;
  const auto self = shared_from_this();
  if (!broken) flush();
  done_ = true;
  core_.executor.cancel(timeout_);
  subscription_.reset();
  if (!broken) exchange_->finish();
  core_.bookmarks->remove(place_);
  core_.metrics->watches.set(static_cast<double>(core_.bookmarks->open()));
}

BookmarkClock::~BookmarkClock() {
  if (timer_ != 0) executor_.cancel(timer_);
}

BookmarkClock::Place BookmarkClock::add(std::shared_ptr<WatchStream> stream, bool bookmarks) {
  streams_.emplace(++last_place_, Entry{std::move(stream), bookmarks});
  if (bookmarks) ++wanting_;
  schedule();
  return last_place_;
}

void BookmarkClock::remove(Place place) {
  const auto found = streams_.find(place);
  if (found == streams_.end()) return;
  if (found->second.bookmarks) --wanting_;
  streams_.erase(found);
  if (wanting_ > 0) return;
  executor_.cancel(timer_);
  timer_ = 0;
}

void BookmarkClock::end_all() {
  const auto streams = streams_;  // each takes itself out
  for (const auto& [place, entry] : streams) entry.stream->end();
}

void BookmarkClock::schedule() {
  if (timer_ == 0 && wanting_ > 0) timer_ = executor_.after(kBookmarkPeriod, [this] { tick(); });
}

void BookmarkClock::tick() {
  timer_ = 0;
  const auto streams = streams_;  // a stream may end while it is written to
  for (const auto& [place, entry] : streams) {
    if (entry.bookmarks) entry.stream->bookmark(false);
  }
  schedule();
}

void start_watch(Core& core, OperationPtr op, const Media& media,
                 std::shared_ptr<http::Exchange> exchange, std::vector<http::Header> headers,
                 std::move_only_function<void(schema::Status)> refuse) {
  auto options = read_list_options(*op, true);
  if (!options) return refuse(std::move(options.error()));
  auto selection = Selection::read(*op);
  if (!selection) return refuse(std::move(selection.error()));
  const bool asks_initial = op->query.flag("sendInitialEvents");
  const bool refuses_initial = op->query.has("sendInitialEvents") && !asks_initial;
  const std::string version = options->resource_version;
  const Revision after = parse_revision(version).value_or(0);
  const bool initial = asks_initial || (after == 0 && !refuses_initial);
  auto stream = std::make_shared<WatchStream>(core, op, media, std::move(*selection), exchange);
  // A stream that begins with the current state needs it as fresh as was asked for.
  when_fresh(core, initial ? version : "0",
             [stream, headers = std::move(headers), initial, asks_initial, after,
              refuse = std::move(refuse)](Answer<void> ok) mutable {
               if (!ok) return refuse(std::move(ok.error()));
               stream->start(std::move(headers), initial, asks_initial, after);
             });
}

}  // namespace keelway::apiserver
