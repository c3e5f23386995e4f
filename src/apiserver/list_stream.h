// Long lists as JSON, in pieces: each is made when the client has taken those before it, so that
// neither memory nor the loop feels the length of the list.
#pragma once

#include "apiserver/pipeline.h"

namespace keelway::apiserver {

// Whether it is a list that is better not encoded in one go.
bool is_long_list(const Outcome& outcome);
// Whether the form that the client asked for can be sent in pieces.
bool can_be_streamed(const HttpCall& call);
// Sends a list. The objects live until they are sent.
void stream_list(Core& core, const HttpCallPtr& call, Outcome outcome);

}  // namespace keelway::apiserver
