// Role-based access control over the objects of rbac.authorization.k8s.io/v1.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/identity.h"
#include "client/view.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::access {

// rbac.authorization.k8s.io PolicyRule.
struct PolicyRule {
  std::vector<std::string> verbs, api_groups, resources, resource_names, non_resource_urls;
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;

  static PolicyRule from_value(const value::Value& rule);
  value::Value to_value() const;
  std::string text() const;  // `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`
};

bool rule_allows(const PolicyRule& rule, const Attributes& what);
// The parts of `wanted` that `held` does not cover, each broken down to one verb and resource.
std::vector<PolicyRule> missing_rules(const std::vector<PolicyRule>& held,
                                      const std::vector<PolicyRule>& wanted);

// The rules of a role object; an aggregated cluster role's are those of the cluster roles that its
// selectors match.
std::vector<PolicyRule> rules_of_role(const value::Value& role, const client::View& view);

// Decisions read an index by subject, so that they cost what the caller's own bindings cost.
class RbacAuthorizer final : public Authorizer {
 public:
  enum class Refresh {
    by_revision,  // the index is compared with the view after every revision
    by_notice,    // the owner calls notice() with every change that the view took in
  };
  // The view holds roles, role_bindings, cluster_roles, cluster_role_bindings.
  explicit RbacAuthorizer(const client::View& view, Refresh refresh = Refresh::by_revision);
  ~RbacAuthorizer() override;

  // Only objects of RBAC matter; others are ignored cheaply.
  void notice(const client::Resource& changed);

  Decision authorize(const Identity& who, const Attributes& what) const override;

  // Every rule that holds for `who` in the namespace (empty: cluster-wide ones only).
  std::vector<PolicyRule> rules_for(const Identity& who, std::string_view name_space) const;

  // SelfSubjectRulesReview's status.
  value::Value rules_review(const Identity& who, std::string_view name_space) const;

  // The escalation check of a write to roles, clusterroles (verb "escalate") or bindings (verb
  // "bind"). `chain` answers those verbs. An update that changes neither rules nor roleRef or
  // subjects is let through, and so are members of system:masters.
  schema::Answer<void> check_escalation(const Identity& who, const client::Resource& resource,
                                        const value::Value& object, const value::Value* old,
                                        const Authorizer& chain) const;

 private:
  struct Index;
  const Index& index() const;
  const client::View& view_;
  const Refresh refresh_;
  mutable std::unique_ptr<Index> index_;
};

}  // namespace keelway::access
