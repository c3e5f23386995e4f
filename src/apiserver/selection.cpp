#include "apiserver/selection.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "apiserver/stored_fields.h"
#include "apiserver/verbs/shape.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

// Fields whose text is not that of the member of the same path.
struct FieldRule {
  std::string_view group, resource, field, path, absent;
};
constexpr FieldRule kRules[] = {
    {"", "nodes", "spec.unschedulable", "spec.unschedulable", "false"},
    {"", "pods", "spec.hostNetwork", "spec.hostNetwork", "false"},
    {"", "replicationcontrollers", "status.replicas", "status.replicas", "0"},
    {"batch", "jobs", "status.successful", "status.succeeded", "0"},
    {"", "events", "source", "source.component", ""},
};

bool offers(const schema::Kind& kind, std::string_view field) {
  if (field == "metadata.name") return true;
  if (field == "metadata.namespace") return true;
  for (std::string_view offered : kind.selectable_fields) {
    if (offered.starts_with('.')) offered.remove_prefix(1);
    if (offered == field) return true;
  }
  return false;
}

schema::Status list_options_invalid(schema::FieldErrors errors) {
  schema::Status status = schema::invalid("meta.k8s.io", "ListOptions", "", errors);
  return status;
}

void check_match(const ListOptions& options, bool initial_events, schema::FieldErrors& errors) {
  using schema::forbidden_field;
  if (options.match.empty()) return;
  if (options.match != "Exact" && options.match != "NotOlderThan") {
    errors.push_back(schema::not_supported("resourceVersionMatch", options.match,
                                           {"Exact", "NotOlderThan", ""}));
  }
  if (options.resource_version.empty() && !initial_events) {
    errors.push_back(
        forbidden_field("resourceVersionMatch",
                        "resourceVersionMatch is forbidden unless resourceVersion is provided"));
  }
  if (!options.continue_token.empty()) {
    errors.push_back(forbidden_field(
        "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
  }
  if (options.match == "Exact" && options.resource_version == "0") {
    errors.push_back(
        forbidden_field("resourceVersionMatch",
                        "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
  }
}

void check_watch(const ListOptions& options, const Operation& op, schema::FieldErrors& errors) {
  const bool initial = op.query.has("sendInitialEvents");
  if (initial && options.match != "NotOlderThan") {
    errors.push_back(schema::forbidden_field(
        "resourceVersionMatch",
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (!initial && !options.match.empty()) {
    errors.push_back(schema::forbidden_field(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
}

}  // namespace

Answer<Revision> parse_revision(std::string_view text) {
  Revision revision = 0;
  if (text.empty()) return revision;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size() || revision < 0) {
    return std::unexpected(schema::bad_request(
        fmt::format("Invalid value: \"{}\": a resource version is a decimal number", text)));
  }
  return revision;
}

schema::Status too_large_status(Revision wanted, Revision current) {
  schema::Status status = schema::timeout(
      fmt::format("Too large resource version: {}, current: {}", wanted, current), 1);
  status.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  return status;
}

Answer<ListOptions> read_list_options(const Operation& op, bool watching) {
  ListOptions options;
  options.resource_version = op.query.get("resourceVersion");
  options.match = op.query.get("resourceVersionMatch");
  options.continue_token = op.query.get("continue");
  const std::string_view limit = op.query.get("limit");
  if (!limit.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), number);
    if (error != std::errc() || end != limit.data() + limit.size() || number < 0) {
      return std::unexpected(schema::bad_request(
          fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax", limit)));
    }
    options.limit = static_cast<std::size_t>(number);
  }
  schema::FieldErrors errors;
  const bool initial = op.query.has("sendInitialEvents");
  if (watching) check_watch(options, op, errors);
  if (!watching && initial) {
    errors.push_back(
        schema::forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  check_match(options, initial, errors);
  if (!errors.empty()) return std::unexpected(list_options_invalid(std::move(errors)));
  if (auto number = parse_revision(options.resource_version); !number) {
    return std::unexpected(std::move(number.error()));
  }
  return options;
}

Answer<Selection> Selection::read(const Operation& op) {
  Selection selection;
  selection.kinds_ = op.kinds;
  selection.kind_ = op.kind;
  auto labels = value::LabelSelector::parse(op.query.get("labelSelector"));
  if (!labels) return std::unexpected(schema::bad_request(labels.error().message));
  selection.labels_ = std::move(*labels);
  auto fields = value::FieldSelector::parse(op.query.get("fieldSelector"));
  if (!fields) return std::unexpected(schema::bad_request(fields.error().message));
  for (const auto& term : fields->terms()) {
    if (!offers(*op.kind, term.field)) {
      return std::unexpected(
          schema::bad_request(fmt::format("field label not supported: {}", term.field)));
    }
  }
  // A name in the path (the deprecated watch of one object) selects, too.
  if (!op.info.name.empty() && !fields->exact("metadata.name")) {
    fields->add("metadata.name", op.info.name);
  }
  selection.fields_ = std::move(*fields);
  return selection;
}

std::string Selection::field(const schema::Object& object, std::string_view name) const {
  if (name == "metadata.name") return object.name();
  if (name == "metadata.namespace") return object.name_space();
  if (!served_as_stored(*kind_)) {
    return value::field_text(to_served(*kind_, transient_value(object)), name);
  }
  for (const FieldRule& rule : kRules) {
    if (rule.group != kind_->group || rule.resource != kind_->resource || rule.field != name) {
      continue;
    }
    std::string text = read_field(object, rule.path);
    return text.empty() ? std::string(rule.absent) : text;
  }
  return read_field(object, name);
}

Selection::Exact Selection::exact_field() const {
  if (!served_as_stored(*kind_)) return {};
  for (const auto& term : fields_.terms()) {
    const bool ruled = std::any_of(std::begin(kRules), std::end(kRules), [&](const FieldRule& r) {
      return r.group == kind_->group && r.resource == kind_->resource && r.field == term.field;
    });
    if (term.equal && !ruled) return {term.field, term.value};
  }
  return {};
}

bool Selection::matches(const schema::Object& object) const {
  if (!labels_.is_everything() && !labels_.matches(object.labels())) return false;
  if (fields_.empty()) return true;
  return fields_.matches([&](std::string_view name) { return field(object, name); });
}

}  // namespace keelway::apiserver
