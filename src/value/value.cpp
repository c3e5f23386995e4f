#include "value/value.h"

#include <algorithm>
#include <cmath>

namespace keelway::value {
namespace {

const Value kNull;
const std::string kEmptyString;
const Array kNoItems;
const Members kNoMembers;
constexpr std::size_t kFew = 8;  // members; lengths that differ tell most of them apart

auto lower_bound(auto& members, std::string_view key) {
  return std::lower_bound(members.begin(), members.end(), key,
                          [](const Member& m, std::string_view k) { return m.first < k; });
}

}  // namespace

Value Value::object(std::initializer_list<Member> members) {
  return object_of(Members(members));
}

Value Value::object_of(Members members) {
  const auto less = [](const Member& a, const Member& b) { return a.first < b.first; };
  const auto unordered = [](const Member& a, const Member& b) { return !(a.first < b.first); };
  // Most come sorted already: what this program or another server wrote.
  if (std::adjacent_find(members.begin(), members.end(), unordered) != members.end()) {
    std::stable_sort(members.begin(), members.end(), less);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (kept > 0 && members[kept - 1].first == members[i].first) --kept;
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
    members.resize(kept);
  }
  Value v;
  // Half of what field ownership says is empty objects; they own nothing.
  v.data_ = members.empty() ? SharedMembers() : std::make_shared<Members>(std::move(members));
  return v;
}

const Value* Value::find(std::string_view key) const {
  const auto* shared = std::get_if<SharedMembers>(&data_);
  if (shared == nullptr || *shared == nullptr) return nullptr;
  const Members& members = **shared;
  if (members.size() <= kFew) {
    for (const Member& member : members) {
      if (member.first == key) return &member.second;
    }
    return nullptr;
  }
  const auto found = lower_bound(members, key);
  return found != members.end() && found->first == key ? &found->second : nullptr;
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found != nullptr ? *found : kNull;
}

const Value& Value::operator[](std::size_t index) const {
  const Array& array = items();
  return index < array.size() ? array[index] : kNull;
}

bool Value::as_bool(bool fallback) const {
  const bool* b = std::get_if<bool>(&data_);
  return b != nullptr ? *b : fallback;
}

std::int64_t Value::as_int(std::int64_t fallback) const {
  if (const auto* i = std::get_if<std::int64_t>(&data_)) return *i;
  if (const auto* d = std::get_if<double>(&data_)) {
    if (std::trunc(*d) == *d && std::abs(*d) < 9.2e18) return static_cast<std::int64_t>(*d);
  }
  return fallback;
}

double Value::as_double(double fallback) const {
  if (const auto* i = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&data_)) return *d;
  return fallback;
}

const std::string& Value::as_string() const {
  const auto* s = std::get_if<std::string>(&data_);
  return s != nullptr ? *s : kEmptyString;
}

std::string_view Value::string_or(std::string_view fallback) const {
  const auto* s = std::get_if<std::string>(&data_);
  return s != nullptr ? std::string_view(*s) : fallback;
}

const Array& Value::items() const {
  const auto* a = std::get_if<SharedArray>(&data_);
  return a != nullptr ? **a : kNoItems;
}

const Members& Value::members() const {
  const auto* o = std::get_if<SharedMembers>(&data_);
  return o != nullptr && *o != nullptr ? **o : kNoMembers;
}

std::size_t Value::size() const {
  return is_array() ? items().size() : members().size();
}

Members& Value::mutable_members() {
  auto* shared = std::get_if<SharedMembers>(&data_);
  if (shared == nullptr || *shared == nullptr) {
    data_ = std::make_shared<Members>();
    shared = std::get_if<SharedMembers>(&data_);
  } else if (shared->use_count() != 1) {
    *shared = std::make_shared<Members>(**shared);
  }
  return **shared;
}

Array& Value::mutable_items() {
  auto* shared = std::get_if<SharedArray>(&data_);
  if (shared == nullptr) {
    data_ = std::make_shared<Array>();
    shared = std::get_if<SharedArray>(&data_);
  } else if (shared->use_count() != 1) {
    *shared = std::make_shared<Array>(**shared);
  }
  return **shared;
}

Value& Value::mutate(std::string_view key) {
  Members& members = mutable_members();
  auto found = lower_bound(members, key);
  if (found == members.end() || found->first != key) {
    found = members.insert(found, Member(std::string(key), Value()));
  }
  return found->second;
}

Value& Value::set(std::string_view key, Value v) {
  mutate(key) = std::move(v);
  return *this;
}

bool Value::erase(std::string_view key) {
  if (find(key) == nullptr) return false;
  Members& members = mutable_members();
  members.erase(lower_bound(members, key));
  return true;
}

void Value::push(Value v) {
  mutable_items().push_back(std::move(v));
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number() && a.type() != b.type()) {
    return a.as_double() == b.as_double();
  }
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::array:
      return std::get<Value::SharedArray>(a.data_) == std::get<Value::SharedArray>(b.data_) ||
             a.items() == b.items();
    case Type::object:
      return std::get<Value::SharedMembers>(a.data_) == std::get<Value::SharedMembers>(b.data_) ||
             a.members() == b.members();
    default:
      return a.data_ == b.data_;
  }
}

}  // namespace keelway::value
