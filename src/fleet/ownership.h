// Which server runs the loops of a cluster: the one that its object names, as long as that server
// is registered. Pure.
#pragma once

#include <string>

#include "client/view.h"
#include "value/value.h"

namespace keelway::fleet {

// Servers that share a store, as objects of the hub.
inline const client::Resource servers{"hub.keelway.dev", "v1", "servers", "Server", false};

// The server that asks.
struct Self {
  std::string name, uid;  // empty: the only server of its store, which owns all
  bool alone() const { return uid.empty(); }
};

enum class Owner { self, other, nobody };
// `view` has the servers.
Owner owner_of(const client::View& view, const value::Value& cluster, const Self& self);

// Among the registered servers the one that takes a cluster which nobody runs; every server that
// sees the same servers finds the same. Over many clusters each gets about its share, and a server
// that goes leaves the others' clusters where they are. Empty: there is none.
std::string server_for(const client::View& view, std::string_view cluster_uid);

// A change of a Server object that says no more than that it lives on.
bool is_renewal(const client::Change& change);

std::int64_t epoch_of(const value::Value& cluster);

}  // namespace keelway::fleet
