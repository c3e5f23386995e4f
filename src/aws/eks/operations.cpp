#include "aws/eks/operations.h"

#include <optional>
#include <vector>

#include "base/encoding.h"

namespace keelway::aws::eks {
namespace {

constexpr Row rows[] = {
    {"AssociateAccessPolicy", "POST",
     "/clusters/{name}/access-entries/{principalArn}/access-policies"},
    {"AssociateEncryptionConfig", "POST", "/clusters/{name}/encryption-config/associate"},
    {"AssociateIdentityProviderConfig", "POST",
     "/clusters/{name}/identity-provider-configs/associate"},
    {"CancelUpdate", "POST", "/clusters/{name}/updates/{updateId}/cancel-update"},
    {"CreateAccessEntry", "POST", "/clusters/{name}/access-entries"},
    {"CreateAddon", "POST", "/clusters/{name}/addons"},
    {"CreateCapability", "POST", "/clusters/{name}/capabilities"},
    {"CreateCluster", "POST", "/clusters", &create_cluster},
    {"CreateEksAnywhereSubscription", "POST", "/eks-anywhere-subscriptions"},
    {"CreateFargateProfile", "POST", "/clusters/{name}/fargate-profiles"},
    {"CreateNodegroup", "POST", "/clusters/{name}/node-groups"},
    {"CreatePodIdentityAssociation", "POST", "/clusters/{name}/pod-identity-associations"},
    {"DeleteAccessEntry", "DELETE", "/clusters/{name}/access-entries/{principalArn}"},
    {"DeleteAddon", "DELETE", "/clusters/{name}/addons/{addonName}"},
    {"DeleteCapability", "DELETE", "/clusters/{name}/capabilities/{capabilityName}"},
    {"DeleteCluster", "DELETE", "/clusters/{name}", &delete_cluster},
    {"DeleteEksAnywhereSubscription", "DELETE", "/eks-anywhere-subscriptions/{id}"},
    {"DeleteFargateProfile", "DELETE", "/clusters/{name}/fargate-profiles/{fargateProfileName}"},
    {"DeleteNodegroup", "DELETE", "/clusters/{name}/node-groups/{nodegroupName}"},
    {"DeletePodIdentityAssociation", "DELETE",
     "/clusters/{name}/pod-identity-associations/{associationId}"},
    {"DeregisterCluster", "DELETE", "/cluster-registrations/{name}"},
    {"DescribeAccessEntry", "GET", "/clusters/{name}/access-entries/{principalArn}"},
    {"DescribeAddon", "GET", "/clusters/{name}/addons/{addonName}"},
    {"DescribeAddonConfiguration", "GET", "/addons/configuration-schemas"},
    {"DescribeAddonVersions", "GET", "/addons/supported-versions"},
    {"DescribeCapability", "GET", "/clusters/{name}/capabilities/{capabilityName}"},
    {"DescribeCluster", "GET", "/clusters/{name}", &describe_cluster},
    {"DescribeClusterVersions", "GET", "/cluster-versions", &describe_cluster_versions},
    {"DescribeEksAnywhereSubscription", "GET", "/eks-anywhere-subscriptions/{id}"},
    {"DescribeFargateProfile", "GET", "/clusters/{name}/fargate-profiles/{fargateProfileName}"},
    {"DescribeIdentityProviderConfig", "POST",
     "/clusters/{name}/identity-provider-configs/describe"},
    {"DescribeInsight", "GET", "/clusters/{name}/insights/{id}"},
    {"DescribeInsightsRefresh", "GET", "/clusters/{name}/insights-refresh"},
    {"DescribeNodegroup", "GET", "/clusters/{name}/node-groups/{nodegroupName}"},
    {"DescribePodIdentityAssociation", "GET",
     "/clusters/{name}/pod-identity-associations/{associationId}"},
    {"DescribeUpdate", "GET", "/clusters/{name}/updates/{updateId}", &describe_update},
    {"DisassociateAccessPolicy", "DELETE",
     "/clusters/{name}/access-entries/{principalArn}/access-policies/{policyArn}"},
    {"DisassociateIdentityProviderConfig", "POST",
     "/clusters/{name}/identity-provider-configs/disassociate"},
    {"ListAccessEntries", "GET", "/clusters/{name}/access-entries"},
    {"ListAccessPolicies", "GET", "/access-policies"},
    {"ListAddons", "GET", "/clusters/{name}/addons"},
    {"ListAssociatedAccessPolicies", "GET",
     "/clusters/{name}/access-entries/{principalArn}/access-policies"},
    {"ListCapabilities", "GET", "/clusters/{name}/capabilities"},
    {"ListClusters", "GET", "/clusters", &list_clusters},
    {"ListEksAnywhereSubscriptions", "GET", "/eks-anywhere-subscriptions"},
    {"ListFargateProfiles", "GET", "/clusters/{name}/fargate-profiles"},
    {"ListIdentityProviderConfigs", "GET", "/clusters/{name}/identity-provider-configs"},
    {"ListInsights", "POST", "/clusters/{name}/insights"},
    {"ListNodegroups", "GET", "/clusters/{name}/node-groups", &list_nodegroups},
    {"ListPodIdentityAssociations", "GET", "/clusters/{name}/pod-identity-associations"},
    {"ListTagsForResource", "GET", "/tags/{resourceArn}", &list_tags_for_resource},
    {"ListUpdates", "GET", "/clusters/{name}/updates", &list_updates},
    {"RegisterCluster", "POST", "/cluster-registrations"},
    {"StartInsightsRefresh", "POST", "/clusters/{name}/insights-refresh"},
    {"TagResource", "POST", "/tags/{resourceArn}", &tag_resource},
    {"UntagResource", "DELETE", "/tags/{resourceArn}", &untag_resource},
    {"UpdateAccessEntry", "POST", "/clusters/{name}/access-entries/{principalArn}"},
    {"UpdateAddon", "POST", "/clusters/{name}/addons/{addonName}/update"},
    {"UpdateCapability", "POST", "/clusters/{name}/capabilities/{capabilityName}"},
    {"UpdateClusterConfig", "POST", "/clusters/{name}/update-config", &update_cluster_config},
    {"UpdateClusterVersion", "POST", "/clusters/{name}/updates", &update_cluster_version},
    {"UpdateEksAnywhereSubscription", "POST", "/eks-anywhere-subscriptions/{id}"},
    {"UpdateNodegroupConfig", "POST", "/clusters/{name}/node-groups/{nodegroupName}/update-config"},
    {"UpdateNodegroupVersion", "POST",
     "/clusters/{name}/node-groups/{nodegroupName}/update-version"},
    {"UpdatePodIdentityAssociation", "POST",
     "/clusters/{name}/pod-identity-associations/{associationId}"},
};

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    const std::size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool is_label(std::string_view segment) {
  return segment.starts_with('{');
}

std::optional<Match> match(const Row& row, const std::vector<std::string_view>& parts) {
  const auto pattern = segments(row.path);
  if (pattern.size() != parts.size()) return std::nullopt;
  Match found{&row, {}};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!is_label(pattern[i])) {
      if (pattern[i] != parts[i]) return std::nullopt;
      continue;
    }
    auto text = base::percent_decode(parts[i]);
    if (!text || text->empty()) return std::nullopt;
    const std::string_view name = pattern[i].substr(1, pattern[i].size() - 2);
    found.labels.emplace(std::string(name), std::move(*text));
  }
  return found;
}

}  // namespace

std::span<const Row> table() {
  return rows;
}

Match find_operation(std::string_view method, std::string_view path) {
  const auto parts = segments(path);
  std::optional<Match> best;
  for (const Row& row : rows) {
    if (row.method != method) continue;
    auto found = match(row, parts);
    // A literal path wins over one whose labels happen to fit.
    if (found && (!best || found->labels.size() < best->labels.size())) best = std::move(found);
  }
  return best.value_or(Match{});
}

}  // namespace keelway::aws::eks
