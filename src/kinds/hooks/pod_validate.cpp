// Pods and pod templates, but for their containers, volumes and scheduling terms.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

constexpr std::string_view kAppArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

void check_id(const Value& id, const std::string& field, FieldErrors& errors) {
  if (id.is_int() && (id.as_int() < 0 || id.as_int() > 2147483647)) {
    errors.push_back(invalid_value(field, id, "must be between 0 and 2147483647, inclusive"));
  }
}

void check_host_network(const Value& spec, const std::string& path, FieldErrors& errors) {
  if (!spec["hostNetwork"].as_bool()) return;
  std::size_t index = 0;
  for (const Value& container : spec["containers"].items()) {
    const std::string list = fmt::format("{}.containers[{}].ports", path, index++);
    std::size_t port_index = 0;
    for (const Value& port : container["ports"].items()) {
      const std::string here = fmt::format("{}[{}].hostPort", list, port_index++);
      if (port["hostPort"] != port["containerPort"] && port["hostPort"].as_int() != 0) {
        errors.push_back(invalid_value(here, port["hostPort"],
                                       "must match `containerPort` when `hostNetwork` is true"));
      }
    }
  }
}

void check_security(const Value& spec, const std::string& path, FieldErrors& errors) {
  check_host_network(spec, path, errors);
  const Value& context = spec["securityContext"];
  const std::string here = path + ".securityContext";
  for (const char* name : {"fsGroup", "runAsUser", "runAsGroup"}) {
    check_id(context[name], fmt::format("{}.{}", here, name), errors);
  }
  std::size_t index = 0;
  for (const Value& group : context["supplementalGroups"].items()) {
    check_id(group, fmt::format("{}.supplementalGroups[{}]", here, index++), errors);
  }
  if (spec["shareProcessNamespace"].as_bool() && spec["hostPID"].as_bool()) {
    errors.push_back(invalid_value(path + ".shareProcessNamespace", true,
                                   "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
}

void check_dns(const Value& spec, const std::string& path, FieldErrors& errors) {
  const Value& config = spec["dnsConfig"];
  if (spec["dnsPolicy"].as_string() == "None") {
    if (!config.is_object()) {
      errors.push_back(
          required(path + ".dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if (config["nameservers"].empty()) {
      errors.push_back(required(path + ".dnsConfig.nameservers",
                                "must provide at least one DNS nameserver when `dnsPolicy` is "
                                "None"));
    }
  }
  std::size_t index = 0;
  for (const Value& server : config["nameservers"].items()) {
    add(errors, fmt::format("{}.dnsConfig.nameservers[{}]", path, index++), server,
        schema::check_ip(server.as_string()));
  }
  if (config["nameservers"].size() > 3) {
    errors.push_back(invalid_value(path + ".dnsConfig.nameservers", config["nameservers"],
                                   "must not have more than 3 nameservers"));
  }
  index = 0;
  for (const Value& option : config["options"].items()) {
    const std::string here = fmt::format("{}.dnsConfig.options[{}]", path, index++);
    if (!is_set(option, "name")) errors.push_back(required(here, "must not be empty"));
  }
}

void check_gates(const Value& spec, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& gate : spec["readinessGates"].items()) {
    const Value& type = gate["conditionType"];
    add(errors, fmt::format("{}.readinessGates[{}].conditionType", path, index++), type,
        schema::check_qualified_name(type.as_string()));
  }
  std::set<std::string> names;
  index = 0;
  for (const Value& gate : spec["schedulingGates"].items()) {
    const std::string here = fmt::format("{}.schedulingGates[{}]", path, index++);
    const std::string& name = gate["name"].as_string();
    if (!names.insert(name).second) {
      errors.push_back(schema::duplicate_value(here, name));
      continue;
    }
    add(errors, here, name, schema::check_qualified_name(name));
  }
}

void check_windows(const Value& spec, const std::string& path, FieldErrors& errors) {
  const std::string& name = spec.at("os", "name").as_string();
  if (!spec["os"].is_object()) return;
  if (name.empty())
    errors.push_back(required(path + ".os.name"));
  else
    check_choice(spec.at("os", "name"), path + ".os.name", {"linux", "windows"}, errors);
  if (name != "windows") return;
  const auto forbid = [&](const Value& v, const std::string& field) {
    if (!v.is_null() && !(v.type() == value::Type::boolean && !v.as_bool())) {
      errors.push_back(forbidden_field(field, "cannot be set for a windows pod"));
    }
  };
  for (const char* field : {"hostPID", "hostIPC"}) {
    forbid(spec[field], fmt::format("{}.{}", path, field));
  }
  for (const char* field : {"seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy",
                            "sysctls", "runAsUser", "runAsGroup", "supplementalGroups"}) {
    forbid(spec["securityContext"][field], fmt::format("{}.securityContext.{}", path, field));
  }
  forbid(spec["shareProcessNamespace"], path + ".shareProcessNamespace");
}

void check_names(const Value& spec, const std::string& path, FieldErrors& errors) {
  const auto name = [&](const char* field, auto&& check) {
    const Value& v = spec[field];
    if (is_set(spec, field))
      add(errors, fmt::format("{}.{}", path, field), v, check(v.as_string()));
  };
  name("serviceAccountName", schema::check_dns1123_subdomain);
  name("nodeName", schema::check_dns1123_subdomain);
  const Value& deadline = spec["activeDeadlineSeconds"];
  if (deadline.is_int() && (deadline.as_int() < 1 || deadline.as_int() > 2147483647)) {
    errors.push_back(invalid_value(path + ".activeDeadlineSeconds", deadline,
                                   "must be between 1 and 2147483647, inclusive"));
  }
  name("hostname", schema::check_dns1123_label);
  name("subdomain", schema::check_dns1123_label);
}

void check_late_names(const Value& spec, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& alias : spec["hostAliases"].items()) {
    const std::string here = fmt::format("{}.hostAliases[{}]", path, index++);
    add(errors, here + ".ip", alias["ip"], schema::check_ip(alias["ip"].as_string()));
    for (const Value& name : alias["hostnames"].items()) {
      add(errors, here + ".hostnames", name, schema::check_dns1123_subdomain(name.as_string()));
    }
  }
  for (const char* field : {"priorityClassName", "runtimeClassName"}) {
    if (!is_set(spec, field)) continue;
    add(errors, fmt::format("{}.{}", path, field), spec[field],
        schema::check_dns1123_subdomain(spec[field].as_string()));
  }
  check_choice(spec["preemptionPolicy"], path + ".preemptionPolicy",
               {"Never", "PreemptLowerPriority"}, errors);
}

// metadata.annotations that name a profile per container.
void check_app_armor(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  for (const value::Member& member : object.at("metadata", "annotations").members()) {
    if (!member.first.starts_with(kAppArmorPrefix)) continue;
    const std::string name = member.first.substr(kAppArmorPrefix.size());
    const std::string here = fmt::format("metadata.annotations[{}]", member.first);
    bool found = false;
    for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
      for (const Value& container : spec[list].items()) {
        found = found || container["name"].as_string() == name;
      }
    }
    if (!found) errors.push_back(invalid_value(here, name, "container not found"));
    const std::string& profile = member.second.as_string();
    const bool known = profile.empty() || profile == "runtime/default" || profile == "unconfined" ||
                       profile.starts_with("localhost/");
    if (!known) {
      errors.push_back(invalid_value(
          here, profile, fmt::format("invalid AppArmor profile name: \"{}\"", profile)));
    }
  }
}

bool contains(const Value& list, const Value& wanted) {
  return std::ranges::find(list.items(), wanted) != list.items().end();
}

void copy_field(Value& to, const Value& from, const char* field) {
  if (from.contains(field))
    to.set(field, from[field]);
  else
    to.erase(field);
}

void check_images(const Value& now, const Value& before, const char* list, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& container : now[list].items()) {
    if (!is_set(container, "image") && is_set(before[list][index], "image")) {
      errors.push_back(required(fmt::format("spec.{}[{}].image", list, index)));
    }
    ++index;
  }
}

// Takes what may change from `before` into `now`; what differs then may not change.
Value without_mutable_fields(const Value& now, const Value& before) {
  Value spec = now;
  for (const char* list : {"containers", "initContainers"}) {
    if (spec[list].empty()) continue;
    std::size_t index = 0;
    for (Value& container : spec.mutate(list).mutable_items()) {
      copy_field(container, before[list][index++], "image");
    }
  }
  copy_field(spec, before, "activeDeadlineSeconds");
  copy_field(spec, before, "tolerations");
  const std::int64_t grace_before = before["terminationGracePeriodSeconds"].as_int();
  if (grace_before < 0 && spec["terminationGracePeriodSeconds"].as_int() == 1) {
    copy_field(spec, before, "terminationGracePeriodSeconds");
  }
  copy_field(spec, before, "schedulingGates");
  if (!before["schedulingGates"].empty()) {
    copy_field(spec, before, "nodeSelector");
    copy_field(spec, before, "affinity");
  }
  return spec;
}

void check_additions(const Value& now, const Value& before, FieldErrors& errors) {
  for (const Value& toleration : before["tolerations"].items()) {
    const bool kept = std::ranges::any_of(now["tolerations"].items(), [&](const Value& other) {
      Value same = other;
      copy_field(same, toleration, "tolerationSeconds");
      return same == toleration;
    });
    if (kept) continue;
    errors.push_back(forbidden_field("spec.tolerations",
                                     "existing toleration can not be modified except its "
                                     "tolerationSeconds"));
  }
  for (const Value& gate : now["schedulingGates"].items()) {
    if (contains(before["schedulingGates"], gate)) continue;
    errors.push_back(
        forbidden_field("spec.schedulingGates",
                        fmt::format("only deletion is allowed, but found new scheduling gate '{}'",
                                    gate["name"].as_string())));
  }
  const Value& deadline = now["activeDeadlineSeconds"];
  const Value& deadline_before = before["activeDeadlineSeconds"];
  if (deadline_before.is_int() && deadline.as_int() > deadline_before.as_int()) {
    errors.push_back(invalid_value("spec.activeDeadlineSeconds", deadline,
                                   fmt::format("must be less than or equal to previous value")));
  } else if (deadline_before.is_int() && deadline.is_null()) {
    errors.push_back(invalid_value("spec.activeDeadlineSeconds", "",
                                   "must not update from a positive integer to nil value"));
  }
}

void check_update(const Value& now, const Value& before, FieldErrors& errors) {
  if (now == before) return;
  for (const char* list : {"containers", "initContainers"}) {
    if (now[list].size() != before[list].size()) {
      errors.push_back(forbidden_field(fmt::format("spec.{}", list),
                                       "pod updates may not add or remove containers"));
    }
  }
  if (!errors.empty()) return;
  check_images(now, before, "containers", errors);
  check_images(now, before, "initContainers", errors);
  check_additions(now, before, errors);
  const Value rest = without_mutable_fields(now, before);
  if (rest == before) return;
  std::string changed;
  for (const value::Member& member : rest.members()) {
    if (before[member.first] != member.second) changed += fmt::format("\n  {}", member.first);
  }
  for (const value::Member& member : before.members()) {
    if (!rest.contains(member.first)) changed += fmt::format("\n  {}", member.first);
  }
  errors.push_back(forbidden_field(
      "spec",
      "pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),"
      "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
      "negative)" +
          changed));
}

}  // namespace

void validate_pod_spec(const Value& spec, const std::string& path, FieldErrors& errors) {
  validate_volumes(spec["volumes"], path + ".volumes", errors);
  validate_containers(spec, path, errors);
  check_choice(spec["restartPolicy"], path + ".restartPolicy", {"Always", "OnFailure", "Never"},
               errors);
  check_choice(spec["dnsPolicy"], path + ".dnsPolicy",
               {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"}, errors);
  schema::validate_labels(spec["nodeSelector"], path + ".nodeSelector", errors);
  check_security(spec, path, errors);
  validate_scheduling(spec, path, errors);
  check_dns(spec, path, errors);
  check_gates(spec, path, errors);
  check_names(spec, path, errors);
  check_late_names(spec, path, errors);
  check_windows(spec, path, errors);
}

void validate_pod_template(const Value& pod_template, const std::string& path,
                           FieldErrors& errors) {
  schema::validate_labels(pod_template.at("metadata", "labels"), path + ".metadata.labels", errors);
  validate_pod_spec(pod_template["spec"], path + ".spec", errors);
  if (!pod_template.at("spec", "ephemeralContainers").empty()) {
    errors.push_back(forbidden_field(path + ".spec.ephemeralContainers",
                                     "ephemeral containers not allowed in pod template"));
  }
}

void validate_pod(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  if (old != nullptr) {
    FieldErrors found;
    check_update(object["spec"], (*old)["spec"], found);
    errors.insert(errors.end(), found.begin(), found.end());
    return;
  }
  check_app_armor(object, errors);
  validate_pod_spec(object["spec"], "spec", errors);
}

}  // namespace keelway::kinds
