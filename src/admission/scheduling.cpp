// What scheduling needs to find on nodes and pods: taints, tolerations, priority, runtime class.
#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "admission/plugins.h"
#include "client/resources.h"

namespace keelway::admission {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr std::string_view not_ready = "node.kubernetes.io/not-ready";
constexpr std::string_view unreachable = "node.kubernetes.io/unreachable";
constexpr const char* preempt_lower = "PreemptLowerPriority";

bool writes_pod(const Request& request) {
  return request.is(resources::pods) && request.subresource.empty() &&
         (request.operation == Operation::create || request.operation == Operation::update);
}

// A node takes no pods before its agent has said that it is ready.
class TaintNodesByCondition final : public Plugin {
 public:
  std::string_view name() const override { return "TaintNodesByCondition"; }
  schema::Answer<void> mutate(Request& request, const Context&) const override {
    if (request.operation != Operation::create || !request.is(resources::nodes) ||
        !request.subresource.empty()) {
      return {};
    }
    Value& taints = request.object.mutate("spec", "taints");
    const bool there =
        std::any_of(taints.items().begin(), taints.items().end(), [](const Value& taint) {
          return taint["key"].as_string() == not_ready &&
                 taint["effect"].as_string() == "NoSchedule";
        });
    if (!there) taints.push(Value::object({{"effect", "NoSchedule"}, {"key", not_ready}}));
    return {};
  }
};

class DefaultTolerationSeconds final : public Plugin {
 public:
  DefaultTolerationSeconds(std::int64_t not_ready_seconds, std::int64_t unreachable_seconds)
      : not_ready_seconds_(not_ready_seconds), unreachable_seconds_(unreachable_seconds) {}
  std::string_view name() const override { return "DefaultTolerationSeconds"; }

  schema::Answer<void> mutate(Request& request, const Context&) const override {
    if (!writes_pod(request)) return {};
    tolerate(request.object, not_ready, not_ready_seconds_);
    tolerate(request.object, unreachable, unreachable_seconds_);
    return {};
  }

 private:
  static void tolerate(Value& pod, std::string_view key, std::int64_t seconds) {
    const auto& own = pod.at("spec", "tolerations").items();
    const bool there = std::any_of(own.begin(), own.end(), [key](const Value& toleration) {
      const std::string& its_key = toleration["key"].as_string();
      const std::string& effect = toleration["effect"].as_string();
      return (its_key.empty() || its_key == key) && (effect.empty() || effect == "NoExecute");
    });
    if (there) return;
    pod.mutate("spec", "tolerations")
        .push(Value::object({{"effect", "NoExecute"},
                             {"key", key},
                             {"operator", "Exists"},
                             {"tolerationSeconds", seconds}}));
  }
  const std::int64_t not_ready_seconds_, unreachable_seconds_;
};

struct PriorityLevel {
  std::string class_name;
  std::int64_t value = 0;
  std::string preemption = preempt_lower;
};

PriorityLevel level_of(const schema::ObjectPtr& object) {
  const Value document = object->value();
  return {object->name(), document["value"].as_int(),
          std::string(document["preemptionPolicy"].string_or(preempt_lower))};
}

// Of several global defaults the lowest value counts.
PriorityLevel default_level(const client::View& view) {
  std::optional<PriorityLevel> lowest;
  for (const schema::ObjectPtr& object : view.list(resources::priority_classes)) {
    if (!object->value()["globalDefault"].as_bool()) continue;
    PriorityLevel level = level_of(object);
    if (!lowest || level.value < lowest->value) lowest = std::move(level);
  }
  return lowest.value_or(PriorityLevel{});
}

class Priority final : public Plugin {
 public:
  std::string_view name() const override { return "Priority"; }

  schema::Answer<void> mutate(Request& request, const Context& context) const override {
    if (!writes_pod(request)) return {};
    if (request.operation == Operation::update) {
      keep_old(request);
      return {};
    }
    Value& spec = request.object.mutate("spec");
    const std::string class_name = spec["priorityClassName"].as_string();
    const auto level = find(class_name, context.view);
    if (!level) {
      return forbid(request, fmt::format("no PriorityClass with name {} was found", class_name));
    }
    if (const Value* wish = spec.find("priority"); wish && wish->as_int() != level->value) {
      return forbid(request,
                    fmt::format("the integer value of priority ({}) must not be provided in pod "
                                "spec; priority admission controller computed {} from the given "
                                "PriorityClass name",
                                wish->as_int(), level->value));
    }
    if (const Value* wish = spec.find("preemptionPolicy");
        wish && wish->as_string() != level->preemption) {
      return forbid(
          request, fmt::format("the string value of PreemptionPolicy ({}) must not be provided in "
                               "pod spec; priority admission controller computed {} from the given "
                               "PriorityClass name",
                               wish->as_string(), level->preemption));
    }
    if (!level->class_name.empty()) spec.set("priorityClassName", level->class_name);
    spec.set("priority", level->value);
    spec.set("preemptionPolicy", level->preemption);
    return {};
  }

  schema::Answer<void> validate(const Request& request, const Context& context) const override {
    const bool writes =
        request.operation == Operation::create || request.operation == Operation::update;
    if (!writes || !request.is(resources::priority_classes) ||
        !request.object["globalDefault"].as_bool()) {
      return {};
    }
    const PriorityLevel current = default_level(context.view);
    if (current.class_name.empty() ||
        current.class_name == request.object.at("metadata", "name").as_string()) {
      return {};
    }
    return forbid(request,
                  fmt::format("PriorityClass {} is already marked as default. Only one default can "
                              "exist",
                              current.class_name));
  }

 private:
  static std::optional<PriorityLevel> find(const std::string& name, const client::View& view) {
    if (name.empty()) return default_level(view);
    if (const auto object = view.get(resources::priority_classes, "", name)) {
      return level_of(object);
    }
    // System pods must get in before the classes themselves are written.
    if (name == "system-cluster-critical") return PriorityLevel{name, 2'000'000'000};
    if (name == "system-node-critical") return PriorityLevel{name, 2'000'001'000};
    return std::nullopt;
  }

  // Computed fields that a client left out of its update stay as they are.
  static void keep_old(Request& request) {
    if (request.old == nullptr) return;
    for (const char* field : {"priority", "preemptionPolicy"}) {
      const Value* before = (*request.old)["spec"].find(field);
      if (before != nullptr && !request.object["spec"].contains(field)) {
        request.object.mutate("spec").set(field, *before);
      }
    }
  }
};

const client::Resource& runtime_classes() {
  static const client::Resource resource{"node.k8s.io", "v1", "runtimeclasses", "RuntimeClass",
                                         false};
  return resource;
}

class RuntimeClass final : public Plugin {
 public:
  std::string_view name() const override { return "RuntimeClass"; }

  schema::Answer<void> mutate(Request& request, const Context& context) const override {
    if (request.operation != Operation::create || !writes_pod(request)) return {};
    const std::string class_name = request.object.at("spec", "runtimeClassName").as_string();
    Value document;
    if (!class_name.empty()) {
      const auto found = context.view.get(runtime_classes(), "", class_name);
      if (!found) {
        return forbid(request,
                      fmt::format("pod rejected: RuntimeClass \"{}\" not found", class_name));
      }
      document = found->value();
    }
    const Value& overhead = document.at("overhead", "podFixed");
    const Value& wish = request.object.at("spec", "overhead");
    if (!wish.empty() && overhead.empty()) {
      return forbid(request,
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined "
                    "Overhead");
    }
    if (!wish.empty() && wish != overhead) {
      return forbid(request,
                    "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    }
    if (!overhead.empty()) request.object.mutate("spec").set("overhead", overhead);
    return place(request, document["scheduling"]);
  }

 private:
  static schema::Answer<void> place(Request& request, const Value& scheduling) {
    for (const auto& [key, text] : scheduling["nodeSelector"].members()) {
      const Value* own = request.object.at("spec", "nodeSelector").find(key);
      if (own != nullptr && *own != text) {
        return forbid(request, "pod rejected: conflict: runtimeClass.scheduling.nodeSelector[" +
                                   key + "] differs from the pod's");
      }
      request.object.mutate("spec", "nodeSelector").set(key, text);
    }
    for (const Value& toleration : scheduling["tolerations"].items()) {
      const auto& own = request.object.at("spec", "tolerations").items();
      if (std::find(own.begin(), own.end(), toleration) == own.end()) {
        request.object.mutate("spec", "tolerations").push(toleration);
      }
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Plugin> taint_nodes_by_condition() {
  return std::make_unique<TaintNodesByCondition>();
}
std::unique_ptr<Plugin> priority() {
  return std::make_unique<Priority>();
}
std::unique_ptr<Plugin> default_toleration_seconds(std::int64_t not_ready_seconds,
                                                   std::int64_t unreachable_seconds) {
  return std::make_unique<DefaultTolerationSeconds>(not_ready_seconds, unreachable_seconds);
}
std::unique_ptr<Plugin> runtime_class() {
  return std::make_unique<RuntimeClass>();
}

}  // namespace keelway::admission
