// The keys of one cluster: its certificate authority and the key that signs service account
// tokens. Kept in a ClusterKey object on the hub, sealed at rest like everything there.
#pragma once

#include <string>

#include "access/pki.h"
#include "base/error.h"
#include "base/time.h"
#include "value/value.h"

namespace keelway::fleet {

struct ClusterKeys {
  access::KeyedCertificate authority;
  std::string service_account_key_pem;
};

// Draws fresh keys; about a millisecond, so it belongs on a worker.
base::Result<ClusterKeys> make_cluster_keys(const std::string& cluster_name,
                                            std::string_view serial, base::WallTime now);

// The ClusterKey object (without metadata.namespace) and back.
value::Value cluster_key_object(const std::string& name, const ClusterKeys& keys);
base::Result<ClusterKeys> read_cluster_keys(const value::Value& object);

}  // namespace keelway::fleet
