// What the service refuses before anything is written. Words follow the real service where they
// are known, because tools match on them.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "aws/eks/cluster_document.h"
#include "aws/eks/versions.h"

namespace keelway::aws::eks {
namespace {

using value::Type;
using value::Value;
using Refused = std::optional<ServiceError>;

constexpr std::size_t tags_max = 50;
constexpr std::size_t tag_key_max = 128;
constexpr std::size_t tag_value_max = 256;
constexpr std::size_t security_groups_max = 5;

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Refused check_type(const Value& body, std::string_view member, Type type) {
  const Value* found = body.find(member);
  if (found == nullptr || found->is_null() || found->type() == type) return std::nullopt;
  return ServiceError{
      400, "SerializationException", fmt::format("Unexpected type of the member {}", member), {}};
}

Refused check_types(const Value& body) {
  for (const char* text : {"name", "version", "roleArn", "clientRequestToken"}) {
    if (auto bad = check_type(body, text, Type::string)) return bad;
  }
  for (const char* structure :
       {"resourcesVpcConfig", "kubernetesNetworkConfig", "logging", "tags", "outpostConfig",
        "accessConfig", "upgradePolicy", "zonalShiftConfig", "remoteNetworkConfig", "computeConfig",
        "storageConfig", "controlPlaneScalingConfig"}) {
    if (auto bad = check_type(body, structure, Type::object)) return bad;
  }
  for (const char* flag : {"bootstrapSelfManagedAddons", "deletionProtection"}) {
    if (auto bad = check_type(body, flag, Type::boolean)) return bad;
  }
  return check_type(body, "encryptionConfig", Type::array);
}

Refused check_name(const std::string& name) {
  if (name.empty()) return constraint("name", name, "have length greater than or equal to 1");
  if (name.size() > 100) return constraint("name", name, "have length less than or equal to 100");
  const bool plain = alphanumeric(name.front()) &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return alphanumeric(c) || c == '-' || c == '_'; });
  if (plain) return std::nullopt;
  return constraint("name", name,
                    "satisfy regular expression pattern: ^[0-9A-Za-z][A-Za-z0-9\\-_]*");
}

Refused check_role(const std::string& arn) {
  const std::string_view text = arn;
  const std::size_t role = text.find(":role/");
  const bool good = text.starts_with("arn:aws") && text.find(":iam::") != std::string_view::npos &&
                    role != std::string_view::npos && role + 6 < text.size();
  if (good) return std::nullopt;
  return invalid_parameter(fmt::format("The role ARN {} is not valid", arn));
}

// "a.b.c.d/n" into 32 bits and n.
std::optional<std::pair<std::uint32_t, int>> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(0, slash);
  std::uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = address.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return std::nullopt;
    const std::string_view part = address.substr(0, dot);
    unsigned number = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != part.data() + part.size() || number > 255) {
      return std::nullopt;
    }
    bits = bits << 8 | number;
    address.remove_prefix(std::min(address.size(), part.size() + 1));
  }
  const std::string_view length = text.substr(slash + 1);
  int prefix = 0;
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), prefix);
  if (parsed.ec != std::errc() || parsed.ptr != length.data() + length.size() || prefix < 0 ||
      prefix > 32) {
    return std::nullopt;
  }
  return std::pair(bits, prefix);
}

bool private_block(std::uint32_t bits) {
  return bits >> 24 == 10 || bits >> 20 == (172u << 4 | 1) || bits >> 16 == (192u << 8 | 168);
}

Refused check_network(const Value& network) {
  if (auto bad =
          check_enum("kubernetesNetworkConfig.ipFamily", network["ipFamily"], {"ipv4", "ipv6"})) {
    return bad;
  }
  if (network["ipFamily"].as_string() == "ipv6") {
    return invalid_parameter("ipFamily ipv6 is not supported by Keelway yet; use ipv4.");
  }
  const Value* cidr = network.find("serviceIpv4Cidr");
  if (cidr == nullptr || cidr->is_null()) return std::nullopt;
  const auto block = parse_cidr(cidr->as_string());
  if (!block || !private_block(block->first) || block->second < 12 || block->second > 24) {
    return invalid_parameter(fmt::format(
        "serviceIpv4Cidr {} is not valid: it must be a block between /24 and /12 within "
        "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        cidr->as_string()));
  }
  return std::nullopt;
}

Refused check_vpc(const Value& vpc) {
  std::set<std::string> subnets;
  for (const Value& one : vpc["subnetIds"].items()) subnets.insert(one.as_string());
  for (const std::string& one : subnets) {
    if (!one.starts_with("subnet-")) {
      return invalid_parameter(fmt::format("The subnet ID '{}' does not exist", one));
    }
  }
  if (subnets.size() < 2) {
    return invalid_parameter("Subnets specified must be in at least two different AZs");
  }
  if (vpc["securityGroupIds"].size() > security_groups_max) {
    return invalid_parameter("At most 5 security groups can be specified");
  }
  for (const Value& one : vpc["securityGroupIds"].items()) {
    if (!one.as_string().starts_with("sg-")) {
      return invalid_parameter(
          fmt::format("The security group ID '{}' does not exist", one.as_string()));
    }
  }
  return check_vpc_access(vpc);
}

Refused check_access(const Value& access) {
  if (auto bad = check_enum("accessConfig.authenticationMode", access["authenticationMode"],
                            {"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"})) {
    return bad;
  }
  const bool config_map = access["authenticationMode"].string_or("CONFIG_MAP") == "CONFIG_MAP";
  if (config_map && !access["bootstrapClusterCreatorAdminPermissions"].as_bool(true)) {
    return invalid_parameter(
        "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is "
        "set "
        "to CONFIG_MAP");
  }
  return std::nullopt;
}

// The three switches of Auto Mode are one.
Refused check_auto_mode(const Value& body) {
  const bool compute = body.at("computeConfig", "enabled").as_bool();
  const bool storage = body.at("storageConfig", "blockStorage", "enabled").as_bool();
  const bool balancing =
      body.at("kubernetesNetworkConfig", "elasticLoadBalancing", "enabled").as_bool();
  if (compute == storage && storage == balancing) return std::nullopt;
  return invalid_parameter(
      "For EKS Auto Mode, please ensure that all required configs, including computeConfig, "
      "kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.");
}

}  // namespace

Refused check_enum(std::string_view field, const Value& text,
                   std::initializer_list<std::string_view> allowed) {
  if (text.is_null()) return std::nullopt;
  if (text.is_string() &&
      std::find(allowed.begin(), allowed.end(), text.as_string()) != allowed.end()) {
    return std::nullopt;
  }
  std::string list;
  for (const std::string_view one : allowed) {
    if (!list.empty()) list += ", ";
    list += one;
  }
  return constraint(field, text.as_string(), "satisfy enum value set: [" + list + "]");
}

Refused check_vpc_access(const Value& vpc) {
  if (!vpc["endpointPublicAccess"].as_bool(true) && !vpc["endpointPrivateAccess"].as_bool()) {
    return invalid_parameter("Private and public endpoint access cannot be false");
  }
  for (const Value& one : vpc["publicAccessCidrs"].items()) {
    if (!parse_cidr(one.as_string())) {
      return invalid_parameter(fmt::format(
          "The following CIDRs are invalid in publicAccessCidrs: [{}]", one.as_string()));
    }
  }
  return std::nullopt;
}

Refused check_logging(const Value& logging) {
  std::set<std::string> seen;
  for (const Value& setup : logging["clusterLogging"].items()) {
    for (const Value& type : setup["types"].items()) {
      if (auto bad =
              check_enum("logging.clusterLogging.types", type,
                         {"api", "audit", "authenticator", "controllerManager", "scheduler"})) {
        return bad;
      }
      if (!seen.insert(type.as_string()).second) {
        return invalid_parameter(
            fmt::format("The log type {} is listed more than once", type.as_string()));
      }
    }
  }
  return std::nullopt;
}

Refused check_tags(const Value& tags, std::size_t present) {
  if (tags.size() + present > tags_max) {
    return invalid_parameter("The number of tags must not exceed 50");
  }
  for (const auto& [key, text] : tags.members()) {
    if (key.empty() || key.size() > tag_key_max) {
      return constraint("tags", key, "have length between 1 and 128");
    }
    if (!text.is_string() || text.as_string().size() > tag_value_max) {
      return constraint("tags", text.as_string(), "have length less than or equal to 256");
    }
    if (key.size() >= 4 && (key[0] | 32) == 'a' && (key[1] | 32) == 'w' && (key[2] | 32) == 's' &&
        key[3] == ':') {
      return invalid_parameter(fmt::format("Tag keys with the prefix aws: are reserved: {}", key));
    }
  }
  return std::nullopt;
}

Refused check_create(const Value& body) {
  if (auto bad = check_types(body)) return bad;
  for (const char* required : {"name", "roleArn", "resourcesVpcConfig"}) {
    if (!body.contains(required) || body[required].is_null()) {
      return constraint(required, "null", "not be null");
    }
  }
  if (auto bad = check_name(body["name"].as_string())) return bad;
  if (const Value& version = body["version"];
      version.is_string() && !can_create(version.as_string())) {
    return invalid_parameter("unsupported Kubernetes version");
  }
  if (body.contains("outpostConfig")) {
    return invalid_parameter("Local clusters on Outposts are not supported by Keelway.");
  }
  if (auto bad = check_role(body["roleArn"].as_string())) return bad;
  if (auto bad = check_vpc(body["resourcesVpcConfig"])) return bad;
  if (auto bad = check_network(body["kubernetesNetworkConfig"])) return bad;
  if (auto bad = check_logging(body["logging"])) return bad;
  if (auto bad = check_access(body["accessConfig"])) return bad;
  if (auto bad = check_enum("upgradePolicy.supportType", body.at("upgradePolicy", "supportType"),
                            {"STANDARD", "EXTENDED"})) {
    return bad;
  }
  if (auto bad =
          check_enum("controlPlaneScalingConfig.tier", body.at("controlPlaneScalingConfig", "tier"),
                     {"standard", "tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"})) {
    return bad;
  }
  if (body["encryptionConfig"].size() > 1) {
    return constraint("encryptionConfig", "", "have length less than or equal to 1");
  }
  if (auto bad = check_auto_mode(body)) return bad;
  return check_tags(body["tags"]);
}

}  // namespace keelway::aws::eks
