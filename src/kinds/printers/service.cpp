#include <set>

#include "base/host.h"
#include "kinds/printers/cells.h"
#include "kinds/printers/printers.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::string external_ip(const Value& service) {
  const Value& spec = service["spec"];
  const std::string& type = spec["type"].as_string();
  if (type == "ExternalName") return spec["externalName"].as_string();
  std::vector<std::string> addresses;
  if (type == "LoadBalancer") {
    std::set<std::string> balancers;
    for (const Value& ingress : service.at("status", "loadBalancer", "ingress").items()) {
      balancers.insert(cells::or_else(ingress["ip"], ingress["hostname"].as_string()));
    }
    addresses.assign(balancers.begin(), balancers.end());
  }
  for (const Value& ip : spec["externalIPs"].items()) addresses.push_back(ip.as_string());
  if (!addresses.empty()) return cells::join(addresses, ",");
  return type == "LoadBalancer" ? "<pending>" : "<none>";
}

std::string ports(const Value& service) {
  std::vector<std::string> out;
  for (const Value& port : service.at("spec", "ports").items()) {
    std::string text = std::to_string(port["port"].as_int());
    const std::int64_t node_port = port["nodePort"].as_int();
    if (node_port > 0) text += ":" + std::to_string(node_port);
    out.push_back(text + "/" + std::string(port["protocol"].string_or("TCP")));
  }
  return out.empty() ? "<none>" : cells::join(out, ",");
}

}  // namespace

value::Array print_service(const schema::Kind&, const Value& service, base::WallTime now) {
  const Value& spec = service["spec"];
  const Value& first = spec["clusterIPs"][0];
  return {cells::name(service),
          spec["type"].as_string(),
          cells::or_else(first ? first : spec["clusterIP"], "<none>"),
          external_ip(service),
          ports(service),
          cells::age(service, now),
          cells::labels(spec["selector"])};
}

value::Array print_endpoints(const schema::Kind&, const Value& endpoints, base::WallTime now) {
  constexpr std::size_t shown_max = 3;
  std::vector<std::string> shown;
  std::size_t count = 0;
  const auto add = [&](std::string text) {
    if (++count <= shown_max) shown.push_back(std::move(text));
  };
  for (const Value& subset : endpoints["subsets"].items()) {
    if (subset["ports"].empty()) {
      for (const Value& address : subset["addresses"].items()) add(address["ip"].as_string());
    }
    for (const Value& port : subset["ports"].items()) {
      for (const Value& address : subset["addresses"].items()) {
        add(base::host_and_port(address["ip"].as_string(), port["port"].as_int()));
      }
    }
  }
  std::string text = shown.empty() ? "<none>" : cells::join(shown, ",");
  if (count > shown_max) text += " + " + std::to_string(count - shown_max) + " more...";
  return {cells::name(endpoints), text, cells::age(endpoints, now)};
}

}  // namespace keelway::kinds
