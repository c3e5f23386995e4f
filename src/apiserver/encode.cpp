#include "apiserver/encode.h"

#include "apiserver/stored_fields.h"
#include "apiserver/verbs/shape.h"
#include "schema/protobuf.h"
#include "value/json.h"
#include "value/yaml.h"

namespace keelway::apiserver {
namespace {

constexpr std::size_t kSplicedBytes = 48;  // the revision's member, and a line's end

// Of objects and lists; a Status may be of a request for which no kind was found.
const schema::Kind& kind_of(const Operation& op, const Outcome& outcome) {
  const schema::Kind* kind = outcome.kind != nullptr ? outcome.kind : op.kind;
  KEELWAY_INVARIANT(kind != nullptr, "objects have a kind");
  return *kind;
}

Value list_metadata(const ListAnswer& list) {
  Value metadata = Value::object({{"resourceVersion", std::to_string(list.revision)}});
  if (!list.continue_token.empty()) metadata.set("continue", list.continue_token);
  if (list.remaining) metadata.set("remainingItemCount", *list.remaining);
  return metadata;
}

std::string list_json(const schema::Kind& kind, const ListAnswer& list) {
  std::size_t size = 200;
  for (const ObjectPtr& object : list.objects) size += object->text().size() + 40;
  std::string out;
  out.reserve(size);
  out += list_head(kind, list);
  const bool splice = served_as_stored(kind);
  bool first = true;
  for (const ObjectPtr& object : list.objects) {
    if (!first) out += ',';
    first = false;
    append_served(kind, *object, splice, out);
  }
  out += "]}\n";
  return out;
}

Value list_value(const schema::Kind& kind, const ListAnswer& list) {
  value::Array items;
  items.reserve(list.objects.size());
  for (const ObjectPtr& object : list.objects)
    items.push_back(to_served(kind, transient_value(*object)));
  Value v =
      Value::object({{"kind", std::string(kind.list_kind)}, {"apiVersion", kind.api_version()}});
  v.set("metadata", list_metadata(list));
  v.set("items", Value(std::move(items)));
  return v;
}

// Objects of the outcome as they are served.
std::vector<Value> served_objects(const schema::Kind& kind, const Outcome& outcome) {
  std::vector<Value> objects;
  if (const auto* one = std::get_if<ObjectPtr>(&outcome.content)) {
    objects.push_back(to_served(kind, transient_value(**one)));
  } else if (const auto* document = std::get_if<Value>(&outcome.content)) {
    objects.push_back(*document);
  } else if (const auto* list = std::get_if<ListAnswer>(&outcome.content)) {
    objects.reserve(list->objects.size());
    for (const ObjectPtr& object : list->objects) {
      objects.push_back(to_served(kind, transient_value(*object)));
    }
  }
  return objects;
}

Value transformed(base::WallTime now, const Operation& op, const Media& media,
                  const Outcome& outcome) {
  const schema::Kind& kind = kind_of(op, outcome);
  const std::vector<Value> objects = served_objects(kind, outcome);
  const auto* list = std::get_if<ListAnswer>(&outcome.content);
  if (media.form == Form::table) {
    schema::TableOptions options = table_options(now, op, media);
    if (list != nullptr) {
      options.resource_version = std::to_string(list->revision);
      options.continue_token = list->continue_token;
      options.remaining = list->remaining;
    } else if (!objects.empty()) {
      options.resource_version = objects[0].at("metadata", "resourceVersion").as_string();
    }
    return schema::to_table(kind, objects, options);
  }
  const std::string version = "meta.k8s.io/" + media.form_version;
  if (list == nullptr) return schema::partial_metadata(objects[0], version);
  value::Array items;
  for (const Value& object : objects) items.push_back(schema::partial_metadata(object, version));
  Value v = Value::object({{"kind", "PartialObjectMetadataList"}, {"apiVersion", version}});
  v.set("metadata", list_metadata(*list));
  v.set("items", Value(std::move(items)));
  return v;
}

// The kind by which a document of any kind (Status, PartialObjectMetadata, Table's none) becomes
// protobuf; null where it has no such form.
const schema::Kind* protobuf_kind(const Operation& op, const Value& document) {
  if (!op.kinds) return nullptr;
  const std::string& version = document["apiVersion"].as_string();
  const std::size_t slash = version.find('/');
  const std::string group = slash == std::string::npos ? "" : version.substr(0, slash);
  const std::string only = slash == std::string::npos ? version : version.substr(slash + 1);
  const schema::Kind* kind = op.kinds->by_kind(group, only, document["kind"].as_string());
  if (kind == nullptr) kind = op.kind;
  return kind != nullptr && !kind->proto_message.empty() ? kind : nullptr;
}

std::string protobuf_of(const Operation& op, const Value& document) {
  const schema::Kind* kind = protobuf_kind(op, document);
  return kind != nullptr ? schema::to_protobuf(*kind, document) : std::string();
}

}  // namespace

std::string object_json(const schema::Kind& kind, const schema::Object& object) {
  std::string out;
  if (served_as_stored(kind)) {
    out.reserve(object.text().size() + kSplicedBytes);
    object.append_json(out);
  } else {
    value::append_json(out, to_served(kind, transient_value(object)));
  }
  return out;
}

std::string list_head(const schema::Kind& kind, const ListAnswer& list) {
  std::string out = R"({"kind":)";
  value::append_json_string(out, kind.list_kind);
  out += R"(,"apiVersion":)";
  value::append_json_string(out, kind.api_version());
  out += R"(,"metadata":)";
  value::append_json(out, list_metadata(list));
  out += R"(,"items":[)";
  return out;
}

void append_served(const schema::Kind& kind, const schema::Object& object, bool spliced,
                   std::string& out) {
  if (spliced)
    object.append_json(out);
  else
    value::append_json(out, to_served(kind, transient_value(object)));
}

schema::TableOptions table_options(base::WallTime now, const Operation& op, const Media& media) {
  schema::TableOptions options;
  options.include_object = schema::parse_include_object(op.query.get("includeObject"))
                               .value_or(schema::IncludeObject::metadata);
  options.now = now;
  options.api_version = "meta.k8s.io/" + media.form_version;
  return options;
}

Encoded encode_document(const Value& document, const Media& media) {
  if (media.encoding == Encoding::yaml) return {value::to_yaml(document), "application/yaml"};
  std::string body = media.pretty ? value::to_pretty_json(document) : value::to_json(document);
  body += '\n';
  return {std::move(body), "application/json"};
}

Encoded encode_outcome(base::WallTime now, const Operation& op, const Media& media,
                       const Outcome& outcome) {
  if (const auto* text = std::get_if<TextAnswer>(&outcome.content)) {
    return {text->text, text->content_type};
  }
  if (media.form != Form::whole && !outcome.plain_document) {
    const Value document = transformed(now, op, media, outcome);
    if (media.encoding != Encoding::protobuf) return encode_document(document, media);
    return {protobuf_of(op, document), "application/vnd.kubernetes.protobuf"};
  }
  if (media.encoding == Encoding::protobuf) {
    const Value document = outcome_value(op, outcome);
    std::string bytes = protobuf_of(op, document);
    if (!bytes.empty()) return {std::move(bytes), "application/vnd.kubernetes.protobuf"};
    return encode_document(document, Media{});
  }
  if (media.encoding == Encoding::json && !media.pretty) {
    if (const auto* one = std::get_if<ObjectPtr>(&outcome.content)) {
      std::string body = object_json(kind_of(op, outcome), **one);
      body += '\n';
      return {std::move(body), "application/json"};
    }
    if (const auto* list = std::get_if<ListAnswer>(&outcome.content)) {
      return {list_json(kind_of(op, outcome), *list), "application/json"};
    }
  }
  return encode_document(outcome_value(op, outcome), media);
}

std::string encode_watch_event(const Operation& op, const Media& media, std::string_view type,
                               const Value& object) {
  if (media.encoding == Encoding::protobuf) {
    return schema::protobuf_watch_frame(type, protobuf_of(op, object));
  }
  const Value event = Value::object({{"type", type}, {"object", object}});
  if (media.encoding == Encoding::yaml) return "---\n" + value::to_yaml(event);
  return value::to_json(event) + "\n";
}

Value outcome_value(const Operation& op, const Outcome& outcome) {
  if (const auto* document = std::get_if<Value>(&outcome.content)) return *document;
  if (const auto* one = std::get_if<ObjectPtr>(&outcome.content)) {
    // Callers in process share what others of them read.
    return to_served(kind_of(op, outcome), op.document ? (*one)->value() : transient_value(**one));
  }
  if (const auto* list = std::get_if<ListAnswer>(&outcome.content)) {
    return list_value(kind_of(op, outcome), *list);
  }
  return Value(std::get<TextAnswer>(outcome.content).text);
}

}  // namespace keelway::apiserver
