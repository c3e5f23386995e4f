#include "fleet/ownership.h"

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::fleet {
namespace resources = client::resources;
using value::Value;

Owner owner_of(const client::View& view, const Value& cluster, const Self& self) {
  if (self.alone()) return Owner::self;
  const std::string& uid = cluster.at("status", "server", "uid").as_string();
  if (uid.empty()) return Owner::nobody;
  if (uid == self.uid) return Owner::self;
  const std::string& name = cluster.at("status", "server", "name").as_string();
  const client::ObjectPtr server = view.get(servers, "", name);
  return server && server->uid() == uid ? Owner::other : Owner::nobody;
}

// Highest random weight: the hash of server and cluster together.
std::string server_for(const client::View& view, std::string_view cluster_uid) {
  std::string best, best_weight;
  for (const client::ObjectPtr& server : view.list(servers)) {
    std::string subject(server->name());
    subject += '/';
    subject += cluster_uid;
    std::string weight = base::sha256(subject);
    if (!best.empty() && weight <= best_weight) continue;
    best = server->name();
    best_weight = std::move(weight);
  }
  return best;
}

bool is_renewal(const client::Change& change) {
  return change.object && change.previous && change.object->uid() == change.previous->uid();
}

std::int64_t epoch_of(const Value& cluster) {
  return cluster.at("status", "server", "epoch").as_int();
}

}  // namespace keelway::fleet
