// Holds a document against the tables: types as Go's JSON decoder judges them, unknown members,
// and the text that Go would write again. Shared by decode and by metadata of custom resources.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

class TypedWalk {
 public:
  // `unknown` gets the paths of members that no table names, in order; they are dropped.
  // `path`: where the object stands in its document ("metadata"); empty for a root.
  explicit TypedWalk(std::vector<std::string>* unknown, std::string path = "")
      : unknown_(unknown), path_(path), go_path_(std::move(path)) {}

  // Changes `v` to what Go would keep of it. Parts that it shares with `known`, which went through
  // here, are left alone.
  void object(const Struct& type, value::Value& v, const value::Value* known = nullptr);
  // The first mistake in Go's words ("json: cannot unmarshal ..."), if any.
  const std::optional<std::string>& error() const { return error_; }

 private:
  // What `v` becomes; nothing where it stays as it is, which is what mostly happens and copies
  // nothing of a document that others share.
  using Changed = std::optional<value::Value>;
  Changed walk(const Shape& shape, const value::Value& v, const value::Value* known);
  Changed members_of(const Struct& type, const value::Value& v, const value::Value* known);
  Changed array(const Shape& shape, const value::Value& v, const value::Value* known);
  Changed map(const Shape& shape, const value::Value& v, const value::Value* known);
  Changed scalar(const Shape& shape, const value::Value& v);
  Changed text_leaf(const Shape& shape, const value::Value& v);
  void integer(const Shape& shape, const value::Value& v);
  void mismatch(const Shape& shape, const value::Value& v);
  void fail(std::string message);

  std::vector<std::string>* unknown_;
  std::optional<std::string> error_;
  std::string path_;          // "spec.containers[0].image", for unknown fields
  std::string go_path_;       // "spec.containers.image", for Go's type errors
  std::string_view go_type_;  // the struct that holds the field
};

// Is this what Go's `omitempty` leaves out of a field that is no pointer?
bool is_go_zero(const Shape& shape, const value::Value& v);

}  // namespace keelway::schema
