// The JSONPath subset of printer columns, scale paths and selectable fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace keelway::value {

// .spec.replicas   .metadata.labels['a/b']   .metadata.annotations.example\.com/x   .items[0]
// .items[-1]   .items[*].name   .status.conditions[?(@.type=="Ready")].status
// The filter compares one path below @ with a string, number, true or false by == or !=.
class Path {
 public:
  static base::Result<Path> parse(std::string_view text);

  // What the path finds, in document order; empty where there is nothing. Pointers into `root`.
  std::vector<const Value*> find_all(const Value& root) const;
  const Value* find(const Value& root) const;  // the first, or null

  // True if the path is a plain chain of members (".spec.replicas").
  bool is_plain() const;
  // The members of a plain path.
  std::vector<std::string> members() const;
  // Sets the value at a plain path, making objects on the way. False if the path is not plain or
  // empty.
  bool set(Value& root, Value v) const;

 private:
  struct Step {
    enum class Kind { member, index, all, filter };
    Kind kind = Kind::member;
    std::string name;
    std::int64_t index = 0;            // negative: from the end
    std::vector<std::string> operand;  // filter: members below @
    bool equal = true;
    Value literal;
  };
  friend class PathParser;
  std::vector<Step> steps_;
};

// Path::parse and find in one, for paths that are used once; null where nothing is there or the
// path is malformed.
const Value* find_path(const Value& root, std::string_view text);

}  // namespace keelway::value
