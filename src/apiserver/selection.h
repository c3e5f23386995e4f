// Label and field selectors of one request, checked against what the kind can select by.
#pragma once

#include <string>

#include "apiserver/operation.h"
#include "value/selector.h"

namespace keelway::apiserver {

class Selection {
 public:
  // 400 where a selector does not parse or names a field that the kind does not offer.
  static Answer<Selection> read(const Operation& op);
  bool everything() const { return labels_.is_everything() && fields_.empty(); }
  bool matches(const schema::Object& object) const;
  // A field that must have one text for an object to match, readable as Object::field; by it
  // watchers are found without asking each. Empty path: there is none.
  struct Exact {
    std::string path, text;
  };
  Exact exact_field() const;

 private:
  std::string field(const schema::Object& object, std::string_view name) const;
  value::LabelSelector labels_;
  value::FieldSelector fields_;
  schema::KindSetPtr kinds_;
  const schema::Kind* kind_ = nullptr;
};

// The texts of list options that a watch and a list share.
struct ListOptions {
  std::size_t limit = 0;
  std::string continue_token, resource_version, match;
};
// 422 (kind ListOptions) for combinations that make no sense. `watching` changes the rules.
Answer<ListOptions> read_list_options(const Operation& op, bool watching);

// 504 with cause ResourceVersionTooLarge.
schema::Status too_large_status(Revision wanted, Revision current);
// The number of a resourceVersion; 400 where it is none. Empty reads as 0.
Answer<Revision> parse_revision(std::string_view text);

}  // namespace keelway::apiserver
