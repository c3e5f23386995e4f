#include "schema/ownership.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/time.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr std::size_t kUpdatersMax = 10;
constexpr std::string_view kAncient = "ancient-changes";

std::int64_t seconds_of(const std::string& time) {
  const auto at = base::parse_rfc3339(time);
  return at ? at->seconds() : 0;
}

}  // namespace

std::optional<Owners> read_owners(const Value& managed_fields) {
  Owners owners;
  if (!managed_fields.is_null() && !managed_fields.is_array()) return std::nullopt;
  for (const Value& entry : managed_fields.items()) {
    const std::string& operation = entry["operation"].as_string();
    const bool known = operation == "Apply" || operation == "Update";
    if (!known || entry["fieldsType"].string_or("FieldsV1") != "FieldsV1") return std::nullopt;
    ManagerId id{entry["manager"].as_string(), operation == "Apply", "",
                 entry["subresource"].as_string()};
    const std::string& version = entry["apiVersion"].as_string();
    if (!id.apply) id.api_version = version;
    owners[std::move(id)] = {FieldSet::from_fields_v1(entry["fieldsV1"]), version,
                             entry["time"].as_string()};
  }
  return owners;
}

Value write_owner(const ManagerId& id, const Owned& owned) {
  value::Members members;
  members.reserve(7);
  members.emplace_back("apiVersion", owned.api_version);
  members.emplace_back("fieldsType", "FieldsV1");
  members.emplace_back("fieldsV1", owned.fields.to_fields_v1());
  members.emplace_back("manager", id.manager);
  members.emplace_back("operation", id.apply ? "Apply" : "Update");
  if (!id.subresource.empty()) members.emplace_back("subresource", id.subresource);
  if (!owned.time.empty()) members.emplace_back("time", owned.time);
  return Value::object_of(std::move(members));
}

Value write_owners(const Owners& owners) {
  std::vector<const Owners::value_type*> order;
  for (const auto& entry : owners) {
    if (!entry.second.fields.empty()) order.push_back(&entry);
  }
  const auto rank = [](const Owners::value_type* entry) {
    const auto& [id, owned] = *entry;
    return std::tuple(!id.apply, seconds_of(owned.time), std::string_view(id.manager),
                      std::string_view(owned.api_version), std::string_view(id.subresource));
  };
  std::sort(order.begin(), order.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
  value::Array entries;
  for (const auto* item : order) entries.push_back(write_owner(item->first, item->second));
  return Value(std::move(entries));
}

void sort_entries(value::Array& entries) {
  const auto rank = [](const Value& entry) {
    return std::tuple(entry["operation"].as_string() != "Apply",
                      seconds_of(entry["time"].as_string()),
                      std::string_view(entry["manager"].as_string()),
                      std::string_view(entry["apiVersion"].as_string()),
                      std::string_view(entry["subresource"].as_string()));
  };
  std::sort(entries.begin(), entries.end(),
            [&](const Value& a, const Value& b) { return rank(a) < rank(b); });
}

bool is_reset(const Value& managed_fields) {
  if (!managed_fields.is_array()) return false;
  if (managed_fields.empty()) return true;
  const Value& only = managed_fields[0];
  return managed_fields.size() == 1 && only.is_object() && only.empty();
}

void cap_updaters(Owners& owners) {
  std::vector<ManagerId> updaters;
  for (const auto& [id, owned] : owners) {
    if (!id.apply) updaters.push_back(id);
  }
  std::size_t count = updaters.size();
  if (count <= kUpdatersMax) return;
  std::stable_sort(updaters.begin(), updaters.end(), [&](const ManagerId& a, const ManagerId& b) {
    return seconds_of(owners[a].time) < seconds_of(owners[b].time);
  });
  std::map<std::string, ManagerId> first_of_version;
  for (const ManagerId& id : updaters) {
    if (count <= kUpdatersMax) return;
    const auto [first, fresh] = first_of_version.emplace(id.api_version, id);
    if (fresh) continue;
    const ManagerId bucket{std::string(kAncient), false, id.api_version, ""};
    if (!owners.contains(bucket)) {
      owners[bucket] = std::move(owners[first->second]);
      owners.erase(first->second);
    }
    if (id == bucket) continue;
    owners[bucket].fields.unite(owners[id].fields);
    owners[bucket].time = owners[id].time;  // the younger of the two
    owners.erase(id);
    --count;
  }
}

}  // namespace keelway::schema
