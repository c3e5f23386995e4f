// An immutable-by-default JSON document. Copies are cheap (shared structure); a change copies
// only what is shared along the path that it touches. Objects keep their keys sorted, so equal
// documents have equal bytes.
//
// Threads: distinct Values may share structure across threads; one Value object may not be used
// by two threads at once if one of them writes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace keelway::value {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Members = std::vector<Member>;  // sorted by key, keys unique

enum class Type { null, boolean, integer, number, string, array, object };

class Value {
 public:
  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool b) : data_(b) {}
  Value(int i) : data_(static_cast<std::int64_t>(i)) {}
  Value(std::int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(const char* s) : data_(std::string(s)) {}
  Value(std::string_view s) : data_(std::string(s)) {}
  Value(std::string s) : data_(std::move(s)) {}
  Value(Array a) : data_(std::make_shared<Array>(std::move(a))) {}

  static Value object() { return object({}); }
  static Value object(std::initializer_list<Member> members);
  static Value object_of(Members members);  // sorts; the last of equal keys wins
  static Value array() { return Value(Array{}); }
  static Value array(std::initializer_list<Value> items) { return Value(Array(items)); }

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is_null() const { return type() == Type::null; }
  bool is_bool() const { return type() == Type::boolean; }
  bool is_int() const { return type() == Type::integer; }
  bool is_number() const { return type() == Type::integer || type() == Type::number; }
  bool is_string() const { return type() == Type::string; }
  bool is_array() const { return type() == Type::array; }
  bool is_object() const { return type() == Type::object; }
  explicit operator bool() const { return !is_null(); }

  // Reading never fails: what is absent or of another type reads as the fallback.
  const Value& operator[](std::string_view key) const;  // null where absent
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](const std::string& key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](std::size_t index) const;  // null where absent
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  // v.at("spec", "template", "spec"): nested members.
  template <class... Keys>
  const Value& at(std::string_view key, const Keys&... rest) const {
    if constexpr (sizeof...(rest) == 0)
      return (*this)[key];
    else
      return (*this)[key].at(rest...);
  }
  const Value* find(std::string_view key) const;  // null pointer where absent
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  bool as_bool(bool fallback = false) const;
  std::int64_t as_int(std::int64_t fallback = 0) const;  // integral numbers only
  double as_double(double fallback = 0) const;
  const std::string& as_string() const;  // empty where not a string
  std::string_view string_or(std::string_view fallback) const;
  const Array& items() const;      // empty where not an array
  const Members& members() const;  // empty where not an object
  std::size_t size() const;        // of an array or object, else 0
  bool empty() const { return size() == 0; }

  // Writing. set and mutate make *this an object (push and mutable_items: an array) if it is
  // something else.
  Value& set(std::string_view key, Value v);  // returns *this
  Value& mutate(std::string_view key);        // the member, created null if absent
  template <class... Keys>
  Value& mutate(std::string_view key, std::string_view next, const Keys&... rest) {
    return mutate(key).mutate(next, rest...);
  }
  bool erase(std::string_view key);
  void push(Value v);
  Array& mutable_items();
  Members& mutable_members();  // the caller keeps keys sorted and unique

  // Deep; 1 and 1.0 are equal.
  friend bool operator==(const Value& a, const Value& b);

 private:
  using SharedArray = std::shared_ptr<Array>;
  using SharedMembers = std::shared_ptr<Members>;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, SharedArray, SharedMembers>
      data_;
};

}  // namespace keelway::value
