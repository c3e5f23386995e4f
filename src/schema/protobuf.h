// The protobuf form of Kubernetes objects (application/vnd.kubernetes.protobuf), driven by the
// tables: "k8s\0", then runtime.Unknown with the type and the message of the kind. Byte for byte
// what Go writes: fields by number, zero scalars that are no pointers included, maps by key.
#pragma once

#include <string>
#include <string_view>

#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// The document with apiVersion and kind, as JSON of the same Go object has it; zero times and
// empty lists, which Go prints as null, are left out. Lists of a kind are understood, too. Bytes
// that are no such message, and kinds that `kinds` has not, are a bad request.
Answer<value::Value> from_protobuf(const KindSet& kinds, std::string_view bytes);

// `object`: one of the kind, or its list (told by the object's kind). A kind without
// proto_message has no such form: empty.
std::string to_protobuf(const Kind& kind, const value::Value& object);

// One frame of application/vnd.kubernetes.protobuf;stream=watch: the length in four bytes, big
// end first, then WatchEvent. `object`: what to_protobuf answered.
std::string protobuf_watch_frame(std::string_view type, std::string_view object);

}  // namespace keelway::schema
