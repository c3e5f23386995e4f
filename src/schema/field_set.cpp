#include "schema/field_set.h"

#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr int kDepthMax = 200;  // of a FieldsV1 document that a client sent

void collect_paths(const FieldSet& set, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [element, child] : set.children) {
    const std::string path = prefix + element_text(element);
    if (child.member) out.push_back(path);
    collect_paths(child, path, out);
  }
}

// The element in our own text; empty if it is none.
std::string normalized(std::string_view element) {
  if (element.size() < 2 || element[1] != ':') return "";
  if (element[0] == 'f' || element[0] == 'i') return std::string(element);
  if (element[0] != 'k' && element[0] != 'v') return "";
  const auto v = value::parse_json(element.substr(2));
  if (!v) return "";
  return std::string(element.substr(0, 2)) + value::to_json(*v);
}

void read(const Value& v, FieldSet& into, int depth) {
  if (depth > kDepthMax) return;
  for (const auto& [key, member] : v.members()) {
    if (key == ".") {
      into.member = true;
      continue;
    }
    const std::string element = normalized(key);
    if (element.empty()) continue;
    FieldSet child;
    read(member, child, depth + 1);
    if (child.children.empty()) child.member = true;
    into.children.insert_or_assign(element, std::move(child));
  }
}

}  // namespace

FieldSet& FieldSet::at(std::string_view element) {
  const auto found = children.find(element);
  if (found != children.end()) return found->second;
  return children.emplace(std::string(element), FieldSet()).first->second;
}

const FieldSet* FieldSet::find(std::string_view element) const {
  const auto found = children.find(element);
  return found != children.end() ? &found->second : nullptr;
}

void FieldSet::unite(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [element, child] : other.children) at(element).unite(child);
}

void FieldSet::subtract(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [element, theirs] : other.children) {
    const auto found = children.find(element);
    if (found == children.end()) continue;
    found->second.subtract(theirs);
    if (found->second.empty()) children.erase(found);
  }
}

void FieldSet::erase_tree(const std::vector<std::string_view>& path) {
  if (path.empty()) return;
  const auto found = children.find(path.front());
  if (found == children.end()) return;
  if (path.size() > 1) {
    found->second.erase_tree({path.begin() + 1, path.end()});
    if (!found->second.empty()) return;
  }
  children.erase(found);
}

FieldSet FieldSet::intersect(const FieldSet& other) const {
  FieldSet result;
  result.member = member && other.member;
  for (const auto& [element, child] : children) {
    const FieldSet* theirs = other.find(element);
    if (theirs == nullptr) continue;
    FieldSet both = child.intersect(*theirs);
    if (!both.empty()) result.children.emplace(element, std::move(both));
  }
  return result;
}

bool FieldSet::contains(const FieldSet& other) const {
  if (other.member && !member) return false;
  for (const auto& [element, theirs] : other.children) {
    const FieldSet* mine = find(element);
    if (mine == nullptr || !mine->contains(theirs)) return false;
  }
  return true;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect_paths(*this, "", out);
  return out;
}

Value FieldSet::to_fields_v1() const {
  value::Members members;
  if (member && !children.empty()) members.emplace_back(".", Value::object());
  for (const auto& [element, child] : children) members.emplace_back(element, child.to_fields_v1());
  return Value::object_of(std::move(members));
}

FieldSet FieldSet::from_fields_v1(const Value& v) {
  FieldSet set;
  read(v, set, 0);
  set.member = false;
  return set;
}

std::string field_element(std::string_view name) {
  return "f:" + std::string(name);
}

std::string element_text(std::string_view element) {
  const std::string_view rest = element.substr(2);
  switch (element[0]) {
    case 'f':
      return "." + std::string(rest);
    case 'i':
      return "[" + std::string(rest) + "]";
    case 'v':
      return "[=" + std::string(rest) + "]";
    default:
      break;
  }
  std::string text;
  const auto keys = value::parse_json(rest);
  if (keys) {
    for (const auto& [name, key] : keys->members()) {
      text += (text.empty() ? "" : ",") + name + "=" + value::to_json(key);
    }
  }
  return "[" + text + "]";
}

}  // namespace keelway::schema
