#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

enum CompareTarget { target_version = 0, target_create = 1, target_mod = 2 };

std::unexpected<base::Error> broken(const char* what) {
  return base::fail(base::ErrorCode::internal,
                    std::string("etcd's answer to ") + what + " cannot be read");
}

Revision header_revision(std::string_view header) {
  Decoder decoder(header);
  while (decoder.next()) {
    if (decoder.field() == 3) return decoder.number();
  }
  return 0;
}

KeyValue decode_key_value(std::string_view message) {
  KeyValue entry;
  Decoder decoder(message);
  while (decoder.next()) {
    switch (decoder.field()) {
      case 1:
        entry.key = decoder.bytes();
        break;
      case 2:
        entry.created = decoder.number();
        break;
      case 3:
        entry.modified = decoder.number();
        break;
      case 5:
        entry.value = decoder.bytes();
        break;
      default:
        break;
    }
  }
  return entry;
}

WatchEvent decode_event(std::string_view message) {
  WatchEvent event;
  Decoder decoder(message);
  while (decoder.next()) {
    if (decoder.field() == 1) event.deletion = decoder.number() == 1;
    if (decoder.field() == 2) event.entry = decode_key_value(decoder.bytes());
    if (decoder.field() == 3) event.previous = decode_key_value(decoder.bytes());
  }
  return event;
}

std::string compare(std::string_view key, CompareTarget target, int field, Revision revision) {
  Encoder encoder;
  encoder.number(2, target).bytes(3, key).number(field, revision);
  return encoder.take();
}

std::string operation(int field, std::string_view request) {
  Encoder encoder;
  encoder.message(field, request);
  return encoder.take();
}

}  // namespace

std::string encode_range(const KeyRange& range) {
  Encoder encoder;
  encoder.bytes(1, range.key).bytes(2, range.end).number(3, range.limit).number(4, range.revision);
  return encoder.take();
}

base::Result<Ranged> decode_range(std::string_view message) {
  Ranged ranged;
  Decoder decoder(message);
  while (decoder.next()) {
    if (decoder.field() == 1) ranged.revision = header_revision(decoder.bytes());
    if (decoder.field() == 2) ranged.entries.push_back(decode_key_value(decoder.bytes()));
    if (decoder.field() == 3) ranged.more = decoder.number() != 0;
  }
  if (!decoder.good()) return broken("a range");
  return ranged;
}

void TxnEncoder::compare_modified(std::string_view key, Revision modified) {
  compares_.push_back(compare(key, target_mod, 6, modified));
}
void TxnEncoder::compare_created(std::string_view key, Revision created) {
  compares_.push_back(compare(key, target_create, 5, created));
}
void TxnEncoder::put(std::string_view key, std::string_view value, std::int64_t lease) {
  Encoder request;
  request.bytes(1, key).bytes(2, value).number(3, lease);
  success_.push_back(operation(2, request.text()));
}
void TxnEncoder::erase(std::string_view key, std::string_view end) {
  Encoder request;
  request.bytes(1, key).bytes(2, end);
  success_.push_back(operation(3, request.text()));
}
void TxnEncoder::range(const KeyRange& range) {
  success_.push_back(operation(1, encode_range(range)));
}
void TxnEncoder::otherwise(const KeyRange& range) {
  failure_.push_back(operation(1, encode_range(range)));
}

std::string TxnEncoder::take() {
  Encoder encoder;
  for (const auto& one : compares_) encoder.message(1, one);
  for (const auto& one : success_) encoder.message(2, one);
  for (const auto& one : failure_) encoder.message(3, one);
  return encoder.take();
}

base::Result<TxnReply> decode_transaction(std::string_view message) {
  TxnReply reply;
  Decoder decoder(message);
  while (decoder.next()) {
    if (decoder.field() == 1) reply.revision = header_revision(decoder.bytes());
    if (decoder.field() == 2) reply.succeeded = decoder.number() != 0;
    if (decoder.field() != 3) continue;
    Decoder answer(decoder.bytes());
    while (answer.next()) {
      if (answer.field() != 1) continue;
      auto ranged = decode_range(answer.bytes());
      if (!ranged) return std::unexpected(ranged.error());
      reply.ranges.push_back(std::move(*ranged));
    }
  }
  if (!decoder.good()) return broken("a transaction");
  return reply;
}

std::string encode_watch_create(const WatchCreate& create) {
  Encoder request;
  request.bytes(1, create.key).bytes(2, create.end).number(3, create.start);
  request.number(6, create.previous ? 1 : 0).number(7, create.id).number(8, 1);
  return operation(1, request.text());
}
std::string encode_watch_cancel(std::int64_t id) {
  Encoder request;
  request.number(1, id);
  return operation(2, request.text());
}
std::string encode_watch_progress() {
  return operation(3, "");
}

base::Result<WatchReply> decode_watch(std::string_view message) {
  WatchReply reply;
  Decoder decoder(message);
  while (decoder.next()) {
    switch (decoder.field()) {
      case 1:
        reply.revision = header_revision(decoder.bytes());
        break;
      case 2:
        reply.id = decoder.number();
        break;
      case 3:
        reply.created = decoder.number() != 0;
        break;
      case 4:
        reply.cancelled = decoder.number() != 0;
        break;
      case 5:
        reply.compacted = decoder.number();
        break;
      case 6:
        reply.reason = decoder.bytes();
        break;
      case 7:
        reply.fragment = decoder.number() != 0;
        break;
      case 11:
        reply.events.push_back(decode_event(decoder.bytes()));
        break;
      default:
        break;
    }
  }
  if (!decoder.good()) return broken("a watch");
  return reply;
}

std::string encode_compaction(Revision revision) {
  Encoder encoder;
  encoder.number(1, revision);
  return encoder.take();
}

std::string encode_lease_grant(std::int64_t seconds) {
  Encoder encoder;
  encoder.number(1, seconds);
  return encoder.take();
}
base::Result<std::int64_t> decode_lease_grant(std::string_view message) {
  Decoder decoder(message);
  while (decoder.next()) {
    if (decoder.field() == 2) return decoder.number();
  }
  return broken("a lease");
}

std::string encode_authenticate(std::string_view user, std::string_view password) {
  Encoder encoder;
  encoder.bytes(1, user).bytes(2, password);
  return encoder.take();
}
base::Result<std::string> decode_authenticate(std::string_view message) {
  Decoder decoder(message);
  while (decoder.next()) {
    if (decoder.field() == 2) return std::string(decoder.bytes());
  }
  return broken("the log-in");
}

}  // namespace keelway::store::etcd
