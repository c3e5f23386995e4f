#include "schema/object.h"

#include <mutex>

#include "value/json.h"
#include "value/json_scan.h"

namespace keelway::schema {

// The parsed form, made once whoever asks first.
struct Object::Parsed {
  std::once_flag once;
  value::Value value;
};

namespace {

std::vector<OwnerReference> read_owners(const value::Value& references) {
  std::vector<OwnerReference> owners;
  for (const value::Value& item : references.items()) {
    owners.push_back({item["uid"].as_string(), item["kind"].as_string(), item["name"].as_string(),
                      item["apiVersion"].as_string(), item["controller"].as_bool(),
                      item["blockOwnerDeletion"].as_bool()});
  }
  return owners;
}

// Where "resourceVersion" has its sorted place in the metadata of `json`; 0 where there is none.
std::uint32_t splice_place(std::string_view json) {
  const auto metadata = value::find_json_member(json, "metadata");
  if (!metadata) return 0;
  const auto place = value::json_member_place(*metadata, "resourceVersion");
  if (!place) return 0;
  return static_cast<std::uint32_t>(static_cast<std::size_t>(metadata->data() - json.data()) +
                                    *place);
}

}  // namespace

ObjectPtr Object::parse(std::shared_ptr<const std::string> bytes, std::int64_t revision) {
  auto object = std::make_shared<Object>();
  object->revision_ = revision;
  object->parsed_ = std::make_shared<Parsed>();
  const value::Value document = value::parse_json(*bytes).value_or(value::Value::object());
  const value::Value& metadata = document["metadata"];
  object->namespace_ = metadata["namespace"].as_string();
  object->name_ = metadata["name"].as_string();
  object->uid_ = metadata["uid"].as_string();
  object->deleting_ = !metadata["deletionTimestamp"].is_null();
  for (const auto& [key, label] : metadata["labels"].members()) {
    object->labels_.emplace_back(key, label.as_string());
  }
  object->owners_ = read_owners(metadata["ownerReferences"]);
  object->splice_at_ = splice_place(*bytes);
  object->bytes_ = std::move(bytes);
  return object;
}

std::string_view Object::label(std::string_view key) const {
  for (const auto& [name, text] : labels_) {
    if (name == key) return text;
  }
  return {};
}

const OwnerReference* Object::controller() const {
  for (const OwnerReference& owner : owners_) {
    if (owner.controller) return &owner;
  }
  return nullptr;
}

value::Value Object::value() const {
  std::call_once(parsed_->once, [this] {
    parsed_->value = value::parse_json(*bytes_).value_or(value::Value::object());
    parsed_->value.mutate("metadata").set("resourceVersion", std::to_string(revision_));
  });
  return parsed_->value;
}

void Object::append_json(std::string& out) const {
  if (splice_at_ == 0) {
    value::append_json(out, value());
    return;
  }
  const std::string_view text = *bytes_;
  const bool first = text[splice_at_ - 1] == '{';
  const bool last = text[splice_at_] == '}';
  out += text.substr(0, splice_at_);
  if (last && !first) out += ',';
  out += "\"resourceVersion\":\"";
  out += std::to_string(revision_);
  out += '"';
  if (!last) out += ',';
  out += text.substr(splice_at_);
}

std::string Object::json() const {
  std::string out;
  append_json(out);
  return out;
}

}  // namespace keelway::schema
