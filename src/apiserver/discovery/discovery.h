// Every path that is no resource: discovery, OpenAPI, version, health, metrics, OpenID.
#pragma once

#include "apiserver/pipeline.h"

namespace keelway::apiserver {

void answer_path(Core& core, const HttpCallPtr& call);

// Parts, each answers true if the path was its own.
bool answer_health(Core& core, const HttpCallPtr& call);
bool answer_open_api(Core& core, const HttpCallPtr& call);

// For a path under a group that nothing built in serves: plain text, out of which clients make a
// message that names their request.
void reply_page_not_found(Core& core, const HttpCallPtr& call);
// True where a built-in kind is of the group.
bool serves_group(const schema::KindSet& kinds, std::string_view group);

http::Response text_response(int status, std::string body, std::string content_type);

}  // namespace keelway::apiserver
