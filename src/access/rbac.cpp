#include "access/rbac.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "access/authorizers.h"
#include "client/resources.h"

namespace keelway::access {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

using Rules = std::shared_ptr<const std::vector<PolicyRule>>;

// What one binding gives one subject.
struct Grant {
  Rules rules;         // null: the role does not exist
  std::string reason;  // why it allows, or that the role is missing
};

struct Grants {
  std::vector<Grant> everywhere;
  std::map<std::string, std::vector<Grant>, std::less<>> in_namespace;
};
using BySubject = std::map<std::string, Grants, std::less<>>;

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string all = "[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    all += fmt::format("{}\"{}\"", i == 0 ? "" : " ", texts[i]);
  }
  return all + "]";
}

std::string subject_text(const Value& subject) {
  const std::string& kind = subject["kind"].as_string();
  if (kind != "ServiceAccount") {
    return fmt::format("{} \"{}\"", kind, subject["name"].as_string());
  }
  return fmt::format("{} \"{}/{}\"", kind, subject["name"].as_string(),
                     subject["namespace"].as_string());
}

// Revisions are never used twice, so equal mixes mean equal objects.
std::uint64_t fingerprint(const client::View& view) {
  std::uint64_t mix = 1469598103934665603u;
  for (const client::Resource* r : {&resources::roles, &resources::role_bindings,
                                    &resources::cluster_roles, &resources::cluster_role_bindings}) {
    for (const schema::ObjectPtr& object : view.list(*r)) {
      mix = (mix ^ static_cast<std::uint64_t>(object->revision())) * 1099511628211u;
    }
    mix = (mix ^ 0xffu) * 1099511628211u;
  }
  return mix;
}

}  // namespace

struct RbacAuthorizer::Index {
  client::Revision revision = -1;
  std::uint64_t print = 0;
  bool stale = true;
  BySubject users, groups;

  void rebuild(const client::View& view);
  void add(const client::View& view, const schema::ObjectPtr& binding, std::string_view kind,
           std::map<std::string, Rules>& roles);

  // Calls visit for every grant of the subject's that holds in the namespace, until one says stop.
  bool each(const Identity& who, std::string_view name_space,
            const std::function<bool(const Grant&)>& visit) const;
};

void RbacAuthorizer::Index::add(const client::View& view, const schema::ObjectPtr& binding,
                                std::string_view kind, std::map<std::string, Rules>& roles) {
  const Value document = binding->value();
  const Value& reference = document["roleRef"];
  const std::string& role_kind = reference["kind"].as_string();
  const std::string& role_name = reference["name"].as_string();
  const bool cluster_role = role_kind == "ClusterRole";
  const std::string role_namespace = cluster_role ? "" : binding->name_space();
  const std::string key = role_kind + '\0' + role_namespace + '\0' + role_name;
  auto [found, fresh] = roles.try_emplace(key);
  if (fresh) {
    const auto role = view.get(cluster_role ? resources::cluster_roles : resources::roles,
                               role_namespace, role_name);
    if (role) {
      found->second =
          std::make_shared<const std::vector<PolicyRule>>(rules_of_role(role->value(), view));
    }
  }
  const std::string binding_name = binding->name_space().empty()
                                       ? binding->name()
                                       : binding->name() + "/" + binding->name_space();
  for (const Value& subject : document["subjects"].items()) {
    Grant grant{found->second, ""};
    grant.reason = grant.rules
                       ? fmt::format("RBAC: allowed by {} \"{}\" of {} \"{}\" to {}", kind,
                                     binding_name, role_kind, role_name, subject_text(subject))
                       : fmt::format("{}.rbac.authorization.k8s.io \"{}\" not found",
                                     cluster_role ? "clusterrole" : "role", role_name);
    const std::string& subject_kind = subject["kind"].as_string();
    std::string name = subject["name"].as_string();
    if (subject_kind == "ServiceAccount") {
      const std::string& own = subject["namespace"].as_string();
      name = fmt::format("system:serviceaccount:{}:{}", own.empty() ? binding->name_space() : own,
                         name);
    }
    Grants& grants = (subject_kind == "Group" ? groups : users)[name];
    auto& list = binding->name_space().empty() ? grants.everywhere
                                               : grants.in_namespace[binding->name_space()];
    list.push_back(std::move(grant));
  }
}

void RbacAuthorizer::Index::rebuild(const client::View& view) {
  users.clear();
  groups.clear();
  std::map<std::string, Rules> roles;
  for (const schema::ObjectPtr& one : view.list(resources::cluster_role_bindings)) {
    add(view, one, "ClusterRoleBinding", roles);
  }
  for (const schema::ObjectPtr& one : view.list(resources::role_bindings)) {
    add(view, one, "RoleBinding", roles);
  }
}

bool RbacAuthorizer::Index::each(const Identity& who, std::string_view name_space,
                                 const std::function<bool(const Grant&)>& visit) const {
  const auto visit_all = [&visit](const std::vector<Grant>& grants) {
    return std::any_of(grants.begin(), grants.end(), visit);
  };
  const auto visit_subject = [&](const BySubject& subjects, std::string_view name) {
    const auto found = subjects.find(name);
    if (found == subjects.end()) return false;
    if (visit_all(found->second.everywhere)) return true;
    if (name_space.empty()) return false;
    const auto local = found->second.in_namespace.find(name_space);
    return local != found->second.in_namespace.end() && visit_all(local->second);
  };
  if (visit_subject(users, who.user)) return true;
  return std::any_of(who.groups.begin(), who.groups.end(),
                     [&](const std::string& group) { return visit_subject(groups, group); });
}

RbacAuthorizer::RbacAuthorizer(const client::View& view, Refresh refresh)
    : view_(view), refresh_(refresh), index_(std::make_unique<Index>()) {}
RbacAuthorizer::~RbacAuthorizer() = default;

void RbacAuthorizer::notice(const client::Resource& changed) {
  if (changed.group == rbac_group) index_->stale = true;
}

const RbacAuthorizer::Index& RbacAuthorizer::index() const {
  Index& index = *index_;
  if (refresh_ == Refresh::by_revision && index.revision != view_.revision()) {
    index.revision = view_.revision();
    const std::uint64_t print = fingerprint(view_);
    if (print != index.print) index.stale = true;
    index.print = print;
  }
  if (index.stale) {
    index.rebuild(view_);
    index.stale = false;
  }
  return index;
}

Decision RbacAuthorizer::authorize(const Identity& who, const Attributes& what) const {
  Decision decision;
  std::vector<std::string> errors;
  const auto visit = [&](const Grant& grant) {
    if (!grant.rules) {
      errors.push_back(grant.reason);
      return false;
    }
    const bool allowed = std::any_of(grant.rules->begin(), grant.rules->end(),
                                     [&](const PolicyRule& r) { return rule_allows(r, what); });
    if (allowed) decision = {Decision::Kind::allow, grant.reason};
    return allowed;
  };
  if (index().each(who, what.resource_request ? what.name_space : "", visit)) return decision;
  if (errors.size() == 1) decision.reason = "RBAC: " + errors.front();
  if (errors.size() > 1) {
    decision.reason = "RBAC: [";
    for (const std::string& one : errors) {
      decision.reason += (decision.reason.ends_with('[') ? "" : ", ") + one;
    }
    decision.reason += "]";
  }
  return decision;
}

std::vector<PolicyRule> RbacAuthorizer::rules_for(const Identity& who,
                                                  std::string_view name_space) const {
  std::vector<PolicyRule> rules;
  std::set<const void*> seen;  // one role through several bindings counts once
  index().each(who, name_space, [&](const Grant& grant) {
    if (grant.rules && seen.insert(grant.rules.get()).second) {
      rules.insert(rules.end(), grant.rules->begin(), grant.rules->end());
    }
    return false;
  });
  return rules;
}

Value RbacAuthorizer::rules_review(const Identity& who, std::string_view name_space) const {
  Value resource_rules = Value::array(), other_rules = Value::array();
  std::vector<PolicyRule> rules = rules_for(who, name_space);
  if (who.in_group("system:masters")) {
    rules.push_back({{"*"}, {"*"}, {"*"}, {}, {}});
    rules.push_back({{"*"}, {}, {}, {}, {"*"}});
  }
  for (const PolicyRule& rule : rules) {
    (rule.non_resource_urls.empty() ? resource_rules : other_rules).push(rule.to_value());
  }
  return Value::object({{"incomplete", false},
                        {"nonResourceRules", std::move(other_rules)},
                        {"resourceRules", std::move(resource_rules)}});
}

namespace {

// What one write of a role or binding would give away.
struct Grantable {
  std::vector<PolicyRule> rules;
  Attributes waiver;  // who may do this verb need not hold the rules
  bool unchanged = false;
};

bool same(const Value& object, const Value* old, std::initializer_list<const char*> members) {
  return old != nullptr && std::all_of(members.begin(), members.end(), [&](const char* member) {
           return object[member] == (*old)[member];
         });
}

std::optional<Grantable> grantable(const client::Resource& resource, const Value& object,
                                   const Value* old, const client::View& view) {
  Grantable grant;
  Attributes& waiver = grant.waiver;
  waiver.group = rbac_group;
  waiver.version = "v1";
  waiver.name_space = object.at("metadata", "namespace").as_string();
  waiver.name = object.at("metadata", "name").as_string();
  waiver.resource = resource.resource;
  if (resource.resource == "roles" || resource.resource == "clusterroles") {
    waiver.verb = "escalate";
    grant.unchanged = same(object, old, {"rules", "aggregationRule"});
    // Whoever may say that a role gathers others could gather any: that takes every right.
    if (!object.at("aggregationRule", "clusterRoleSelectors").empty()) {
      grant.rules = {{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
    }
    for (const Value& rule : object["rules"].items()) {
      grant.rules.push_back(PolicyRule::from_value(rule));
    }
    return grant;
  }
  if (resource.resource != "rolebindings" && resource.resource != "clusterrolebindings") {
    return std::nullopt;
  }
  const Value& reference = object["roleRef"];
  const bool cluster_role = reference["kind"].as_string() == "ClusterRole";
  waiver.verb = "bind";
  waiver.resource = cluster_role ? "clusterroles" : "roles";
  waiver.name = reference["name"].as_string();
  grant.unchanged = same(object, old, {"roleRef", "subjects"});
  const auto role = view.get(cluster_role ? resources::cluster_roles : resources::roles,
                             cluster_role ? "" : waiver.name_space, waiver.name);
  if (role) grant.rules = rules_of_role(role->value(), view);
  return grant;
}

// Rules that differ in their verb alone print as one.
std::vector<std::string> compact_texts(const std::vector<PolicyRule>& missing) {
  std::map<std::string, PolicyRule> merged;
  for (const PolicyRule& rule : missing) {
    PolicyRule key = rule;
    key.verbs.clear();
    auto [found, fresh] = merged.try_emplace(key.text(), rule);
    if (!fresh) {
      found->second.verbs.insert(found->second.verbs.end(), rule.verbs.begin(), rule.verbs.end());
    }
  }
  std::vector<std::string> texts;
  for (const auto& [key, rule] : merged) texts.push_back(rule.text());
  std::sort(texts.begin(), texts.end());
  return texts;
}

}  // namespace

schema::Answer<void> RbacAuthorizer::check_escalation(const Identity& who,
                                                      const client::Resource& resource,
                                                      const Value& object, const Value* old,
                                                      const Authorizer& chain) const {
  if (resource.group != rbac_group || who.in_group("system:masters")) return {};
  const auto grant = grantable(resource, object, old, view_);
  if (!grant || grant->unchanged) return {};
  if (chain.authorize(who, grant->waiver).kind == Decision::Kind::allow) return {};
  const std::string& name = object.at("metadata", "name").as_string();
  const bool binding = grant->waiver.verb == "bind";
  if (binding &&
      !view_.get(
          grant->waiver.resource == "clusterroles" ? resources::cluster_roles : resources::roles,
          grant->waiver.resource == "clusterroles" ? "" : grant->waiver.name_space,
          grant->waiver.name)) {
    return std::unexpected(schema::not_found(rbac_group, resource.resource, grant->waiver.name));
  }
  const auto missing = missing_rules(rules_for(who, grant->waiver.name_space), grant->rules);
  if (missing.empty()) return {};
  std::string why = fmt::format(
      "user \"{}\" (groups={}) is attempting to grant RBAC permissions not currently "
      "held:",
      who.user, quoted_list(who.groups));
  for (const std::string& one : compact_texts(missing)) why += "\n" + one;
  return std::unexpected(schema::forbidden(rbac_group, resource.resource, name, why));
}

}  // namespace keelway::access
