// What the server does to a document on its way in and out, the same for every kind: versions,
// metadata, status apart from spec, generation. Pure.
#pragma once

#include <string>

#include "apiserver/operation.h"
#include "base/random.h"
#include "base/time.h"

namespace keelway::apiserver {

// From the version that is stored to the one that is served, and back. Versions of one kind have
// equal fields except where kinds/events says otherwise.
Value to_served(const schema::Kind& kind, Value stored);
Value to_stored(const schema::Kind& kind, Value served);
// True where to_served changes nothing, so that stored bytes can be answered.
bool served_as_stored(const schema::Kind& kind);

// The body of a create or update as an object of `kind`, undefaulted. Warnings go to `op`.
Answer<Value> read_object(Operation& op, const schema::Kind& kind);
// DeleteOptions of body and query; an empty object where neither says anything.
Answer<Value> read_delete_options(Operation& op);
// The parsed body of a patch or of anything that has no kind yet.
Answer<Value> read_plain_body(Operation& op);

// The namespace and name of a body against those of the URL; fills them in.
Answer<void> settle_names(const Operation& op, Value& object);

// uid, creationTimestamp, generation; clears what clients may not set.
void start_life(const schema::Kind& kind, Value& object, base::Random& random, base::WallTime now);
// What an update may not change is taken from `old`.
void carry_metadata(Value& object, const Value& old);
// Keeps `status` (a main write) or everything else (a write of the status subresource).
Value isolate(const schema::Kind& kind, std::string_view subresource, Value object,
              const Value& old);
// Sets metadata.generation: old's, or one more where what it counts differs.
void count_generation(const schema::Kind& kind, Value& object, const Value& old);

// Equal but for resourceVersion.
bool same_object(const Value& a, const Value& b);
// Compact JSON without resourceVersion: what is stored.
std::string stored_bytes(Value object);

// 'Operation cannot be fulfilled ...: Precondition failed: UID in precondition: a, UID in object
// meta: b' and the like; Ok where the object is the one that is meant.
Answer<void> check_preconditions(const schema::Kind& kind, const Value& preconditions,
                                 const schema::Object& object);

// "kubectl" of "kubectl/v1.33.0 (linux/amd64)", at most 128 bytes.
std::string manager_of_agent(std::string_view user_agent);

}  // namespace keelway::apiserver
