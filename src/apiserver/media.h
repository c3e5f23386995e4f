// Content negotiation: which form of an answer the client accepts, and which form a body has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelway::apiserver {

enum class Encoding { json, yaml, protobuf };
enum class Form { whole, table, partial };

struct Media {
  Encoding encoding = Encoding::json;
  Form form = Form::whole;
  std::string form_version = "v1";  // of meta.k8s.io
  bool list_form = false;           // PartialObjectMetadataList was asked for
  bool pretty = false;
};

struct Offer {
  bool protobuf = true;   // the kind has a protobuf form
  bool transform = true;  // Table and PartialObjectMetadata can be given
};

// The first acceptable media type by q-value, then by order. An empty header accepts JSON.
std::optional<Media> negotiate(std::string_view accept, const Offer& offer);
// What a 406 lists.
std::string_view acceptable_types(const Offer& offer);

// "application/json; charset=utf-8" -> "application/json".
std::string media_type(std::string_view content_type);
// The encoding of a request body; an empty type is JSON.
std::optional<Encoding> body_encoding(std::string_view content_type);

std::string_view content_type(Encoding encoding);
// With ";stream=watch" where the encoding has it.
std::string_view watch_content_type(Encoding encoding);

// One clause of an Accept header.
struct Clause {
  std::string type;  // "application/json"
  std::string as, group, version, stream;
  double quality = 1;
};
// By falling quality; equal ones keep their order.
std::vector<Clause> parse_accept(std::string_view accept);

}  // namespace keelway::apiserver
