// Answers above 128 KiB travel compressed to clients that accept it.
#pragma once

#include <string_view>

#include "http/server.h"

namespace keelway::apiserver {

void compress_if_wanted(std::string_view accept_encoding, http::Response& response);

}  // namespace keelway::apiserver
