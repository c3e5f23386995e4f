// One keyspace as one engine knows it. Its keys in etcd, all below <root>k/<name>/ :
//   a       the birth mark: made by the first write, gone with the keyspace; its creation tells
//           this keyspace from an earlier one of the name; its value is the floor of the history
//   b       written to see how far a watch has come
//   d<key>  the keys
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/feed.h"
#include "store/store.h"

namespace keelway::store::etcd {

struct Space {
  enum class State { unknown, absent, alive, dropped };

  Space(std::string n, std::string p) : name(std::move(n)), prefix(std::move(p)) {}

  std::string mark() const { return prefix + "a"; }
  std::string tick() const { return prefix + "b"; }
  std::string data(const std::string& key) const { return prefix + "d" + key; }
  base::Error dropped() const {
    return {base::ErrorCode::not_found, "keyspace " + name + " was dropped"};
  }

  const std::string name, prefix;
  std::shared_ptr<Feed> feed;  // null while the state is unknown
  State state = State::unknown;
  Revision born = 0;        // alive: of the birth mark
  Revision absent = 0;      // absent: there was nothing up to this revision
  Revision floor = 0;       // history before it is refused
  Revision last_event = 0;  // nothing of the keyspace is between it and the feed's head
  Revision promised = 0;    // told to somebody, and not yet reached by the feed
  using Known = std::move_only_function<void(base::Result<void>)>;
  std::vector<Known> waiting;  // for the state, while it is read
  std::vector<Event> events;   // of the shared watch, of `events_revision`
  Revision events_revision = 0;

  // What was heard of a revision that is not complete: it is told again, or never.
  void forget_heard() {
    events.clear();
    events_revision = 0;
  }
};
using SpacePtr = std::shared_ptr<Space>;

}  // namespace keelway::store::etcd
