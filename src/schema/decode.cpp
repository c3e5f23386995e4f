#include "schema/decode.h"

#include <fmt/core.h>

#include "base/encoding.h"
#include "schema/object_meta.h"
#include "schema/protobuf.h"
#include "schema/prune.h"
#include "schema/typed_walk.h"
#include "schema/validate.h"
#include "value/json.h"
#include "value/utf8.h"
#include "value/yaml.h"

namespace keelway::schema {
namespace {

using value::Value;

// An answer is JSON, whatever was asked: as in Go's, U+FFFD stands for each byte of no character.
std::string as_utf8(std::string_view text) {
  constexpr std::size_t length_max = 4;
  std::string out;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length <= length_max && !value::is_utf8(text.substr(0, length))) ++length;
    const bool character = length <= length_max;
    out += character ? text.substr(0, length) : "\xef\xbf\xbd";
    text.remove_prefix(character ? length : 1);
  }
  return out;
}

// How upstream shows a body that it could not read.
std::string summary_of(std::string_view body) {
  constexpr std::size_t length_max = 30;
  if (body.empty()) return "<empty>";
  const std::string_view head = body.substr(0, length_max);
  const std::string text = body.front() == '{' ? as_utf8(head) : base::hex_encode(head);
  return body.size() > length_max ? text + " ..." : text;
}

Status unreadable(std::string_view expected_kind, std::string_view why, std::string_view body) {
  return bad_request(
      fmt::format("the object provided is unrecognized (must be of type {}): {} ({})",
                  expected_kind, why, summary_of(body)));
}

Status cannot_handle(std::string_view body_kind, std::string_view body_version, const Kind& kind,
                     std::string_view why) {
  return bad_request(fmt::format("{} in version \"{}\" cannot be handled as a {}: {}", body_kind,
                                 body_version, kind.kind, why));
}

std::string_view version_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == api_version.npos ? api_version : api_version.substr(slash + 1);
}

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == api_version.npos ? std::string_view() : api_version.substr(0, slash);
}

// "rbac.authorization.k8s.io" -> "rbac": the Go package of the internal types.
std::string_view package_of(std::string_view group) {
  return group.empty() ? std::string_view("core") : group.substr(0, group.find('.'));
}

Value parse_result(base::Result<Value>& parsed) {
  Value v = std::move(*parsed);
  return v.is_null() ? Value::object() : v;
}

// The unknown and duplicate fields of one document, by the caller's wish.
Answer<Value> judge(const Kind& kind, Value object, FieldValidation mode,
                    const std::vector<std::string>& complaints,
                    std::vector<std::string>& warnings) {
  if (complaints.empty() || mode == FieldValidation::ignore) return object;
  if (mode == FieldValidation::warn) {
    warnings.insert(warnings.end(), complaints.begin(), complaints.end());
    return object;
  }
  std::string text = "strict decoding error: ";
  for (const std::string& complaint : complaints) {
    if (&complaint != &complaints.front()) text += ", ";
    text += complaint;
  }
  return std::unexpected(cannot_handle(kind.kind, kind.version, kind, text));
}

std::vector<std::string> sentences(std::string_view what, const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) out.push_back(fmt::format("{} \"{}\"", what, path));
  return out;
}

// Another kind than the one of the URL.
std::optional<Status> wrong_kind(const Kind& kind, const KindSet* kinds, const Value& document) {
  const std::string& name = document["kind"].as_string();
  const std::string& api_version = document["apiVersion"].as_string();
  // The options and Status are registered in every group's every version: a client encodes
  // DeleteOptions with the version of what it deletes.
  const bool everywhere = kind.group == "meta.k8s.io";
  const bool same_version = api_version.empty() || api_version == kind.api_version() || everywhere;
  if (kind.custom && same_version && !name.empty() && name != kind.kind) {
    FieldErrors errors{invalid_value("kind", name, fmt::format("must be {}", kind.kind))};
    return invalid(kind.group, name, document.at("metadata", "name").as_string(), errors);
  }
  if (same_version && (name.empty() || name == kind.kind)) return std::nullopt;
  const std::string_view version = api_version.empty() ? kind.version : version_of(api_version);
  const std::string_view group = api_version.empty() ? kind.group : group_of(api_version);
  const std::string_view body_kind = name.empty() ? kind.kind : std::string_view(name);
  const Kind* known = kinds != nullptr ? kinds->by_kind(group, version, body_kind) : nullptr;
  if (kind.custom || body_kind == kind.kind) {
    return bad_request(
        fmt::format("the API version in the data ({}) does not match the expected API version ({})",
                    api_version, kind.api_version()));
  }
  if (known == nullptr) {
    return cannot_handle(body_kind, version, kind,
                         fmt::format("no kind \"{}\" is registered for version \"{}\" in scheme "
                                     "\"pkg/api/legacyscheme/scheme.go:30\"",
                                     body_kind, api_version));
  }
  std::vector<std::string> ignored;
  auto theirs = decode_value(*known, document, FieldValidation::ignore, ignored);
  if (!theirs) {
    const std::string& text = theirs.error().message;
    const std::size_t colon = text.find(": ");
    return cannot_handle(
        body_kind, version, kind,
        colon == text.npos ? std::string_view(text) : std::string_view(text).substr(colon + 2));
  }
  return cannot_handle(body_kind, version, kind,
                       fmt::format("converting ({}.{}) to ({}.{}): unknown conversion", version,
                                   body_kind, package_of(kind.group), kind.kind));
}

Answer<Value> shape_document(const Kind& kind, const KindSet* kinds, Value document,
                             std::vector<std::string>& unknown, const Value* known = nullptr) {
  if (!document.is_object()) {
    return std::unexpected(unreadable(kind.kind,
                                      "couldn't get version/kind; json parse error: json: cannot "
                                      "unmarshal the document into an object",
                                      value::to_json(document)));
  }
  if (auto wrong = wrong_kind(kind, kinds, document)) return std::unexpected(std::move(*wrong));
  if (!document["kind"].is_string() || document["kind"].as_string().empty()) {
    document.set("kind", kind.kind);
  }
  if (!document["apiVersion"].is_string() || document["apiVersion"].as_string().empty()) {
    document.set("apiVersion", kind.api_version());
  }
  std::optional<std::string> error;
  if (kind.custom) {
    prune(kind, document, &unknown);
    if (document.contains("metadata")) {
      TypedWalk walk(&unknown, "metadata");
      walk.object(object_meta_struct(), document.mutate("metadata"));
      error = walk.error();
    }
  } else if (kind.root != nullptr) {
    TypedWalk walk(&unknown);
    walk.object(*kind.root, document, known);
    error = walk.error();
  }
  if (error) return std::unexpected(cannot_handle(kind.kind, kind.version, kind, *error));
  return document;
}

}  // namespace

Answer<Value> parse_body(std::string_view body, BodyFormat format,
                         std::vector<std::string>* duplicates) {
  if (format == BodyFormat::protobuf) {
    return std::unexpected(bad_request("a protobuf body needs a kind to be read as"));
  }
  auto parsed = format == BodyFormat::yaml ? value::parse_yaml(body, {}, duplicates)
                                           : value::parse_json(body, {}, duplicates);
  if (!parsed) return std::unexpected(bad_request(parsed.error().message));
  return std::move(*parsed);
}

Answer<Value> decode_value(const Kind& kind, Value document, FieldValidation mode,
                           std::vector<std::string>& warnings, const Value* known) {
  std::vector<std::string> unknown;
  auto shaped = shape_document(kind, nullptr, std::move(document), unknown, known);
  if (!shaped) return shaped;
  return judge(kind, std::move(*shaped), mode, sentences("unknown field", unknown), warnings);
}

Answer<Decoded> decode(const Kind& kind, const KindSet& kinds, std::string_view body,
                       BodyFormat format, FieldValidation mode) {
  std::vector<std::string> duplicates, unknown;
  Value document;
  if (format == BodyFormat::protobuf) {
    auto read = from_protobuf(kinds, body);
    if (!read) return std::unexpected(std::move(read.error()));
    document = std::move(*read);
  } else {
    auto parsed = format == BodyFormat::yaml ? value::parse_yaml(body, {}, &duplicates)
                                             : value::parse_json(body, {}, &duplicates);
    if (!parsed) {
      const std::string why =
          format == BodyFormat::yaml ? parsed.error().message
          : body.empty() ? "couldn't get version/kind; json parse error: unexpected end "
                           "of JSON input"
                         : "couldn't get version/kind; json parse error: " + parsed.error().message;
      return std::unexpected(unreadable(kind.kind, why, body));
    }
    document = parse_result(parsed);
  }
  auto shaped = shape_document(kind, &kinds, std::move(document), unknown);
  if (!shaped) return std::unexpected(std::move(shaped.error()));
  std::vector<std::string> complaints = sentences("duplicate field", duplicates);
  for (std::string& text : sentences("unknown field", unknown))
    complaints.push_back(std::move(text));
  Decoded out;
  auto judged = judge(kind, std::move(*shaped), mode, complaints, out.warnings);
  if (!judged) return std::unexpected(std::move(judged.error()));
  out.object = std::move(*judged);
  return out;
}

}  // namespace keelway::schema
