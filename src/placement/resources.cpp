#include "placement/resources.h"

#include <algorithm>
#include <limits>

#include "base/quantity.h"

namespace keelway::placement {
namespace {

Amount saturating_add(Amount a, Amount b) {
  Amount sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<Amount>::max() : std::numeric_limits<Amount>::min();
}

Amount read_amount(std::string_view name, const value::Value& amount) {
  if (amount.is_int()) return name == "cpu" ? amount.as_int() * 1000 : amount.as_int();
  return parse_amount(amount.as_string(), name == "cpu").value_or(0);
}

bool is_binary(std::string_view resource) {
  return resource == "memory" || resource == "ephemeral-storage" ||
         resource.starts_with("hugepages-");
}

bool is_sidecar(const value::Value& container) {
  return container["restartPolicy"].as_string() == "Always";
}

// Pod-level requests, where a pod states them, stand above those of its containers.
void apply_pod_level(const value::Value& spec, ResourceList& requests) {
  const value::Value& own = spec.at("resources", "requests");
  const ResourceList stated = ResourceList::read(own);
  for (const char* name : {"cpu", "memory"}) {
    if (own.contains(name)) requests.set(name, stated.get(name));
  }
}

}  // namespace

std::optional<Amount> parse_amount(std::string_view text, bool milli) {
  const base::Result<base::Quantity> quantity = base::Quantity::parse(text);
  if (!quantity) return std::nullopt;
  return milli ? quantity->milli_value() : quantity->value();
}

ResourceList ResourceList::read(const value::Value& document) {
  ResourceList list;
  for (const auto& [name, amount] : document.members()) {
    list.set(name, read_amount(name, amount));
  }
  return list;
}

Amount ResourceList::get(std::string_view name) const {
  if (name == "cpu") return milli_cpu;
  if (name == "memory") return memory;
  if (name == "ephemeral-storage") return ephemeral_storage;
  if (name == "pods") return pods;
  for (const auto& [key, amount] : others_) {
    if (key == name) return amount;
  }
  return 0;
}

void ResourceList::set(std::string_view name, Amount amount) {
  if (name == "cpu")
    milli_cpu = amount;
  else if (name == "memory")
    memory = amount;
  else if (name == "ephemeral-storage")
    ephemeral_storage = amount;
  else if (name == "pods")
    pods = amount;
  else {
    const auto at = std::lower_bound(others_.begin(), others_.end(), name,
                                     [](const std::pair<std::string, Amount>& entry,
                                        std::string_view n) { return entry.first < n; });
    const bool found = at != others_.end() && at->first == name;
    // Zero amounts are not kept, so that equal lists compare equal.
    if (found && amount == 0)
      others_.erase(at);
    else if (found)
      at->second = amount;
    else if (amount != 0)
      others_.emplace(at, std::string(name), amount);
  }
}

void ResourceList::add(const ResourceList& other, int times) {
  milli_cpu = saturating_add(milli_cpu, times * other.milli_cpu);
  memory = saturating_add(memory, times * other.memory);
  ephemeral_storage = saturating_add(ephemeral_storage, times * other.ephemeral_storage);
  pods = saturating_add(pods, times * other.pods);
  for (const auto& [name, amount] : other.others_) {
    set(name, saturating_add(get(name), times * amount));
  }
}

void ResourceList::raise_to(const ResourceList& other) {
  milli_cpu = std::max(milli_cpu, other.milli_cpu);
  memory = std::max(memory, other.memory);
  ephemeral_storage = std::max(ephemeral_storage, other.ephemeral_storage);
  pods = std::max(pods, other.pods);
  for (const auto& [name, amount] : other.others_) {
    if (amount > get(name)) set(name, amount);
  }
}

bool ResourceList::fits_in(const ResourceList& free) const {
  const auto fits = [](Amount wanted, Amount have) { return wanted <= 0 || wanted <= have; };
  if (!fits(milli_cpu, free.milli_cpu) || !fits(memory, free.memory) ||
      !fits(ephemeral_storage, free.ephemeral_storage) || !fits(pods, free.pods)) {
    return false;
  }
  for (const auto& [name, amount] : others_) {
    if (!fits(amount, free.get(name))) return false;
  }
  return true;
}

bool ResourceList::is_zero() const {
  return milli_cpu == 0 && memory == 0 && ephemeral_storage == 0 && pods == 0 && others_.empty();
}

void ResourceList::for_each(const std::function<void(std::string_view, Amount)>& visit) const {
  if (milli_cpu != 0) visit("cpu", milli_cpu);
  if (memory != 0) visit("memory", memory);
  if (ephemeral_storage != 0) visit("ephemeral-storage", ephemeral_storage);
  if (pods != 0) visit("pods", pods);
  for (const auto& [name, amount] : others_) visit(name, amount);
}

value::Value ResourceList::to_value() const {
  value::Value document = value::Value::object();
  for_each([&](std::string_view name, Amount amount) {
    document.set(name, format_amount(name, amount));
  });
  return document;
}

ResourceList pod_requests(const value::Value& pod) {
  const value::Value& spec = pod["spec"];
  ResourceList running;
  for (const value::Value& container : spec["containers"].items()) {
    running.add(ResourceList::read(container.at("resources", "requests")));
  }
  ResourceList sidecars, starting;
  for (const value::Value& container : spec["initContainers"].items()) {
    ResourceList own = ResourceList::read(container.at("resources", "requests"));
    if (is_sidecar(container)) {
      sidecars.add(own);
      running.add(own);
      starting.raise_to(sidecars);
    } else {
      own.add(sidecars);
      starting.raise_to(own);
    }
  }
  running.raise_to(starting);
  apply_pod_level(spec, running);
  running.add(ResourceList::read(spec["overhead"]));
  running.pods = 1;
  return running;
}

std::string format_amount(std::string_view resource, Amount amount) {
  if (resource == "cpu") return base::Quantity::of_milli(amount).to_string();
  const auto format =
      is_binary(resource) ? base::Quantity::Format::binary_si : base::Quantity::Format::decimal_si;
  return base::Quantity::of(amount, format).to_string();
}

}  // namespace keelway::placement
