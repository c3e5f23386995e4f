#include "schema/strategic_merge.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "schema/go_print.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Array;
using value::Value;
using Merged = Answer<Value>;

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList";
constexpr std::string_view kOrderPrefix = "$setElementOrder";

std::unexpected<Status> unreadable(std::string message) {
  return std::unexpected(bad_request(std::move(message)));
}

std::unexpected<Status> unfit(int code, std::string message) {
  Status status;
  status.code = code;
  if (code == 422) status.reason = "Invalid";
  status.message = std::move(message);
  return std::unexpected(std::move(status));
}

std::unexpected<Status> no_merge_key(const Value& item, std::string_view key) {
  return unfit(500,
               fmt::format("map: {} does not contain declared merge key: {}", go_print(item), key));
}

std::unexpected<Status> unknown_directive(const Value& directive, const Value& map) {
  return unfit(
      500, fmt::format("unknown patch type: {} in map: {}", go_print(directive), go_print(map)));
}

// What the tables say about one member.
struct Target {
  const Shape* shape = nullptr;
  PatchStrategy patch;
  bool merges_lists() const { return patch.merge; }
};

Target target_of(const Shape* parent, std::string_view name) {
  Target target;
  if (parent == nullptr) return target;
  if (parent->type == FieldType::object && parent->object != nullptr) {
    if (const Field* field = parent->object->find(name)) {
      target.shape = &field->shape;
      target.patch = field->patch;
    }
  } else if (parent->type == FieldType::map) {
    target.shape = parent->element;
  }
  return target;
}

bool is_parallel_key(std::string_view key) {
  return key.starts_with(kDeletePrefix) || key.starts_with(kOrderPrefix);
}

// "$setElementOrder/containers" -> "containers"; empty if there is no name.
std::string_view after_slash(std::string_view key, std::string_view prefix) {
  if (key.size() <= prefix.size() + 1 || key[prefix.size()] != '/') return "";
  return key.substr(prefix.size() + 1);
}

// A value that comes into the document as it is: without directives and nulls of its own.
Value without_directives(const Value& v) {
  if (v.is_array()) {
    Array items;
    for (const Value& item : v.items()) {
      const Value* directive = item.find(kDirective);
      if (directive != nullptr && directive->as_string() != "merge") continue;
      items.push_back(without_directives(item));
    }
    return Value(std::move(items));
  }
  if (!v.is_object()) return v;
  Value result = Value::object();
  for (const auto& [key, member] : v.members()) {
    const bool directive = key == kDirective || key == kRetainKeys || is_parallel_key(key);
    if (directive || member.is_null()) continue;
    result.set(key, without_directives(member));
  }
  return result;
}

// What makes two items of a list the same: the value of the merge key, or the whole where there is
// no key. Looked up by its text, because a list of a patch may be as long as a body is.
std::string mark_of(const Value& item, std::string_view key) {
  return value::to_json(key.empty() ? item : item[key]);
}

using Position = std::optional<std::size_t>;

// Where a list has what.
class Positions {
 public:
  Positions(const Array& list, std::string_view key) : key_(key) {
    for (const Value& item : list) add(item);
  }
  void add(const Value& item) {
    if (key_.empty() || item.contains(key_)) first_.try_emplace(mark_of(item, key_), size_);
    ++size_;
  }
  Position of(const Value& item) const {
    const auto found = first_.find(mark_of(item, key_));
    return found == first_.end() ? Position() : found->second;
  }
  bool has(const Value& item) const { return of(item).has_value(); }

 private:
  const std::string_view key_;
  std::size_t size_ = 0;
  std::unordered_map<std::string, std::size_t> first_;  // never iterated
};

struct Ranked {
  Value item;
  Position rank;  // in the order that sorts it
  Position live;  // in the live list
};

bool goes_before(const Position& left, const Position& right) {
  return left && right && *left < *right;
}

void sort_by_rank(std::vector<Ranked>& items) {
  std::stable_sort(items.begin(), items.end(),
                   [](const Ranked& a, const Ranked& b) { return goes_before(a.rank, b.rank); });
}

// Items that the patch names in its order, the others in the order that they had, and the two
// woven together as the live list had them.
Array in_order(const Array& merged, const Array& patch_order, const Array& live_order,
               std::string_view key) {
  const Positions in_patch(patch_order, key), in_live(live_order, key);
  std::vector<Ranked> named, others;
  for (const Value& item : merged) {
    const Position wanted = in_patch.of(item), live = in_live.of(item);
    if (wanted)
      named.push_back({item, wanted, live});
    else
      others.push_back({item, live, live});
  }
  sort_by_rank(named);
  sort_by_rank(others);
  Array result;
  std::size_t n = 0, o = 0;
  while (n < named.size() || o < others.size()) {
    bool take_other = n == named.size();
    if (!take_other && o < others.size()) take_other = goes_before(others[o].live, named[n].live);
    result.push_back(std::move(take_other ? others[o++].item : named[n++].item));
  }
  return result;
}

class Merger {
 public:
  Merged map(const Shape* shape, const Value& current, const Value& patch_in) const {
    Value patch = patch_in;
    if (const Value* directive = patch_in.find(kDirective)) {
      const std::string& word = directive->as_string();
      if (word == "delete") return Value::object();
      if (word != "replace" && word != "merge") return unknown_directive(*directive, patch_in);
      patch.erase(kDirective);
      if (word == "replace") return without_directives(patch);
    }
    Value result = current.is_object() ? current : Value::object();
    if (auto status = retain_keys(result, patch)) return std::unexpected(std::move(*status));
    if (auto status = set_orders(shape, result, patch)) return std::unexpected(std::move(*status));
    for (const auto& [key, change] : patch.members()) {
      auto status = key.starts_with(kDeletePrefix) ? delete_from_list(result, key, change)
                                                   : member(shape, result, key, change);
      if (status) return std::unexpected(std::move(*status));
    }
    return result;
  }

 private:
  using Failure = std::optional<Status>;

  Failure member(const Shape* shape, Value& result, const std::string& key,
                 const Value& change) const {
    if (change.is_null()) {
      result.erase(key);
      return std::nullopt;
    }
    const Value* before = result.find(key);
    const bool mergeable = before != nullptr && before->type() == change.type() &&
                           (change.is_object() || change.is_array());
    if (!mergeable) {
      // A map that is not there yet still loses its nulls and directives.
      result.set(key, change.is_object() && change.contains(kDirective) &&
                              change[kDirective].as_string() == "delete"
                          ? Value::object()
                          : without_directives(change));
      return std::nullopt;
    }
    const Target target = target_of(shape, key);
    const Value live = *before;
    Merged merged = change.is_array()      ? list(target, live, change)
                    : target.patch.replace ? Merged(without_directives(change))
                                           : map(target.shape, live, change);
    if (!merged) return std::move(merged.error());
    result.set(key, std::move(*merged));
    return std::nullopt;
  }

  // $retainKeys: members that it does not name go.
  static Failure retain_keys(Value& result, Value& patch) {
    const Value* keys = patch.find(kRetainKeys);
    if (keys == nullptr) return std::nullopt;
    const auto wrong = [] { return bad_request("invalid patch format of retainKeys"); };
    if (!keys->is_array()) return wrong();
    const Positions names(keys->items(), "");
    const auto listed = [&](const std::string& key) { return names.has(Value(key)); };
    patch.erase(kRetainKeys);
    for (const auto& [key, change] : patch.members()) {
      if (!change.is_null() && !is_parallel_key(key) && !listed(key)) return wrong();
    }
    const Value before = result;
    for (const auto& [key, kept] : before.members()) {
      if (!listed(key)) result.erase(key);
    }
    return std::nullopt;
  }

  static Failure delete_from_list(Value& result, const std::string& key, const Value& change) {
    const std::string_view name = after_slash(key, kDeletePrefix);
    if (name.empty()) return bad_request("invalid patch format of primitive list");
    const Value* live = result.find(name);
    if (live == nullptr || !live->is_array() || !change.is_array()) return std::nullopt;
    const Positions gone(change.items(), "");
    Array kept;
    for (const Value& item : live->items()) {
      if (!gone.has(item)) kept.push_back(item);
    }
    result.set(name, Value(std::move(kept)));
    return std::nullopt;
  }

  // $setElementOrder/x: merges x now and brings it into the wanted order; takes both from `patch`.
  Failure set_orders(const Shape* shape, Value& result, Value& patch) const {
    const Value whole = patch;
    for (const auto& [key, order] : whole.members()) {
      if (!key.starts_with(kOrderPrefix)) continue;
      patch.erase(key);
      const std::string name(after_slash(key, kOrderPrefix));
      if (name.empty() || !order.is_array()) {
        return bad_request("invalid patch format of setElementOrder list");
      }
      const Value* live = result.find(name);
      const Value* change = patch.find(name);
      if (change != nullptr && !change->is_array()) continue;
      if (live != nullptr && !live->is_array()) continue;
      const Target target = target_of(shape, name);
      if (change != nullptr) {
        if (auto status = check_order(*change, order, target.patch.merge_key)) return status;
      }
      const Array live_order = live != nullptr ? live->items() : Array();
      if (live == nullptr && change == nullptr) continue;
      Merged merged = change == nullptr ? Merged(*live)
                      : live == nullptr ? Merged(without_directives(*change))
                                        : list(target, *live, *change);
      if (!merged) return std::move(merged.error());
      result.set(name, Value(in_order(merged->items(), order.items(), live_order,
                                      target.patch.merge_key)));
      patch.erase(name);
    }
    return std::nullopt;
  }

  // The items of a patch list must stand in the wanted order in the same sequence.
  static Failure check_order(const Value& change, const Value& order, std::string_view key) {
    std::size_t next = 0;
    for (const Value& item : change.items()) {
      if (item.is_object() && item.contains(kDirective)) continue;
      while (next < order.size() &&
             !(key.empty() ? order[next] == item : order[next][key] == item[key])) {
        ++next;
      }
      if (next == order.size()) {
        return unfit(500, fmt::format("The order in patch list:\n{}\n doesn't match {} list:\n{}\n",
                                      go_print(change), kOrderPrefix, go_print(order)))
            .error();
      }
      ++next;
    }
    return std::nullopt;
  }

  Merged list(const Target& target, const Value& live, const Value& change) const {
    if (!target.merges_lists()) return without_directives(change);
    if (change.empty()) return live;
    const bool of_maps = change[0].is_object();
    for (const Value* items : {&live, &change}) {
      for (const Value& item : items->items()) {
        if (item.is_array()) return unfit(422, "lists of lists are not supported");
        if (item.is_object() != of_maps) {
          return unfit(500, "list element types are not identical");
        }
      }
    }
    return of_maps ? list_of_maps(target, live.items(), change.items())
                   : list_of_scalars(live.items(), change.items());
  }

  static Merged list_of_scalars(const Array& live, const Array& change) {
    Array merged;
    std::unordered_set<std::string> seen;
    for (const Array* items : {&live, &change}) {
      for (const Value& item : *items) {
        if (seen.insert(mark_of(item, "")).second) merged.push_back(item);
      }
    }
    return Value(in_order(merged, change, live, ""));
  }

  static Array without(const Array& live, const Array& gone, std::string_view key) {
    const Positions marks(gone, key);
    Array kept;
    for (const Value& item : live) {
      if (!marks.has(item)) kept.push_back(item);
    }
    return kept;
  }

  Merged list_of_maps(const Target& target, const Array& live, const Array& change) const {
    const std::string_view key = target.patch.merge_key;
    if (key.empty()) return unfit(500, "cannot merge lists without merge key");
    Array plain, gone;
    bool replace = false;
    for (const Value& item : change) {
      const Value* directive = item.find(kDirective);
      if (directive == nullptr) {
        plain.push_back(item);
        continue;
      }
      const std::string& word = directive->as_string();
      if (word == "replace")
        replace = true;
      else if (word == "merge")
        return unfit(500, "merging lists cannot yet be specified in the patch");
      else if (word != "delete")
        return unknown_directive(*directive, item);
      else if (!item.contains(key))
        return no_merge_key(item, key);
      else
        gone.push_back(item);
    }
    if (replace) return without_directives(Value(std::move(plain)));
    const Shape* element = target.shape != nullptr ? target.shape->element : nullptr;
    Array merged = without(live, gone, key);
    Positions known(merged, key);
    for (const Value& item : plain) {
      if (!item.contains(key)) return no_merge_key(item, key);
      const auto at = known.of(item);
      if (!at) {
        merged.push_back(without_directives(item));
        known.add(merged.back());
        continue;
      }
      Merged one = map(element, merged[*at], item);
      if (!one) return one;
      merged[*at] = std::move(*one);
    }
    return Value(in_order(merged, plain, live, key));
  }
};

}  // namespace

Merged strategic_merge(const Kind& kind, const Value& current, const Value& patch) {
  if (!patch.is_object()) return unreadable("invalid JSON document");
  Shape root;
  if (kind.root != nullptr) {
    root.type = FieldType::object;
    root.object = kind.root;
  }
  return Merger().map(&root, current, patch);
}

}  // namespace keelway::schema
