#include "apiserver/list_stream.h"

#include <utility>

#include "apiserver/encode.h"
#include "apiserver/gzip.h"
#include "apiserver/verbs/shape.h"

namespace keelway::apiserver {
namespace {

constexpr std::size_t kListBytesMin = 256u << 10;  // shorter ones are answered whole
constexpr std::size_t kPieceBytes = 128u << 10;
constexpr int kPiecesPerTurn = 8;

class ListStream : public std::enable_shared_from_this<ListStream> {
 public:
  ListStream(Core& core, const HttpCall& call, Outcome outcome)
      : core_(core),
        alive_(core.alive),
        op_(call.op),
        kind_(outcome.kind != nullptr ? *outcome.kind : *call.op->kind),
        exchange_(call.exchange) {
    ListAnswer& list = std::get<ListAnswer>(outcome.content);
    piece_ = list_head(kind_, list);
    objects_ = std::move(list.objects);
    if (accepts_gzip(call.request.header("accept-encoding"))) gzip_ = Gzip::make();
  }

  void start(std::vector<http::Header> headers) {
    if (gzip_) {
      headers.emplace_back("content-encoding", "gzip");
      headers.emplace_back("vary", "Accept-Encoding");
    }
    exchange_->start(200, std::move(headers));
    exchange_->on_gone([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->over_ = true;
    });
    // The exchange keeps this stream until the answer is complete or its client has gone.
    exchange_->on_drained([self = shared_from_this()] { self->step(); });
    step();
  }

 private:
  // Draining may come inside write(): the turn that writes goes on then.
  void step() {
    if (stepping_) return;
    const auto keep = shared_from_this();
    stepping_ = true;
    for (int pieces = 0; !over_ && !compressing_ && exchange_->pending_bytes() == 0; ++pieces) {
      if (pieces == kPiecesPerTurn) {
        go_on_later();
        break;
      }
      fill();
      if (gzip_)
        compress();
      else
        send(std::exchange(piece_, {}));
    }
    stepping_ = false;
  }

  void go_on_later() {
    core_.executor.post([self = shared_from_this()] {
      if (*self->alive_) self->step();
    });
  }

  void fill() {
    const bool splice = served_as_stored(kind_);
    piece_.reserve(kPieceBytes + 4096);
    while (next_ < objects_.size() && piece_.size() < kPieceBytes) {
      if (next_ > 0) piece_ += ',';
      append_served(kind_, *objects_[next_], splice, piece_);
      objects_[next_++].reset();
    }
    last_ = next_ == objects_.size();
    if (last_) piece_ += "]}\n";
  }

  void compress() {
    compressing_ = true;
    // The worker has the piece and the compressor to itself until it is done.
    core_.config.runtime->workers().run(
        core_.executor,
        [self = shared_from_this()] { self->gzip_->add(self->piece_, self->last_); },
        [self = shared_from_this()] {
          self->compressing_ = false;
          self->piece_.clear();
          if (!*self->alive_ || self->over_) return;
          self->send_compressed();
          self->step();
        });
  }

  // zlib may hold a small piece back.
  void send_compressed() {
    std::string bytes = gzip_->take();
    if (!bytes.empty() || last_) send(std::move(bytes));
  }

  void send(std::string bytes) {
    // Before write(), which may come back through drained.
    const bool last = last_;
    if (last) {
      over_ = true;
      exchange_->on_drained({});
    }
    exchange_->write(std::move(bytes));
    if (last) exchange_->finish();
  }

  Core& core_;
  const std::shared_ptr<bool> alive_;
  const OperationPtr op_;  // keeps the kind
  const schema::Kind& kind_;
  std::vector<ObjectPtr> objects_;
  const std::shared_ptr<http::Exchange> exchange_;
  std::unique_ptr<Gzip> gzip_;
  std::string piece_;
  std::size_t next_ = 0;
  bool last_ = false, over_ = false, stepping_ = false, compressing_ = false;
};

}  // namespace

bool can_be_streamed(const HttpCall& call) {
  const Media& media = call.media;
  return media.encoding == Encoding::json && media.form == Form::whole && !media.pretty;
}

bool is_long_list(const Outcome& outcome) {
  const auto* list = std::get_if<ListAnswer>(&outcome.content);
  if (list == nullptr) return false;
  std::size_t bytes = 0;
  for (const ObjectPtr& object : list->objects) {
    if ((bytes += object->text().size()) >= kListBytesMin) return true;
  }
  return false;
}

void stream_list(Core& core, const HttpCallPtr& call, Outcome outcome) {
  std::vector<http::Header> headers = common_headers(*call);
  headers.emplace_back("content-type", "application/json");
  std::make_shared<ListStream>(core, *call, std::move(outcome))->start(std::move(headers));
}

}  // namespace keelway::apiserver
