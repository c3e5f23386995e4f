// Strategic merge patch and a forced server-side apply lead to the same object, where neither
// deletes anything: objects are drawn from the input over fields that both treat alike.
#include <algorithm>
#include <map>

#include "fuzz/input.h"
#include "fuzz/kinds.h"
#include "schema/managed_fields.h"
#include "schema/strategic_merge.h"
#include "value/json.h"

namespace {

using keelway::value::Value;
namespace fuzz = keelway::fuzz;
namespace schema = keelway::schema;
namespace value = keelway::value;

class Draw {
 public:
  explicit Draw(fuzz::Input& input) : input_(input) {}

  Value deployment() {
    Value object = head("apps/v1", "Deployment");
    if (maybe()) object.mutate("spec").set("replicas", static_cast<std::int64_t>(pick(5)));
    if (maybe()) object.mutate("spec").set("paused", maybe());
    if (maybe()) object.mutate("spec", "template", "metadata", "labels") = texts();
    Value& pod = object.mutate("spec", "template", "spec");
    pod = Value::object();
    pod.set("containers", named([this] { return container(); }));
    if (maybe()) pod.set("initContainers", named([this] { return container(); }));
    if (maybe()) pod.set("dnsPolicy", word());
    if (maybe()) pod.set("terminationGracePeriodSeconds", static_cast<std::int64_t>(pick(90)));
    return object;
  }
  Value config_map() {
    Value object = head("v1", "ConfigMap");
    if (maybe()) object.set("data", texts());
    if (maybe()) object.set("immutable", maybe());
    return object;
  }

 private:
  std::size_t pick(std::size_t count) { return input_.byte() % count; }
  bool maybe() { return pick(2) == 1; }
  std::string word() { return std::string(1, static_cast<char>('a' + pick(4))); }

  Value head(const char* api_version, const char* kind) {
    Value object = Value::object({{"apiVersion", api_version}, {"kind", kind}});
    object.mutate("metadata").set("name", "n");
    if (maybe()) object.mutate("metadata").set("labels", texts());
    if (maybe()) object.mutate("metadata").set("annotations", texts());
    return object;
  }
  // Not empty: an empty map that was applied is owned, and merging leaves none behind.
  Value texts() {
    Value map = Value::object();
    for (std::size_t left = 1 + pick(3); left > 0; --left) map.set(word(), word());
    return map;
  }
  // A list without two items of one name.
  template <class Make>
  Value named(const Make& make) {
    std::map<std::string, Value> items;
    for (std::size_t left = 1 + pick(3); left > 0; --left) {
      std::string name = word();
      items[name] = make();
      items[name].set("name", std::move(name));
    }
    Value list = Value::array();
    for (auto& [name, item] : items) list.push(std::move(item));
    return list;
  }
  Value container() {
    Value made = Value::object();
    if (maybe()) made.set("image", word());
    if (maybe()) made.set("args", Value::array({word(), word()}));
    if (maybe()) made.set("tty", maybe());
    if (maybe()) {
      made.set("env", named([this] { return Value::object({{"value", word()}}); }));
    }
    if (maybe()) {
      made.mutate("resources", "limits")
          .set(maybe() ? "cpu" : "memory", std::to_string(1 + pick(9)));
    }
    return made;
  }

  fuzz::Input& input_;
};

// Lists of named items in the order of their names: the two put new items in different places.
Value by_name(const Value& v) {
  if (v.is_array()) {
    value::Array items;
    for (const Value& item : v.items()) items.push_back(by_name(item));
    if (!items.empty() && items[0].contains("name")) {
      std::sort(items.begin(), items.end(), [](const Value& a, const Value& b) {
        return a["name"].as_string() < b["name"].as_string();
      });
    }
    return Value(std::move(items));
  }
  if (!v.is_object()) return v;
  Value object = Value::object();
  for (const auto& [key, member] : v.members()) object.set(key, by_name(member));
  return object;
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  fuzz::Input input(data, size);
  Draw draw(input);
  const bool workload = input.byte() % 4 != 0;
  const Value live = workload ? draw.deployment() : draw.config_map();
  const Value change = workload ? draw.deployment() : draw.config_map();
  const schema::Kind* kind = fuzz::kind_of(*fuzz::built_in(), live);
  const auto merged = schema::strategic_merge(*kind, live, change);
  const Value tracked = schema::track_update(*kind, nullptr, live, {"other", "", fuzz::now});
  auto applied = schema::apply(*kind, &tracked, change, {"mine", "", fuzz::now}, true);
  const std::string what = value::to_json(live) + " and " + value::to_json(change);
  KEELWAY_INVARIANT(merged.has_value(), "the patch is refused: " + what);
  KEELWAY_INVARIANT(applied.has_value(), "the configuration is refused: " + what);
  applied->mutate("metadata").erase("managedFields");
  KEELWAY_INVARIANT(by_name(*applied) == by_name(*merged), "patch and apply differ: " + what);
  return 0;
}
