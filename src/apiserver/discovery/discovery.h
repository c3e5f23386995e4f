// Every path that is no resource: discovery, OpenAPI, version, health, metrics, OpenID.
#pragma once

#include "apiserver/pipeline.h"

namespace keelway::apiserver {

void answer_path(Core& core, const HttpCallPtr& call);

// Parts, each answers true if the path was its own.
bool answer_health(Core& core, const HttpCallPtr& call);
bool answer_open_api(Core& core, const HttpCallPtr& call);

http::Response text_response(int status, std::string body, std::string content_type);

}  // namespace keelway::apiserver
