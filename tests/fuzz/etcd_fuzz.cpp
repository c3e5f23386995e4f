// What an etcd member answers, and the address that it is found by. The first line is the address,
// the rest a message; the same bytes are also fields to write and read.
#include "fuzz/input.h"
#include "store/etcd/etcd.h"
#include "store/etcd/messages.h"

namespace {

namespace etcd = keelway::store::etcd;
namespace store = keelway::store;

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_range(const etcd::Ranged& ranged, std::string_view message) {
  KEELWAY_INVARIANT(ranged.entries.size() <= message.size(), "more entries than bytes");
  for (const etcd::KeyValue& entry : ranged.entries) {
    KEELWAY_INVARIANT(inside(entry.key, message) && inside(entry.value, message),
                      "a view leaves its message");
  }
}

void check_answers(std::string_view message) {
  if (const auto ranged = etcd::decode_range(message)) check_range(*ranged, message);
  if (const auto reply = etcd::decode_transaction(message)) {
    for (const etcd::Ranged& ranged : reply->ranges) check_range(ranged, message);
  }
  if (const auto reply = etcd::decode_watch(message)) {
    KEELWAY_INVARIANT(inside(reply->reason, message), "a view leaves its message");
    for (const etcd::WatchEvent& event : reply->events) {
      KEELWAY_INVARIANT(inside(event.entry.key, message) && inside(event.entry.value, message),
                        "a view leaves its message");
    }
  }
  static_cast<void>(etcd::decode_lease_grant(message));
  static_cast<void>(etcd::decode_authenticate(message));
}

// What is written reads as it was meant, and a part of it never as a whole.
void check_fields(std::string_view text) {
  if (text.empty()) return;
  const int field = 1 + static_cast<unsigned char>(text.front()) * 8;
  const auto value = static_cast<std::int64_t>(text.size()) * -1'000'003;
  etcd::Encoder encoder;
  const std::string message = encoder.message(field, text).number(field + 1, value).take();
  etcd::Decoder decoder(message);
  KEELWAY_INVARIANT(decoder.next() && decoder.field() == field && decoder.bytes() == text,
                    "bytes did not come back");
  KEELWAY_INVARIANT(decoder.next() && decoder.field() == field + 1 && decoder.number() == value,
                    "a number did not come back");
  KEELWAY_INVARIANT(!decoder.next() && decoder.good(), "more came back");
  etcd::Decoder cut(std::string_view(message).substr(0, message.size() - 1));
  while (cut.next()) {
  }
  KEELWAY_INVARIANT(!cut.good(), "a part reads as a whole");
}

void check_address(const std::string& url) {
  const auto options = store::parse_etcd_url(url);
  if (!options) return;
  KEELWAY_INVARIANT(!options->members.empty() && options->prefix.ends_with('/'), "no address");
  std::string again = "etcd://";
  for (const auto& member : options->members) {
    KEELWAY_INVARIANT(!member.host.empty() && member.port != 0, "no address");
    if (!again.ends_with('/')) again += ',';
    again += "[" + member.host + "]:" + std::to_string(member.port);
  }
  const auto same = store::parse_etcd_url(again + options->prefix);
  KEELWAY_INVARIANT(same && same->prefix == options->prefix, "the prefix changed");
  for (std::size_t i = 0; i < options->members.size(); ++i) {
    KEELWAY_INVARIANT(same->members[i].host == options->members[i].host &&
                          same->members[i].port == options->members[i].port,
                      "a member changed");
  }
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  check_address(std::string(input.line()));
  check_answers(input.rest());
  check_fields(input.rest());
  return 0;
}
