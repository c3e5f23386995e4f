// Answers above 128 KiB travel compressed to clients that accept it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/server.h"

namespace keelway::apiserver {

// Whether the codings of an Accept-Encoding name gzip, and not with q=0.
bool accepts_gzip(std::string_view accept_encoding);
void compress_if_wanted(std::string_view accept_encoding, http::Response& response);

// One compressed body, made in pieces. Used by one thread at a time.
class Gzip {
 public:
  static std::unique_ptr<Gzip> make();  // null: there is no memory for it
  virtual ~Gzip() = default;
  // zlib wants the piece mutable, and changes nothing.
  virtual void add(std::string& piece, bool last) = 0;
  virtual std::string take() = 0;  // what came of the pieces so far; may be empty
};

}  // namespace keelway::apiserver
