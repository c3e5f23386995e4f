#include "app/bootstrap.h"

#include <fmt/core.h>

#include <array>
#include <memory>
#include <utility>

#include "kinds/bootstrap.h"

namespace keelway::app {
namespace {

using value::Value;

Value requirement(std::string_view key, std::string_view op, std::initializer_list<Value> values) {
  return Value::object({{"key", key}, {"operator", op}, {"values", Value::array(values)}});
}

Value default_node_class() {
  const Value by_tag = Value::object({{"tags", Value::object({{"keelway.dev/default", "true"}})}});
  return Value::object(
      {{"apiVersion", "eks.amazonaws.com/v1"},
       {"kind", "NodeClass"},
       {"metadata", Value::object({{"name", "default"}})},
       {"spec", Value::object({{"role", "KeelwayNodeRole"},
                               {"subnetSelectorTerms", Value::array({by_tag})},
                               {"securityGroupSelectorTerms", Value::array({by_tag})}})}});
}

// The families and generations of Auto Mode's general-purpose pool. A rehearsal waits seconds for
// an emptied node to go, where the real pool takes 30 s at 10 % a time.
Value general_purpose_pool() {
  const Value requirements =
      Value::array({requirement("karpenter.sh/capacity-type", "In", {"on-demand"}),
                    requirement("kubernetes.io/arch", "In", {"amd64"}),
                    requirement("kubernetes.io/os", "In", {"linux"}),
                    requirement("karpenter.k8s.aws/instance-category", "In", {"c", "m", "r"}),
                    requirement("karpenter.k8s.aws/instance-generation", "Gt", {"4"})});
  const Value node_class =
      Value::object({{"group", "eks.amazonaws.com"}, {"kind", "NodeClass"}, {"name", "default"}});
  const Value budgets = Value::array(
      {Value::object({{"nodes", "100%"}, {"reasons", Value::array({"Empty"})}}),
       Value::object({{"nodes", "30%"}, {"reasons", Value::array({"Underutilized", "Drifted"})}})});
  return Value::object(
      {{"apiVersion", "karpenter.sh/v1"},
       {"kind", "NodePool"},
       {"metadata", Value::object({{"name", "general-purpose"}})},
       {"spec",
        Value::object(
            {{"template",
              Value::object({{"spec", Value::object({{"requirements", requirements},
                                                     {"nodeClassRef", node_class},
                                                     {"expireAfter", "336h"},
                                                     {"terminationGracePeriod", "24h"}})}})},
             {"disruption", Value::object({{"consolidationPolicy", "WhenEmptyOrUnderutilized"},
                                           {"consolidateAfter", "5s"},
                                           {"budgets", budgets}})}})}});
}

}  // namespace

std::vector<value::Value> cluster_bootstrap(int minor) {
  std::vector<value::Value> objects = kinds::bootstrap_objects(minor);
  for (value::Value& crd : kinds::bootstrap_crds()) objects.push_back(std::move(crd));
  return objects;
}

std::vector<value::Value> default_pool_objects() {
  return {default_node_class(), general_purpose_pool()};
}

std::string first_service_address(const std::string& service_cidr) {
  const std::string network = service_cidr.substr(0, service_cidr.find('/'));
  std::array<unsigned, 4> part{};
  std::size_t index = 0, at = 0;
  while (index < part.size() && at < network.size()) {
    for (; at < network.size() && network[at] != '.'; ++at) {
      part[index] = part[index] * 10 + static_cast<unsigned>(network[at] - '0');
    }
    ++at;
    ++index;
  }
  const std::uint32_t first = ((part[0] << 24) | (part[1] << 16) | (part[2] << 8) | part[3]) + 1;
  return fmt::format("{}.{}.{}.{}", first >> 24, first >> 16 & 255, first >> 8 & 255, first & 255);
}

std::function<void(const apiserver::AuditRecord&)> audit_to(const Seams& seams,
                                                            runtime::Executor& executor,
                                                            std::string cluster) {
  const auto flush = seams.flush_audit;
  const auto due = std::make_shared<bool>(false);
  return [log = seams.audit, flush, due, &executor,
          cluster = std::move(cluster)](const apiserver::AuditRecord& r) {
    if (r.verb == "get" || r.verb == "list" || r.verb == "watch") return;
    log.info("request", {{"cluster", cluster},
                         {"id", r.id},
                         {"user", r.user},
                         {"verb", r.verb},
                         {"uri", r.uri},
                         {"code", std::to_string(r.code)},
                         {"from", r.source}});
    if (!flush || std::exchange(*due, true)) return;
    executor.post([flush, due] {
      *due = false;
      flush();
    });
  };
}

}  // namespace keelway::app
