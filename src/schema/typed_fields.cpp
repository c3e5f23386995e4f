#include "schema/typed_fields.h"

#include <algorithm>

#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Array;
using value::Value;

const Value kNull;
const Value kEmptyObject = Value::object();

const Shape* element_shape(const Shape* shape) {
  return shape != nullptr ? shape->element : nullptr;
}

bool is_empty(const Value* v) {
  return v == nullptr || v->empty();
}

// What Go writes for a field that nobody set; null pointer if it writes nothing.
const Value* go_unset(const Field& field) {
  static const Value text(""), zero(0), no(false);
  const bool plain_struct =
      field.shape.type == FieldType::object && field.proto.number != 0 && !field.proto.pointer;
  if (plain_struct) return &kEmptyObject;
  if (!field.proto.always) return nullptr;
  switch (field.shape.type) {
    case FieldType::string:
      return &text;
    case FieldType::integer:
    case FieldType::number:
      return &zero;
    case FieldType::boolean:
      return &no;
    default:
      return &kNull;
  }
}

// Walks two documents at once.
class Comparer {
 public:
  Comparer(Comparison& out, bool go, const FieldSet* but = nullptr)
      : added_(out.added), modified_(out.modified), removed_(out.removed), go_(go), but_(but) {}

  void walk(const Shape* shape, const Value* before, const Value* after) {
    if (before != nullptr && after != nullptr && *before == *after) return;
    const Value& sample = after != nullptr && !after->is_null() ? *after
                          : before != nullptr                   ? *before
                                                                : *after;
    Ownership ownership = ownership_of(shape, sample);
    const bool mixed = before != nullptr && after != nullptr && !before->is_null() &&
                       !after->is_null() &&
                       ownership_of(shape, *before) != ownership_of(shape, *after);
    if (mixed || (is_empty(before) && is_empty(after))) ownership = Ownership::leaf;
    switch (ownership) {
      case Ownership::leaf:
        return note(before, after, true);
      case Ownership::map:
        members(shape, before, after);
        break;
      default:
        items(*shape, ownership, before, after);
        break;
    }
    note(before, after, false);
  }

 private:
  void note(const Value* before, const Value* after, bool leaf) {
    if (path_.empty()) return;
    if (before == nullptr)
      mark(added_);
    else if (after == nullptr)
      mark(removed_);
    else if (leaf)
      mark(modified_);
  }

  // A set and its nodes on the path where the walk stands, as far as they were asked for.
  struct Trail {
    explicit Trail(FieldSet& set) : nodes{&set} {}
    std::vector<FieldSet*> nodes;  // the root first
  };

  void mark(Trail& trail) {
    while (trail.nodes.size() <= path_.size()) {
      trail.nodes.push_back(&trail.nodes.back()->at(path_[trail.nodes.size() - 1]));
    }
    trail.nodes.back()->member = true;
  }

  void descend(std::string element, const Shape* shape, const Value* before, const Value* after) {
    path_.push_back(std::move(element));
    walk(shape, before, after);
    leave();
  }

  void leave() {
    path_.pop_back();
    for (Trail* trail : {&added_, &modified_, &removed_}) {
      if (trail->nodes.size() > path_.size() + 1) trail->nodes.resize(path_.size() + 1);
    }
  }

  // `in_before`, `in_after`: is there a struct at all that Go could write a field of?
  void member(const Shape* shape, const std::string& name, const Value* before, const Value* after,
              bool in_before, bool in_after) {
    const Field* field = nullptr;
    const Shape* inner = member_shape(shape, name, &field);
    if (go_ && field != nullptr) {
      if (before == nullptr && in_before) before = go_unset(*field);
      if (after == nullptr && in_after) after = go_unset(*field);
    }
    if (before == nullptr && after == nullptr) return;
    std::string element = field_element(name);
    const FieldSet* const but = but_;
    if (but_ != nullptr) but_ = but_->find(element);
    const bool left_out = but_ != nullptr && but_->children.empty();
    if (!left_out) descend(std::move(element), inner, before, after);
    but_ = but;
  }

  void members(const Shape* shape, const Value* before, const Value* after) {
    const value::Members& left = before != nullptr ? before->members() : kNull.members();
    const value::Members& right = after != nullptr ? after->members() : kNull.members();
    const bool in_before = before != nullptr && before->is_object();
    const bool in_after = after != nullptr && after->is_object();
    auto l = left.begin(), r = right.begin();
    while (l != left.end() || r != right.end()) {
      if (r == right.end() || (l != left.end() && l->first < r->first)) {
        member(shape, l->first, &l->second, nullptr, in_before, in_after);
        ++l;
      } else if (l == left.end() || r->first < l->first) {
        member(shape, r->first, nullptr, &r->second, in_before, in_after);
        ++r;
      } else {
        member(shape, l->first, &l->second, &r->second, in_before, in_after);
        ++l, ++r;
      }
    }
  }

  // Items by their path elements; several of one element are compared as one value.
  static std::map<std::string, Array> index(const Shape& shape, Ownership ownership,
                                            const Value* list) {
    std::map<std::string, Array> found;
    if (list == nullptr) return found;
    for (const Value& item : list->items()) {
      found[item_element(shape, item, ownership)].push_back(item);
    }
    return found;
  }

  void items(const Shape& shape, Ownership ownership, const Value* before, const Value* after) {
    const auto left = index(shape, ownership, before), right = index(shape, ownership, after);
    const auto one = [&](const std::string& element, const Array* l, const Array* r) {
      if (element.empty()) return;
      const bool plain = (l == nullptr || l->size() == 1) && (r == nullptr || r->size() == 1);
      if (plain) {
        descend(element, shape.element, l != nullptr ? &l->front() : nullptr,
                r != nullptr ? &r->front() : nullptr);
      } else if (l == nullptr || r == nullptr || *l != *r) {
        const Value before_all = l != nullptr ? Value(*l) : kNull;
        path_.push_back(element);
        note(l != nullptr ? &before_all : nullptr, r != nullptr ? &kNull : nullptr, true);
        leave();
      }
    };
    for (const auto& [element, l] : left) {
      const auto r = right.find(element);
      one(element, &l, r != right.end() ? &r->second : nullptr);
    }
    for (const auto& [element, r] : right) {
      if (!left.contains(element)) one(element, nullptr, &r);
    }
  }

  Trail added_, modified_, removed_;
  bool go_;
  const FieldSet* but_;  // of what is left out, the node where the walk stands; null: none below
  std::vector<std::string> path_;
};

void collect(const Shape* shape, const Value& v, FieldSet& node) {
  switch (ownership_of(shape, v)) {
    case Ownership::leaf:
      node.member = true;
      return;
    case Ownership::map:
      for (const auto& [name, member] : v.members()) {
        const Field* field = nullptr;
        const Shape* inner = member_shape(shape, name, &field);
        FieldSet child;
        collect(inner, member, child);
        // Fields of structs are there or not; keys of maps, null and {} are set by somebody.
        if (field == nullptr || member.is_null() || (member.is_object() && member.empty())) {
          child.member = true;
        }
        if (!child.empty()) node.children.emplace(field_element(name), std::move(child));
      }
      return;
    case Ownership::list_set:
    case Ownership::list_map:
      for (const Value& item : v.items()) {
        const std::string element = item_element(*shape, item, ownership_of(shape, v));
        if (element.empty()) continue;
        FieldSet& child = node.at(element);
        collect(element_shape(shape), item, child);
        child.member = true;
      }
      return;
  }
}

// Merges the items of two keyed lists: the order of `config`, with items that only `live` has kept
// at their places between the shared ones.
class ListMerger {
 public:
  ListMerger(const Shape& shape, const Value& live, const Value& config)
      : shape_(shape), left_(index(live, by_left_)), right_(index(config, by_right_)) {
    for (const Entry& entry : right_) {
      if (by_left_.contains(entry.element)) shared_.push_back(&entry.element);
    }
  }

  Value merge() {
    std::size_t l = 0, r = 0;
    while (l < left_.size() || r < right_.size()) {
      if (l < left_.size() && r < right_.size()) {
        const std::string& element = left_[l].element;
        if (element == right_[r].element) {
          take_right(r);
          ++l, ++r;
          next_shared_ = std::min(next_shared_ + 1, shared_.size());
          continue;
        }
        if (by_right_.contains(element) && next_shared_ < shared_.size() &&
            *shared_[next_shared_] != element) {
          ++l;  // shared, but another one comes first
          continue;
        }
      }
      if (l < left_.size()) {
        const std::string& element = left_[l].element;
        if (!by_right_.contains(element)) {
          out_.push_back(*left_[l].item);
          ++l;
          continue;
        }
        if (merged_.contains(element)) ++l;
      }
      if (r < right_.size()) {
        if (next_shared_ < shared_.size() && *shared_[next_shared_] == right_[r].element) {
          ++next_shared_;
        }
        take_right(r);
        ++r;
      }
    }
    return Value(std::move(out_));
  }

 private:
  struct Entry {
    std::string element;
    const Value* item;
  };
  using Lookup = std::map<std::string, const Value*, std::less<>>;  // null: more than one

  std::vector<Entry> index(const Value& list, Lookup& lookup) {
    std::vector<Entry> entries;
    for (const Value& item : list.items()) {
      entries.push_back({item_element(shape_, item, ownership_of(&shape_, list)), &item});
      const auto [at, fresh] = lookup.emplace(entries.back().element, &item);
      if (!fresh) at->second = nullptr;
    }
    return entries;
  }

  void take_right(std::size_t r) {
    merged_.emplace(right_[r].element, nullptr);
    const auto live = by_left_.find(right_[r].element);
    const bool mergeable = live != by_left_.end() && live->second != nullptr;
    out_.push_back(mergeable ? merge_typed(shape_.element, *live->second, *right_[r].item)
                             : *right_[r].item);
  }

  const Shape& shape_;
  Lookup by_left_, by_right_, merged_;
  std::vector<Entry> left_, right_;
  std::vector<const std::string*> shared_;
  std::size_t next_shared_ = 0;
  Array out_;
};

Value remove_members(const Shape* shape, const Value& v, const FieldSet& set) {
  value::Members kept;
  for (const auto& [name, member] : v.members()) {
    const FieldSet* node = set.find(field_element(name));
    if (node == nullptr)
      kept.emplace_back(name, member);
    else if (!node->member) {
      kept.emplace_back(name, remove_items(member_shape(shape, name), member, *node));
    }
  }
  return kept.empty() ? Value() : Value::object_of(std::move(kept));
}

Value remove_list_items(const Shape& shape, const Value& v, const FieldSet& set) {
  Array kept;
  for (const Value& item : v.items()) {
    const FieldSet* node = set.find(item_element(shape, item, ownership_of(&shape, v)));
    if (node == nullptr)
      kept.push_back(item);
    else if (!node->member)
      kept.push_back(remove_items(shape.element, item, *node));
  }
  return kept.empty() ? Value() : Value(std::move(kept));
}

}  // namespace

Ownership ownership_of(const Shape* shape, const Value& v) {
  if (shape == nullptr || shape->type == FieldType::any) {
    const bool granular = v.is_object() && (shape == nullptr || !shape->atomic_map);
    return granular ? Ownership::map : Ownership::leaf;
  }
  switch (shape->type) {
    case FieldType::object:
    case FieldType::map:
      if (shape->atomic_map || !v.is_object()) return Ownership::leaf;
      return Ownership::map;
    case FieldType::array:
      if (!v.is_array() || shape->list_type == ListType::atomic) return Ownership::leaf;
      return shape->list_type == ListType::set ? Ownership::list_set : Ownership::list_map;
    default:
      return Ownership::leaf;
  }
}

const Shape* member_shape(const Shape* shape, std::string_view name, const Field** field) {
  if (field != nullptr) *field = nullptr;
  if (shape == nullptr) return nullptr;
  if (shape->type == FieldType::object && shape->object != nullptr) {
    const Field* found = shape->object->find(name);
    if (field != nullptr) *field = found;
    if (found != nullptr) return &found->shape;
  }
  return shape->element;
}

std::string item_element(const Shape& list, const Value& item, Ownership ownership) {
  if (ownership == Ownership::list_set) return "v:" + value::to_json(item);
  value::Members keys;
  for (const std::string_view key : list.list_keys) {
    if (const Value* found = item.find(key)) {
      keys.emplace_back(std::string(key), *found);
      continue;
    }
    const Shape* shape = member_shape(list.element, key);
    if (shape == nullptr || shape->default_json.empty()) continue;
    if (const auto fallback = value::parse_json(shape->default_json)) {
      keys.emplace_back(std::string(key), *fallback);
    }
  }
  return keys.empty() ? "" : "k:" + value::to_json(Value::object_of(std::move(keys)));
}

Shape root_shape(const Kind& kind) {
  Shape shape;
  if (kind.root == nullptr) return shape;
  shape.type = FieldType::object;
  shape.object = kind.root;
  return shape;
}

FieldSet to_field_set(const Shape* shape, const Value& v) {
  FieldSet set;
  collect(shape, v, set);
  set.member = false;
  return set;
}

Comparison compare(const Shape* shape, const Value& before, const Value& after, bool go) {
  Comparison result;
  Comparer(result, go).walk(shape, &before, &after);
  return result;
}

FieldSet changed_fields(const Shape* shape, const Value& before, const Value& after, bool go,
                        const FieldSet& but) {
  Comparison result;
  Comparer(result, go, &but).walk(shape, &before, &after);
  FieldSet changed = std::move(result.added);
  changed.unite(result.modified);
  changed.subtract(but);  // the nodes above them
  return changed;
}

Value merge_typed(const Shape* shape, const Value& live, const Value& config) {
  const Ownership ownership = ownership_of(shape, live);
  if (config.is_null()) {
    // Null says nothing about a map or list that has something in it.
    const bool typed = shape != nullptr && shape->type != FieldType::any;
    return typed && ownership != Ownership::leaf && !live.empty() ? live : config;
  }
  if (ownership != ownership_of(shape, config) || ownership == Ownership::leaf) return config;
  if (live.empty() && config.empty()) return config;
  if (ownership != Ownership::map) return ListMerger(*shape, live, config).merge();
  Value result = live;
  for (const auto& [name, member] : config.members()) {
    const Value* before = live.find(name);
    if (before != nullptr && *before == member) continue;
    result.set(
        name, before == nullptr ? member : merge_typed(member_shape(shape, name), *before, member));
  }
  return result;
}

Value remove_items(const Shape* shape, const Value& v, const FieldSet& set) {
  switch (ownership_of(shape, v)) {
    case Ownership::leaf:
      return v;
    case Ownership::map:
      return v.empty() ? v : remove_members(shape, v, set);
    default:
      return v.empty() ? v : remove_list_items(*shape, v, set);
  }
}

FieldSet with_named_fields(const Shape* shape, const FieldSet& set) {
  FieldSet result;
  result.member = set.member;
  for (const auto& [element, child] : set.children) {
    const bool is_field = element.starts_with("f:");
    const Field* field = nullptr;
    const Shape* inner = is_field ? member_shape(shape, std::string_view(element).substr(2), &field)
                                  : element_shape(shape);
    FieldSet named = with_named_fields(inner, child);
    if (field != nullptr) named.member = true;
    result.children.emplace(element, std::move(named));
  }
  return result;
}

}  // namespace keelway::schema
