#include "apiserver/strategy/service.h"

#include <fmt/core.h>

#include <charconv>
#include <set>

#include "schema/validate.h"
#include "value/json.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

constexpr std::int64_t kPortFirst = 30000, kPortLast = 32767;
constexpr int kTries = 64;  // random ones before every number is looked at

bool has_address(const Value& service) {
  const std::string& type = service.at("spec", "type").as_string();
  return type != "ExternalName" && service.at("spec", "clusterIP").as_string() != "None";
}

bool has_node_ports(const Value& service) {
  const std::string& type = service.at("spec", "type").as_string();
  if (type == "NodePort") return true;
  return type == "LoadBalancer" &&
         service.at("spec", "allocateLoadBalancerNodePorts").as_bool(true);
}

std::set<std::string> addresses_of(const Value* service) {
  std::set<std::string> addresses;
  if (service == nullptr || !has_address(*service)) return addresses;
  const std::string& address = service->at("spec", "clusterIP").as_string();
  if (!address.empty()) addresses.insert(address);
  return addresses;
}

std::set<std::int64_t> ports_of(const Value* service) {
  std::set<std::int64_t> ports;
  if (service == nullptr) return ports;
  for (const Value& port : service->at("spec", "ports").items()) {
    if (const std::int64_t number = port["nodePort"].as_int(0)) ports.insert(number);
  }
  if (const std::int64_t health = service->at("spec", "healthCheckNodePort").as_int(0)) {
    ports.insert(health);
  }
  return ports;
}

store::Bytes holder(const Value& service) {
  const Value& metadata = service["metadata"];
  return std::make_shared<const std::string>(value::to_json(Value::object(
      {{"metadata", Value::object({{"name", metadata["name"].as_string()},
                                   {"namespace", metadata["namespace"].as_string()}})}})));
}

void take_key(std::string key, const store::Bytes& by, store::Transaction& transaction) {
  transaction.compares.push_back({key, 0});
  transaction.puts.push_back({std::move(key), by, std::nullopt});
}

schema::Status refused(const Value& service, schema::FieldError error) {
  return schema::invalid("", "Service", service.at("metadata", "name").as_string(),
                         {std::move(error)});
}

// A free number of [first, first + count), tried at random, then in order.
template <class Free>
std::optional<std::int64_t> find_free(base::Random& random, std::int64_t first, std::int64_t count,
                                      const Free& is_free) {
  for (int i = 0; i < kTries; ++i) {
    const auto candidate =
        first + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
    if (is_free(candidate)) return candidate;
  }
  for (std::int64_t candidate = first; candidate < first + count; ++candidate) {
    if (is_free(candidate)) return candidate;
  }
  return std::nullopt;
}

schema::FieldError not_allotted(const std::string& address, std::string_view why) {
  auto error = schema::invalid_value("spec.clusterIPs", nullptr,
                                     fmt::format("failed to allocate IP {}: {}", address, why));
  error.printed = fmt::format("[]string{{\"{}\"}}", address);
  return error;
}

// Addresses are kept for life; validation refuses the change by its own words.
bool changes_address(const Value& object, const Value& old) {
  const Value& now = object["spec"];
  const Value& before = old["spec"];
  if (now["type"].as_string() == "ExternalName" || before["type"].as_string() == "ExternalName") {
    return false;
  }
  const std::string& was = before["clusterIP"].as_string();
  return !was.empty() && now["clusterIP"].as_string() != was;
}

Answer<void> choose_address(Core& core, Value& object) {
  const auto range = parse_service_range(core.config.service_cidr);
  Value& spec = object.mutate("spec");
  const std::string wanted = spec["clusterIP"].as_string();
  if (!wanted.empty()) {
    const auto address = parse_address(wanted);
    const bool inside =
        range && address && *address > range->base && *address <= range->base + range->count;
    if (!inside) {
      return std::unexpected(refused(
          object, not_allotted(wanted, "the provided network does not match the current range")));
    }
    return {};
  }
  const auto free_address = [&](std::int64_t number) {
    return !core.cache.get(address_key(format_address(static_cast<std::uint32_t>(number))));
  };
  // The first address is the API server's own.
  const auto found = !range ? std::nullopt
                            : find_free(core.executor.random(), std::int64_t{range->base} + 2,
                                        std::int64_t{range->count} - 1, free_address);
  if (!found) {
    return std::unexpected(schema::internal_error("failed to allocate a serviceIP: range is full"));
  }
  spec.set("clusterIP", format_address(static_cast<std::uint32_t>(*found)));
  return {};
}

void settle_families(Value& object) {
  Value& spec = object.mutate("spec");
  if (spec["type"].as_string() == "ExternalName") {
    for (const char* field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      spec.erase(field);
    }
    return;
  }
  spec.set("clusterIPs", Value::array({spec["clusterIP"]}));
  if (spec["ipFamilies"].empty()) spec.set("ipFamilies", Value::array({Value("IPv4")}));
  if (spec["ipFamilyPolicy"].is_null()) spec.set("ipFamilyPolicy", "SingleStack");
}

std::int64_t previous_port(const Value* old, const Value& port) {
  if (old == nullptr) return 0;
  for (const Value& before : old->at("spec", "ports").items()) {
    if (before["port"] == port["port"] && before["protocol"] == port["protocol"]) {
      return before["nodePort"].as_int(0);
    }
  }
  return 0;
}

Answer<void> choose_ports(Core& core, Value& object, const Value* old) {
  Value& ports = object.mutate("spec").mutate("ports");
  const bool wanted = has_node_ports(object);
  std::set<std::int64_t> taken = ports_of(&object);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    Value port = ports[i];
    if (!wanted) {
      // What a type without node ports still says of them was the former type's.
      const bool leftover = old != nullptr && has_node_ports(*old) &&
                            port["nodePort"].as_int(0) == previous_port(old, port);
      if (leftover) port.erase("nodePort");
    } else if (port["nodePort"].as_int(0) == 0) {
      std::int64_t number = previous_port(old, port);
      if (number == 0 || taken.contains(number)) {
        const auto found = find_free(
            core.executor.random(), kPortFirst, kPortLast - kPortFirst + 1, [&](std::int64_t p) {
              return !taken.contains(p) && !core.cache.get(node_port_key(p));
            });
        if (!found) {
          return std::unexpected(schema::internal_error("failed to allocate a nodePort"));
        }
        number = *found;
      }
      taken.insert(number);
      port.set("nodePort", number);
    }
    ports.mutable_items()[i] = std::move(port);
  }
  return {};
}

// Takes what `object` names and `old` does not hold, gives back the rest.
Answer<void> exchange_keys(Core& core, const Value& object, const Value* old,
                           store::Transaction& transaction) {
  const store::Bytes by = holder(object);
  const auto addresses = addresses_of(&object), addresses_before = addresses_of(old);
  for (const std::string& address : addresses) {
    if (addresses_before.contains(address)) continue;
    if (core.cache.get(address_key(address))) {
      return std::unexpected(
          refused(object, not_allotted(address, "provided IP is already allocated")));
    }
    take_key(address_key(address), by, transaction);
  }
  for (const std::string& address : addresses_before) {
    if (!addresses.contains(address)) transaction.deletes.push_back({address_key(address)});
  }
  const auto ports = ports_of(&object), ports_before = ports_of(old);
  for (const std::int64_t port : ports) {
    if (ports_before.contains(port)) continue;
    if (core.cache.get(node_port_key(port)) || port < kPortFirst || port > kPortLast) {
      return std::unexpected(refused(
          object,
          schema::invalid_value("spec.ports[0].nodePort", port,
                                port < kPortFirst || port > kPortLast
                                    ? "provided port is not in the valid range. The range of "
                                      "valid ports is 30000-32767"
                                    : "provided port is already allocated")));
    }
    take_key(node_port_key(port), by, transaction);
  }
  for (const std::int64_t port : ports_before) {
    if (!ports.contains(port)) transaction.deletes.push_back({node_port_key(port)});
  }
  return {};
}

}  // namespace

std::string format_address(std::uint32_t a) {
  return fmt::format("{}.{}.{}.{}", a >> 24, (a >> 16) & 255, (a >> 8) & 255, a & 255);
}

std::optional<std::uint32_t> parse_address(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number > 255) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (part < 3) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    address = address << 8 | number;
  }
  return text.empty() ? std::optional(address) : std::nullopt;
}

std::optional<ServiceRange> parse_service_range(std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto base = parse_address(cidr.substr(0, slash));
  int bits = 0;
  const std::string_view tail = cidr.substr(slash + 1);
  const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), bits);
  if (!base || error != std::errc() || end != tail.data() + tail.size()) return std::nullopt;
  if (bits < 8 || bits > 28) return std::nullopt;
  const std::uint32_t size = 1u << (32 - bits);
  return ServiceRange{*base & ~(size - 1), size - 2};
}

std::string address_key(std::string_view address) {
  return watch::store_key("allotted.keelway.dev", "serviceaddresses", "", address);
}

std::string node_port_key(std::int64_t port) {
  return watch::store_key("allotted.keelway.dev", "nodeports", "", std::to_string(port));
}

Answer<void> allot_service(Core& core, Operation&, Value& object, const Value* old,
                           store::Transaction& transaction) {
  // An update that leaves the address out keeps the one that is there.
  Value& spec = object.mutate("spec");
  if (old != nullptr && has_address(*old) && spec["clusterIP"].as_string().empty() &&
      spec["type"].as_string() != "ExternalName") {
    spec.set("clusterIP", old->at("spec", "clusterIP"));
  }
  // clusterIPs alone may name the address.
  if (spec["clusterIP"].as_string().empty() && !spec["clusterIPs"].empty()) {
    spec.set("clusterIP", Value(spec["clusterIPs"][0]));
  }
  if (old != nullptr && changes_address(object, *old)) return {};
  if (has_address(object)) {
    if (auto ok = choose_address(core, object); !ok) return ok;
  }
  settle_families(object);
  if (auto ok = choose_ports(core, object, old); !ok) return ok;
  return exchange_keys(core, object, old, transaction);
}

void free_service(Core&, const Value& old, store::Transaction& transaction) {
  for (const std::string& address : addresses_of(&old)) {
    transaction.deletes.push_back({address_key(address)});
  }
  for (const std::int64_t port : ports_of(&old)) {
    transaction.deletes.push_back({node_port_key(port)});
  }
}

}  // namespace keelway::apiserver
