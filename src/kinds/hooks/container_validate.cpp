// Containers of a pod: names, images, ports, environment, mounts, probes, resources.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/quantity.h"
#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using base::Quantity;
using schema::forbidden_field;
using schema::invalid_value;
using schema::not_supported;
using schema::required;

std::string at(const std::string& path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

// What the checks of one container need to know of its pod.
struct PodContext {
  std::set<std::string> volumes;
  bool host_network = false;
};

void check_port_or_name(const Value& port, const std::string& field, FieldErrors& errors) {
  if (port.is_string())
    add(errors, field, port, schema::check_port_name(port.as_string()));
  else
    add(errors, field, port, schema::check_port_number(port.as_int()));
}

void check_ports(const Value& ports, const std::string& path, FieldErrors& errors) {
  std::set<std::string> names;
  std::size_t index = 0;
  for (const Value& port : ports.items()) {
    const std::string here = at(path, index++);
    const std::string& name = port["name"].as_string();
    if (!name.empty()) {
      const auto complaints = schema::check_port_name(name);
      add(errors, here + ".name", name, complaints);
      if (complaints.empty() && !names.insert(name).second) {
        errors.push_back(schema::duplicate_value(here + ".name", name));
      }
    }
    if (port["containerPort"].as_int() == 0)
      errors.push_back(required(here + ".containerPort"));
    else
      add(errors, here + ".containerPort", port["containerPort"],
          schema::check_port_number(port["containerPort"].as_int()));
    if (port["hostPort"].as_int() != 0) {
      add(errors, here + ".hostPort", port["hostPort"],
          schema::check_port_number(port["hostPort"].as_int()));
    }
    if (!is_set(port, "protocol"))
      errors.push_back(required(here + ".protocol"));
    else
      check_choice(port["protocol"], here + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  }
}

void check_value_from(const Value& variable, const std::string& path, FieldErrors& errors) {
  const Value& from = variable["valueFrom"];
  if (!from.is_object()) return;
  std::size_t sources = 0;
  if (const Value* field = from.find("fieldRef"); field != nullptr) {
    ++sources;
    const std::string here = path + ".fieldRef";
    const std::string& name = (*field)["fieldPath"].as_string();
    if (!is_set(*field, "apiVersion")) errors.push_back(required(here + ".apiVersion"));
    const bool subscript =
        name.starts_with("metadata.annotations['") || name.starts_with("metadata.labels['");
    if (name.empty()) {
      errors.push_back(required(here + ".fieldPath"));
    } else if (!subscript) {
      check_choice((*field)["fieldPath"], here + ".fieldPath",
                   {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP",
                    "status.podIPs"},
                   errors);
    }
  }
  if (const Value* resource = from.find("resourceFieldRef"); resource != nullptr) {
    ++sources;
    const std::string here = path + ".resourceFieldRef.resource";
    const std::string& name = (*resource)["resource"].as_string();
    const bool pages =
        name.starts_with("limits.hugepages-") || name.starts_with("requests.hugepages-");
    if (name.empty())
      errors.push_back(required(here));
    else if (!pages) {
      check_choice((*resource)["resource"], here,
                   {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
                    "requests.ephemeral-storage", "requests.memory"},
                   errors);
    }
  }
  for (const char* kind : {"configMapKeyRef", "secretKeyRef"}) {
    const Value* reference = from.find(kind);
    if (reference == nullptr) continue;
    ++sources;
    const std::string here = fmt::format("{}.{}", path, kind);
    if (!is_set(*reference, "name")) errors.push_back(required(here + ".name"));
    const Value& key = (*reference)["key"];
    if (!is_set(*reference, "key"))
      errors.push_back(required(here + ".key"));
    else
      add(errors, here + ".key", key, schema::check_config_map_key(key.as_string()));
  }
  if (sources == 0) {
    errors.push_back(invalid_value(path, "",
                                   "must specify one of: `fieldRef`, `resourceFieldRef`, "
                                   "`configMapKeyRef` or `secretKeyRef`"));
  } else if (is_set(variable, "value")) {
    errors.push_back(invalid_value(path, "", "may not be specified when `value` is not empty"));
  } else if (sources > 1) {
    errors.push_back(
        invalid_value(path, "", "may not have more than one field specified at a time"));
  }
}

void check_environment(const Value& container, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& variable : container["env"].items()) {
    const std::string here = at(path + ".env", index++);
    const std::string& name = variable["name"].as_string();
    if (name.empty())
      errors.push_back(required(here + ".name"));
    else
      add(errors, here + ".name", name, schema::check_env_name(name));
    check_value_from(variable, here + ".valueFrom", errors);
  }
  index = 0;
  for (const Value& source : container["envFrom"].items()) {
    const std::string here = at(path + ".envFrom", index++);
    std::size_t sources = 0;
    for (const char* kind : {"configMapRef", "secretRef"}) {
      if (!source[kind].is_object()) continue;
      ++sources;
      if (!is_set(source[kind], "name")) {
        errors.push_back(required(fmt::format("{}.{}.name", here, kind)));
      }
    }
    if (sources == 0) {
      errors.push_back(
          invalid_value(here, "", "must specify one of: `configMapRef` or `secretRef`"));
    } else if (sources > 1) {
      errors.push_back(
          invalid_value(here, "", "may not have more than one field specified at a time"));
    }
  }
}

bool has_parent_step(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == path.npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

void check_mounts(const Value& container, const std::string& path, const PodContext& pod,
                  FieldErrors& errors) {
  std::set<std::string> places;
  std::size_t index = 0;
  const std::string list = path + ".volumeMounts";
  for (const Value& mount : container["volumeMounts"].items()) {
    const std::string here = at(list, index++);
    const std::string& name = mount["name"].as_string();
    if (name.empty()) {
      errors.push_back(required(here + ".name"));
    } else if (!pod.volumes.contains(name)) {
      schema::FieldError error = invalid_value(here + ".name", name, "");
      error.type = schema::FieldError::Type::not_found;
      errors.push_back(std::move(error));
    }
    const std::string& place = mount["mountPath"].as_string();
    if (place.empty())
      errors.push_back(required(here + ".mountPath"));
    else if (!places.insert(place).second) {
      errors.push_back(invalid_value(here + ".mountPath", place, "must be unique"));
    }
    if (const std::string& sub = mount["subPath"].as_string(); !sub.empty()) {
      if (sub.front() == '/') {
        errors.push_back(invalid_value(here + ".subPath", sub, "must be a relative path"));
      }
      if (has_parent_step(sub)) {
        errors.push_back(invalid_value(here + ".subPath", sub, "must not contain '..'"));
      }
    }
    const Value& propagation = mount["mountPropagation"];
    check_choice(propagation, list + ".mountPropagation",
                 {"Bidirectional", "HostToContainer", "None"}, errors);
    if (propagation.as_string() == "Bidirectional" &&
        !container.at("securityContext", "privileged").as_bool()) {
      errors.push_back(forbidden_field(
          list + ".mountPropagation",
          "Bidirectional mount propagation is available only to privileged containers"));
    }
  }
}

void check_handler(const Value& handler, const std::string& path, FieldErrors& errors) {
  std::size_t handlers = 0;
  const auto one_more = [&](const char* name) {
    if (!handler[name].is_object()) return false;
    if (handlers++ == 0) return true;
    errors.push_back(forbidden_field(fmt::format("{}.{}", path, name),
                                     "may not specify more than 1 handler type"));
    return false;
  };
  if (one_more("exec") && handler.at("exec", "command").empty()) {
    errors.push_back(required(path + ".exec.command"));
  }
  if (one_more("httpGet")) {
    const Value& get = handler["httpGet"];
    if (!is_set(get, "path")) errors.push_back(required(path + ".httpGet.path"));
    check_port_or_name(get["port"], path + ".httpGet.port", errors);
    check_choice(get["scheme"], path + ".httpGet.scheme", {"HTTP", "HTTPS"}, errors);
  }
  if (one_more("tcpSocket")) {
    check_port_or_name(handler.at("tcpSocket", "port"), path + ".tcpSocket.port", errors);
  }
  if (one_more("grpc")) {
    check_port_or_name(handler.at("grpc", "port"), path + ".grpc.port", errors);
  }
  if (one_more("sleep")) {
    check_not_negative(handler.at("sleep", "seconds"), path + ".sleep.seconds", errors);
  }
  if (handlers == 0) errors.push_back(required(path, "must specify a handler type"));
}

void check_probe(const Value& probe, const std::string& path, bool success_once,
                 FieldErrors& errors) {
  if (!probe.is_object()) return;
  check_handler(probe, path, errors);
  for (const char* name : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                           "successThreshold", "failureThreshold"}) {
    check_not_negative(probe[name], fmt::format("{}.{}", path, name), errors);
  }
  const Value& grace = probe["terminationGracePeriodSeconds"];
  if (grace.is_int() && grace.as_int() <= 0) {
    errors.push_back(
        invalid_value(path + ".terminationGracePeriodSeconds", grace, "must be greater than 0"));
  }
  if (success_once && probe["successThreshold"].as_int(1) != 1) {
    errors.push_back(
        invalid_value(path + ".successThreshold", probe["successThreshold"], "must be 1"));
  }
}

bool is_native(std::string_view name) {
  return name.find('/') == name.npos || name.find("kubernetes.io/") != name.npos;
}

bool may_overcommit(std::string_view name) {
  return is_native(name) && !name.starts_with("hugepages-");
}

// resource.Quantity in Go's own notation.
std::string go_quantity(const std::string& text) {
  static constexpr std::array<std::pair<std::string_view, int>, 10> suffixes{{{"n", -9},
                                                                              {"u", -6},
                                                                              {"m", -3},
                                                                              {"", 0},
                                                                              {"k", 3},
                                                                              {"M", 6},
                                                                              {"G", 9},
                                                                              {"T", 12},
                                                                              {"P", 15},
                                                                              {"E", 18}}};
  const std::size_t end = text.find_first_not_of("+-0123456789");
  const std::string number = text.substr(0, end);
  const std::string suffix = end == text.npos ? "" : text.substr(end);
  int scale = 0;
  for (const auto& [name, power] : suffixes) {
    if (name == suffix) scale = power;
  }
  return fmt::format(
      "resource.Quantity{{i:resource.int64Amount{{value:{}, scale:{}}}, "
      "d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, s:\"{}\", Format:\"DecimalSI\"}}",
      number, scale, text);
}

void check_amount(const value::Member& entry, const std::string& path, FieldErrors& errors) {
  const std::string here = fmt::format("{}[{}]", path, entry.first);
  const std::string& text = entry.second.as_string();
  const Quantity amount = Quantity::parse_or_zero(text);
  add(errors, here, entry.first, schema::check_qualified_name(entry.first));
  const bool standard = entry.first == "cpu" || entry.first == "memory" ||
                        entry.first == "ephemeral-storage" || entry.first.starts_with("hugepages-");
  if (entry.first.find('/') == std::string::npos && !standard) {
    errors.push_back(
        invalid_value(here, entry.first, "must be a standard resource for containers"));
  }
  if (amount.sign() < 0) {
    errors.push_back(invalid_value(here, text, "must be greater than or equal to 0"));
  }
  if (!is_native(entry.first) && !amount.is_integer()) {
    add_printed(errors, here, go_quantity(text), "must be an integer");
  }
}

void check_resources(const Value& resources, const std::string& path, FieldErrors& errors) {
  const Value& limits = resources["limits"];
  const Value& requests = resources["requests"];
  for (const value::Member& limit : limits.members()) {
    check_amount(limit, path + ".limits", errors);
  }
  for (const value::Member& request : requests.members()) {
    check_amount(request, path + ".requests", errors);
    const Value* limit = limits.find(request.first);
    if (limit == nullptr) {
      if (!may_overcommit(request.first)) {
        errors.push_back(
            required(path + ".limits", "Limit must be set for non overcommitable resources"));
      }
      continue;
    }
    const std::string& text = request.second.as_string();
    const Quantity wanted = Quantity::parse_or_zero(text);
    const Quantity most = Quantity::parse_or_zero(limit->as_string());
    if (!may_overcommit(request.first) && wanted != most) {
      errors.push_back(invalid_value(
          path + ".requests", text,
          fmt::format("must be equal to {} limit of {}", request.first, limit->as_string())));
    } else if (wanted > most) {
      errors.push_back(invalid_value(path + ".requests", text,
                                     fmt::format("must be less than or equal to {} limit of {}",
                                                 request.first, limit->as_string())));
    }
  }
}

std::string go_security_context(const Value& v) {
  return fmt::format(
      "core.SecurityContext{{Capabilities:{}, Privileged:{}, SELinuxOptions:{}, "
      "WindowsOptions:{}, RunAsUser:{}, RunAsGroup:{}, RunAsNonRoot:{}, "
      "ReadOnlyRootFilesystem:{}, AllowPrivilegeEscalation:{}, ProcMount:{}, SeccompProfile:{}, "
      "AppArmorProfile:{}}}",
      go_pointer("core.Capabilities", v["capabilities"]), go_pointer("bool", v["privileged"]),
      go_pointer("core.SELinuxOptions", v["seLinuxOptions"]),
      go_pointer("core.WindowsSecurityContextOptions", v["windowsOptions"]),
      go_pointer("int64", v["runAsUser"]), go_pointer("int64", v["runAsGroup"]),
      go_pointer("bool", v["runAsNonRoot"]), go_pointer("bool", v["readOnlyRootFilesystem"]),
      go_pointer("bool", v["allowPrivilegeEscalation"]),
      go_pointer("core.ProcMountType", v["procMount"]),
      go_pointer("core.SeccompProfile", v["seccompProfile"]),
      go_pointer("core.AppArmorProfile", v["appArmorProfile"]));
}

void check_security(const Value& context, const std::string& path, FieldErrors& errors) {
  if (!context.is_object()) return;
  for (const char* name : {"runAsUser", "runAsGroup"}) {
    const Value& id = context[name];
    if (id.is_int() && (id.as_int() < 0 || id.as_int() > 2147483647)) {
      errors.push_back(invalid_value(fmt::format("{}.{}", path, name), id,
                                     "must be between 0 and 2147483647, inclusive"));
    }
  }
  const Value& escalation = context["allowPrivilegeEscalation"];
  if (escalation.is_null() || escalation.as_bool()) return;
  if (context["privileged"].as_bool()) {
    add_printed(errors, path, go_security_context(context),
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  for (const Value& capability : context.at("capabilities", "add").items()) {
    if (capability.as_string() != "CAP_SYS_ADMIN") continue;
    add_printed(errors, path, go_security_context(context),
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                "CAP_SYS_ADMIN");
  }
}

void check_common(const Value& container, const std::string& path, const PodContext& pod,
                  FieldErrors& errors) {
  const std::string& name = container["name"].as_string();
  if (name.empty())
    errors.push_back(required(path + ".name"));
  else
    add(errors, path + ".name", name, schema::check_dns1123_label(name));
  const std::string& image = container["image"].as_string();
  if (image.empty())
    errors.push_back(required(path + ".image"));
  else if (image.front() == ' ' || image.back() == ' ') {
    errors.push_back(
        invalid_value(path + ".image", image, "must not have leading or trailing whitespace"));
  }
  check_choice(container["terminationMessagePolicy"], path + ".terminationMessagePolicy",
               {"File", "FallbackToLogsOnError"}, errors);
  check_ports(container["ports"], path + ".ports", errors);
  check_environment(container, path, errors);
  check_mounts(container, path, pod, errors);
  check_choice(container["imagePullPolicy"], path + ".imagePullPolicy",
               {"Always", "IfNotPresent", "Never"}, errors);
  check_resources(container["resources"], path + ".resources", errors);
  check_security(container["securityContext"], path + ".securityContext", errors);
}

void check_life(const Value& container, const std::string& path, FieldErrors& errors) {
  for (const char* name : {"postStart", "preStop"}) {
    const Value& handler = container["lifecycle"][name];
    if (handler.is_object()) {
      check_handler(handler, fmt::format("{}.lifecycle.{}", path, name), errors);
    }
  }
  check_probe(container["livenessProbe"], path + ".livenessProbe", true, errors);
  check_probe(container["readinessProbe"], path + ".readinessProbe", false, errors);
  check_probe(container["startupProbe"], path + ".startupProbe", true, errors);
}

// Ports of the host may be asked for once in a list of containers.
void check_host_ports(const Value& containers, const std::string& path, FieldErrors& errors) {
  std::set<std::string> taken;
  std::size_t index = 0;
  for (const Value& container : containers.items()) {
    const std::string list = at(path, index++) + ".ports";
    std::size_t port_index = 0;
    for (const Value& port : container["ports"].items()) {
      const std::string here = at(list, port_index++) + ".hostPort";
      if (port["hostPort"].as_int() == 0) continue;
      const std::string key = fmt::format("{}/{}/{}", port["protocol"].as_string(),
                                          port["hostIP"].as_string(), port["hostPort"].as_int());
      if (!taken.insert(key).second) errors.push_back(schema::duplicate_value(here, key));
    }
  }
}

void check_init(const Value& spec, const std::string& path, const PodContext& pod,
                std::set<std::string>& names, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& container : spec["initContainers"].items()) {
    const std::string here = at(path + ".initContainers", index++);
    check_common(container, here, pod, errors);
    check_choice(container["restartPolicy"], here + ".restartPolicy", {"Always"}, errors);
    const std::string& name = container["name"].as_string();
    if (!name.empty() && !names.insert(name).second) {
      errors.push_back(schema::duplicate_value(here + ".name", name));
    }
    const bool sidecar = container["restartPolicy"].as_string() == "Always";
    if (sidecar) {
      check_life(container, here, errors);
      continue;
    }
    for (const char* field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
      if (container[field].is_object()) {
        errors.push_back(
            forbidden_field(fmt::format("{}.{}", here, field),
                            "may not be set for init containers without restartPolicy=Always"));
      }
    }
  }
}

void check_ephemeral(const Value& spec, const std::string& path, const PodContext& pod,
                     std::set<std::string>& names, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& container : spec["ephemeralContainers"].items()) {
    const std::string here = at(path + ".ephemeralContainers", index++);
    check_common(container, here, pod, errors);
    const std::string& name = container["name"].as_string();
    if (!name.empty() && !names.insert(name).second) {
      errors.push_back(schema::duplicate_value(here + ".name", name));
    }
    for (const char* field : {"lifecycle", "livenessProbe", "ports", "readinessProbe",
                              "resizePolicy", "startupProbe"}) {
      if (!container[field].empty()) {
        errors.push_back(forbidden_field(fmt::format("{}.{}", here, field),
                                         "cannot be set for an Ephemeral Container"));
      }
    }
  }
}

}  // namespace

void validate_containers(const Value& spec, const std::string& path, FieldErrors& errors) {
  PodContext pod;
  pod.host_network = spec["hostNetwork"].as_bool();
  for (const Value& volume : spec["volumes"].items())
    pod.volumes.insert(volume["name"].as_string());
  const Value& containers = spec["containers"];
  const std::string list = path + ".containers";
  if (containers.empty()) {
    errors.push_back(required(list));
    return;
  }
  std::set<std::string> names;
  std::size_t index = 0;
  for (const Value& container : containers.items()) {
    const std::string here = at(list, index++);
    check_common(container, here, pod, errors);
    const std::string& name = container["name"].as_string();
    if (!name.empty() && !names.insert(name).second) {
      errors.push_back(schema::duplicate_value(here + ".name", name));
    }
    check_life(container, here, errors);
    if (is_set(container, "restartPolicy")) {
      errors.push_back(
          forbidden_field(here + ".restartPolicy", "may not be set for non-init containers"));
    }
  }
  check_host_ports(containers, list, errors);
  check_init(spec, path, pod, names, errors);
  check_ephemeral(spec, path, pod, names, errors);
}

}  // namespace keelway::kinds
