#include "apiserver/media.h"

#include <algorithm>
#include <cstdlib>

namespace keelway::apiserver {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `each` with every trimmed piece between separators.
template <class Each>
void split(std::string_view text, char separator, Each each) {
  for (;;) {
    const std::size_t end = text.find(separator);
    each(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

Clause read_clause(std::string_view text) {
  Clause clause;
  bool first = true;
  split(text, ';', [&](std::string_view part) {
    if (first) {
      clause.type = part;
      first = false;
      return;
    }
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view key = trim(part.substr(0, equals));
    std::string_view value = trim(part.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (key == "q") clause.quality = std::strtod(std::string(value).c_str(), nullptr);
    if (key == "as") clause.as = value;
    if (key == "g") clause.group = value;
    if (key == "v") clause.version = value;
    if (key == "stream") clause.stream = value;
  });
  return clause;
}

std::optional<Encoding> encoding_of(std::string_view type, bool protobuf) {
  if (type == "application/json" || type == "application/*" || type == "*/*") {
    return Encoding::json;
  }
  if (type == "application/yaml") return Encoding::yaml;
  if (type == "application/vnd.kubernetes.protobuf" && protobuf) return Encoding::protobuf;
  return std::nullopt;
}

// Reads as/g/v into `media`; false where that form cannot be given.
bool read_form(const Clause& clause, const Offer& offer, Media& media) {
  if (clause.as.empty()) return true;
  if (!offer.transform || clause.group != "meta.k8s.io") return false;
  if (clause.version != "v1" && clause.version != "v1beta1") return false;
  media.form_version = clause.version;
  if (clause.as == "Table") {
    media.form = Form::table;
    return media.encoding != Encoding::protobuf;
  }
  media.form = Form::partial;
  media.list_form = clause.as == "PartialObjectMetadataList";
  return media.list_form || clause.as == "PartialObjectMetadata";
}

}  // namespace

std::vector<Clause> parse_accept(std::string_view accept) {
  std::vector<Clause> clauses;
  split(accept, ',', [&](std::string_view part) {
    if (!part.empty() && clauses.size() < 64) clauses.push_back(read_clause(part));
  });
  std::stable_sort(clauses.begin(), clauses.end(),
                   [](const Clause& a, const Clause& b) { return a.quality > b.quality; });
  return clauses;
}

std::optional<Media> negotiate(std::string_view accept, const Offer& offer) {
  // What most programs send.
  if (accept == "application/json" || accept == "application/json, */*") return Media{};
  const std::vector<Clause> clauses = parse_accept(accept);
  if (clauses.empty()) return Media{};
  for (const Clause& clause : clauses) {
    if (clause.quality <= 0) continue;
    const auto encoding = encoding_of(clause.type, offer.protobuf);
    if (!encoding) continue;
    Media media;
    media.encoding = *encoding;
    if (read_form(clause, offer, media)) return media;
  }
  return std::nullopt;
}

std::string_view acceptable_types(const Offer& offer) {
  return offer.protobuf ? "application/json, application/yaml, application/vnd.kubernetes.protobuf"
                        : "application/json, application/yaml";
}

std::string media_type(std::string_view content_type) {
  std::string type(trim(content_type.substr(0, content_type.find(';'))));
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return type;
}

std::optional<Encoding> body_encoding(std::string_view content_type) {
  const std::string type = media_type(content_type);
  if (type.empty() || type == "application/json" || type == "*/*") return Encoding::json;
  if (type == "application/yaml") return Encoding::yaml;
  if (type == "application/vnd.kubernetes.protobuf") return Encoding::protobuf;
  return std::nullopt;
}

std::string_view content_type(Encoding encoding) {
  switch (encoding) {
    case Encoding::json:
      return "application/json";
    case Encoding::yaml:
      return "application/yaml";
    case Encoding::protobuf:
      return "application/vnd.kubernetes.protobuf";
  }
  return "";
}

std::string_view watch_content_type(Encoding encoding) {
  return encoding == Encoding::protobuf ? "application/vnd.kubernetes.protobuf;stream=watch"
                                        : content_type(encoding);
}

}  // namespace keelway::apiserver
