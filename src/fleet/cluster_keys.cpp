#include "fleet/cluster_keys.h"

namespace keelway::fleet {
namespace {

// Authorities outlive every client's kubeconfig: ten years, and an hour back for skewed clocks.
constexpr auto authority_life = std::chrono::hours(24 * 365 * 10);
constexpr auto skew_allowance = std::chrono::hours(1);

}  // namespace

base::Result<ClusterKeys> make_cluster_keys(const std::string& cluster_name,
                                            std::string_view serial, base::WallTime now) {
  auto authority = access::make_authority("keelway:" + cluster_name, serial,
                                          {now + -skew_allowance, now + authority_life});
  if (!authority) return std::unexpected(authority.error());
  auto signing_key = access::make_p256_key_pem();
  if (!signing_key) return std::unexpected(signing_key.error());
  return ClusterKeys{std::move(*authority), std::move(*signing_key)};
}

value::Value cluster_key_object(const std::string& name, const ClusterKeys& keys) {
  using value::Value;
  return Value::object(
      {{"apiVersion", "hub.keelway.dev/v1"},
       {"kind", "ClusterKey"},
       {"metadata", Value::object({{"name", name}})},
       {"spec", Value::object({{"certificateAuthority", keys.authority.certificate_pem},
                               {"certificateAuthorityKey", keys.authority.private_key_pem},
                               {"serviceAccountKey", keys.service_account_key_pem}})}});
}

base::Result<ClusterKeys> read_cluster_keys(const value::Value& object) {
  const value::Value& spec = object["spec"];
  ClusterKeys keys;
  keys.authority.certificate_pem = spec["certificateAuthority"].as_string();
  keys.authority.private_key_pem = spec["certificateAuthorityKey"].as_string();
  keys.service_account_key_pem = spec["serviceAccountKey"].as_string();
  if (keys.authority.certificate_pem.empty() || keys.authority.private_key_pem.empty() ||
      keys.service_account_key_pem.empty()) {
    return base::fail(base::ErrorCode::invalid,
                      "ClusterKey " + object.at("metadata", "name").as_string() +
                          " lacks a key; restore the data folder from a backup");
  }
  return keys;
}

}  // namespace keelway::fleet
