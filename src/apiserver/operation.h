// One resource request after authentication, whichever way it came, and its answer before it is
// encoded. Verbs see nothing of HTTP.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "access/identity.h"
#include "apiserver/fence.h"
#include "apiserver/media.h"
#include "apiserver/request_info.h"
#include "schema/decode.h"
#include "schema/kind.h"
#include "schema/object.h"
#include "store/store.h"

namespace keelway::apiserver {

using schema::Answer;
using schema::ObjectPtr;
using store::Revision;
using value::Value;

struct Operation {
  RequestInfo info;
  Query query;
  access::IdentityPtr who;             // set before anything asks who it is
  schema::KindSetPtr kinds;            // keeps `kind` alive
  const schema::Kind* kind = nullptr;  // as served: group and version of the request

  std::string body;               // as sent
  std::string content_type;       // of the body
  std::optional<Value> document;  // in-process callers: the body, parsed
  std::string default_manager;    // field manager of a client that names none
  bool has_generated_name = false;
  bool brief = false;  // client::Call::brief
  FencePtr fence;      // null: writes whoever runs the loops

  std::vector<std::string> warnings;  // out

  bool dry_run() const { return query.has("dryRun"); }
  std::string field_manager() const {
    const auto given = query.get("fieldManager");
    return given.empty() ? default_manager : std::string(given);
  }
  schema::FieldValidation validation() const {
    const auto mode = query.get("fieldValidation");
    if (mode == "Strict") return schema::FieldValidation::strict;
    return mode == "Ignore" ? schema::FieldValidation::ignore : schema::FieldValidation::warn;
  }
};
using OperationPtr = std::shared_ptr<Operation>;

struct ListAnswer {
  std::vector<ObjectPtr> objects;
  Revision revision = 0;
  std::string continue_token;
  std::optional<std::int64_t> remaining;
};
struct TextAnswer {
  std::string text;
  std::string content_type = "text/plain";
};

struct Outcome {
  int code = 200;
  // A stored object (in its storage version), a document that is answered as it is, a list (or
  // a collection that was deleted), or plain text.
  std::variant<ObjectPtr, Value, ListAnswer, TextAnswer> content;
  // The kind of the answer where it is not the operation's (Scale, Status).
  const schema::Kind* kind = nullptr;
  bool plain_document = false;  // a Value that is no object of the operation's kind
  Revision revision = 0;
};
using OutcomeCallback = std::move_only_function<void(Answer<Outcome>)>;

inline Outcome outcome(ObjectPtr object, int code = 200) {
  Outcome o;
  o.code = code;
  o.revision = object->revision();
  o.content = std::move(object);
  return o;
}
inline Outcome document_outcome(Value document, int code = 200) {
  Outcome o;
  o.code = code;
  o.content = std::move(document);
  o.plain_document = true;
  return o;
}

}  // namespace keelway::apiserver
