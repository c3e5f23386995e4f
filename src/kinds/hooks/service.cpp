#include <fmt/core.h>

#include <set>

#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

std::string_view type_of(const Value& spec) {
  return spec["type"].as_string();
}

bool is_headless(const Value& spec) {
  return spec["clusterIP"].as_string() == "None" || spec["clusterIPs"][0].as_string() == "None";
}

bool has_node_ports(std::string_view type) {
  return type == "NodePort" || type == "LoadBalancer";
}

void check_port(const Value& port, const std::string& path, bool needs_name,
                std::set<std::string>& names, FieldErrors& errors) {
  const std::string& name = port["name"].as_string();
  if (name.empty()) {
    if (needs_name) errors.push_back(required(path + ".name"));
  } else {
    add(errors, path + ".name", name, schema::check_dns1123_label(name));
    if (!names.insert(name).second) {
      errors.push_back(schema::duplicate_value(path + ".name", name));
    }
  }
  add(errors, path + ".port", port["port"].as_int(),
      schema::check_port_number(port["port"].as_int()));
  if (!is_set(port, "protocol"))
    errors.push_back(required(path + ".protocol"));
  else
    check_choice(port["protocol"], path + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  const Value& target = port["targetPort"];
  if (target.is_string()) {
    add(errors, path + ".targetPort", target, schema::check_port_name(target.as_string()));
  } else if (target.is_int()) {
    add(errors, path + ".targetPort", target, schema::check_port_number(target.as_int()));
  }
  if (is_set(port, "appProtocol")) {
    add(errors, path + ".appProtocol", port["appProtocol"],
        schema::check_qualified_name(port["appProtocol"].as_string()));
  }
}

void check_ports(const Value& spec, FieldErrors& errors) {
  const Value& ports = spec["ports"];
  if (ports.empty() && !is_headless(spec) && type_of(spec) != "ExternalName") {
    errors.push_back(required("spec.ports"));
  }
  std::set<std::string> names, pairs;
  std::size_t index = 0;
  for (const Value& port : ports.items()) {
    check_port(port, fmt::format("spec.ports[{}]", index++), ports.size() > 1, names, errors);
  }
  index = 0;
  for (const Value& port : ports.items()) {
    const std::string here = fmt::format("spec.ports[{}]", index++);
    const std::string pair =
        fmt::format("{}/{}", port["port"].as_int(), port["protocol"].as_string());
    if (!pairs.insert(pair).second) {
      schema::FieldError error = schema::duplicate_value(here, nullptr);
      error.printed = fmt::format(
          "core.ServicePort{{Name:\"\", Protocol:\"{}\", AppProtocol:(*string)(nil), Port:{}, "
          "TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}",
          port["protocol"].as_string(), port["port"].as_int());
      errors.push_back(std::move(error));
    }
  }
}

void check_addresses(const Value& spec, FieldErrors& errors) {
  const Value& addresses = spec["clusterIPs"];
  const std::string_view type = type_of(spec);
  if (type == "ExternalName") {
    if (!addresses.empty() || is_set(spec, "clusterIP")) {
      errors.push_back(
          forbidden_field("spec.clusterIPs", "may not be set for ExternalName services"));
    }
    std::string name = spec["externalName"].as_string();
    if (name.ends_with('.')) name.pop_back();
    if (name.empty())
      errors.push_back(required("spec.externalName"));
    else
      add(errors, "spec.externalName", name, schema::check_dns1123_subdomain(name));
    return;
  }
  if (has_node_ports(type) && is_headless(spec)) {
    errors.push_back(invalid_value("spec.clusterIPs[0]", "None",
                                   fmt::format("may not be set to 'None' for {} services", type)));
  }
}

void check_families(const Value& spec, FieldErrors& errors) {
  const Value& addresses = spec["clusterIPs"];
  std::size_t index = 0;
  for (const Value& address : addresses.items()) {
    const std::string here = fmt::format("spec.clusterIPs[{}]", index);
    const std::string& text = address.as_string();
    const std::string& family = spec["ipFamilies"][index].as_string();
    if (text == "None") {
      ++index;
      continue;
    }
    if (!schema::is_ipv4(text) && !schema::is_ipv6(text)) {
      add(errors, here, address, schema::check_ip(text));
    } else if ((family == "IPv6" && schema::is_ipv4(text)) ||
               (family == "IPv4" && schema::is_ipv6(text))) {
      errors.push_back(invalid_value(
          here, address,
          fmt::format("expected an {} value as indicated by `ipFamilies[{}]`", family, index)));
    }
    ++index;
  }
  check_choice(spec["ipFamilyPolicy"], "spec.ipFamilyPolicy",
               {"PreferDualStack", "RequireDualStack", "SingleStack"}, errors);
  if (spec["ipFamilyPolicy"].as_string() == "RequireDualStack") {
    errors.push_back(invalid_value("spec.ipFamilyPolicy", spec["ipFamilyPolicy"],
                                   "this cluster is not configured for dual-stack services"));
  }
}

void check_traffic(const Value& spec, FieldErrors& errors) {
  const std::string_view type = type_of(spec);
  const bool balanced = type == "LoadBalancer";
  constexpr std::string_view only_balanced = "may only be used when `type` is 'LoadBalancer'";
  if (type == "ClusterIP") {
    std::size_t index = 0;
    for (const Value& port : spec["ports"].items()) {
      const std::string here = fmt::format("spec.ports[{}].nodePort", index++);
      if (port["nodePort"].as_int() != 0) {
        errors.push_back(forbidden_field(here, "may not be used when `type` is 'ClusterIP'"));
      }
    }
  }
  if (!spec["loadBalancerSourceRanges"].empty() && !balanced) {
    errors.push_back(forbidden_field("spec.LoadBalancerSourceRanges", std::string(only_balanced)));
  }
  if (spec["allocateLoadBalancerNodePorts"].type() == value::Type::boolean && !balanced) {
    errors.push_back(
        forbidden_field("spec.allocateLoadBalancerNodePorts", std::string(only_balanced)));
  }
  if (is_set(spec, "loadBalancerClass") && !balanced) {
    errors.push_back(forbidden_field("spec.loadBalancerClass", std::string(only_balanced)));
  }
  check_choice(spec["externalTrafficPolicy"], "spec.externalTrafficPolicy", {"Cluster", "Local"},
               errors);
  check_choice(spec["internalTrafficPolicy"], "spec.internalTrafficPolicy", {"Cluster", "Local"},
               errors);
}

void check_affinity(const Value& spec, FieldErrors& errors) {
  schema::validate_labels(spec["selector"], "spec.selector", errors);
  check_choice(spec["sessionAffinity"], "spec.sessionAffinity", {"ClientIP", "None"}, errors);
  const Value& seconds = spec.at("sessionAffinityConfig", "clientIP", "timeoutSeconds");
  if (spec["sessionAffinity"].as_string() == "ClientIP" && seconds.is_int() &&
      (seconds.as_int() <= 0 || seconds.as_int() > 86400)) {
    errors.push_back(invalid_value("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
                                   "must be greater than 0 and less than 86400"));
  }
  std::size_t index = 0;
  for (const Value& address : spec["externalIPs"].items()) {
    add(errors, fmt::format("spec.externalIPs[{}]", index++), address,
        schema::check_ip(address.as_string()));
  }
}

void check_status(const Value& status, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& ingress : status.at("loadBalancer", "ingress").items()) {
    const std::string here = fmt::format("status.loadBalancer.ingress[{}]", index++);
    if (is_set(ingress, "ip")) {
      add(errors, here + ".ip", ingress["ip"], schema::check_ip(ingress["ip"].as_string()));
    }
    if (!is_set(ingress, "hostname")) continue;
    const std::string& name = ingress["hostname"].as_string();
    add(errors, here + ".hostname", name, schema::check_dns1123_subdomain(name));
    if (schema::is_ipv4(name)) {
      errors.push_back(
          invalid_value(here + ".hostname", name, "must be a DNS name, not an IP address"));
    }
  }
}

void check_address_kept(const Value& now, const Value& before, FieldErrors& errors) {
  const bool frees = type_of(now) == "ExternalName" || type_of(before) == "ExternalName";
  const std::string& was = before["clusterIP"].as_string();
  if (frees || was.empty() || now["clusterIP"].as_string() == was) return;
  add_printed(errors, "spec.clusterIPs[0]", go_strings(now["clusterIPs"]),
              "may not change once set");
}

void keep_allocated(Value& spec, const Value& before) {
  if (type_of(spec) == "ExternalName" || type_of(before) == "ExternalName") return;
  if (!is_set(spec, "clusterIP") && spec["clusterIPs"].empty()) {
    fill(spec, "clusterIP", before["clusterIP"]);
    if (!before["clusterIPs"].empty()) spec.set("clusterIPs", before["clusterIPs"]);
  }
  for (const char* name : {"ipFamilies", "ipFamilyPolicy"}) {
    if (!spec.contains(name) && before.contains(name)) spec.set(name, before[name]);
  }
  if (!has_node_ports(type_of(spec)) || !has_node_ports(type_of(before))) return;
  if (spec["ports"].empty()) return;
  for (Value& port : spec.mutate("ports").mutable_items()) {
    if (port["nodePort"].as_int() != 0) continue;
    for (const Value& other : before["ports"].items()) {
      if (other["port"] == port["port"] && other["protocol"] == port["protocol"] &&
          other["nodePort"].as_int() != 0) {
        port.set("nodePort", other["nodePort"]);
      }
    }
  }
}

// What belonged to the type that the Service leaves, unless the caller changed it on purpose.
void drop_of_old_type(Value& spec, const Value& before) {
  const auto drop_same = [&](const char* name) {
    if (spec.contains(name) && spec[name] == before[name]) spec.erase(name);
  };
  const std::string_view type = type_of(spec);
  if (type == "ExternalName" && type_of(before) != "ExternalName") {
    for (const char* name :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"}) {
      drop_same(name);
    }
  }
  if (has_node_ports(type_of(before)) && !has_node_ports(type)) {
    drop_same("externalTrafficPolicy");
    if (!spec["ports"].empty()) {
      for (Value& port : spec.mutate("ports").mutable_items()) {
        for (const Value& other : before["ports"].items()) {
          if (other["nodePort"] == port["nodePort"]) port.erase("nodePort");
        }
      }
    }
  }
  if (type_of(before) == "LoadBalancer" && type != "LoadBalancer") {
    drop_same("allocateLoadBalancerNodePorts");
    drop_same("loadBalancerClass");
    drop_same("healthCheckNodePort");
  }
}

}  // namespace

void default_service(const Kind&, Value& object) {
  Value& spec = object.mutate("spec");
  fill(spec, "type", "ClusterIP");
  fill(spec, "sessionAffinity", "None");
  const std::string type(type_of(spec));
  if (spec["sessionAffinity"].as_string() == "None") spec.erase("sessionAffinityConfig");
  if (spec["sessionAffinity"].as_string() == "ClientIP") {
    Value& client = spec.mutate("sessionAffinityConfig", "clientIP");
    if (!client["timeoutSeconds"].is_int()) client.set("timeoutSeconds", 10800);
  }
  if (!spec["ports"].empty()) {
    for (Value& port : spec.mutate("ports").mutable_items()) {
      fill(port, "protocol", "TCP");
      const Value& target = port["targetPort"];
      const bool absent = target.is_null() || target == Value(0) || target == Value("");
      if (absent) port.set("targetPort", port["port"]);
    }
  }
  const bool external =
      has_node_ports(type) || (type == "ClusterIP" && !spec["externalIPs"].empty());
  if (external) fill(spec, "externalTrafficPolicy", "Cluster");
  if (has_node_ports(type) || type == "ClusterIP") fill(spec, "internalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer" && !spec.contains("allocateLoadBalancerNodePorts")) {
    spec.set("allocateLoadBalancerNodePorts", true);
  }
}

void prepare_service(const Kind&, Value& object, const Value* old) {
  if (old == nullptr) {
    object.set("status", Value::object({{"loadBalancer", Value::object()}}));
  } else {
    object.set("status", (*old)["status"]);
    Value& spec = object.mutate("spec");
    keep_allocated(spec, (*old)["spec"]);
    drop_of_old_type(spec, (*old)["spec"]);
  }
  Value& spec = object.mutate("spec");
  const bool single = is_set(spec, "clusterIP");
  const bool list = !spec["clusterIPs"].empty();
  const bool changed_single = old != nullptr && list && single &&
                              spec["clusterIPs"] == old->at("spec", "clusterIPs") &&
                              spec["clusterIP"] != old->at("spec", "clusterIP");
  if (single && (!list || changed_single)) {
    spec.set("clusterIPs", Value::array({spec["clusterIP"]}));
  } else if (list && !single) {
    spec.set("clusterIP", spec["clusterIPs"][0]);
  }
  if (type_of(spec) != "ExternalName") {
    fill(spec, "ipFamilyPolicy", "SingleStack");
    if (spec["ipFamilies"].empty()) {
      const bool six = schema::is_ipv6(spec["clusterIP"].as_string());
      spec.set("ipFamilies", Value::array({six ? "IPv6" : "IPv4"}));
    }
  }
}

void validate_service(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_addresses(spec, errors);
  check_ports(spec, errors);
  check_affinity(spec, errors);
  check_choice(spec["type"], "spec.type", {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"},
               errors);
  check_traffic(spec, errors);
  if (type_of(spec) != "ExternalName") check_families(spec, errors);
  check_status(object["status"], errors);
  if (old != nullptr) check_address_kept(spec, (*old)["spec"], errors);
}

}  // namespace keelway::kinds
