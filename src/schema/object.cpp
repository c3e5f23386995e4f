#include "schema/object.h"

#include <deque>

#include "schema/parsed_pool.h"
#include "value/json.h"
#include "value/json_scan.h"

namespace keelway::schema {

// Strings of the header that the text holds only escaped. Names of RBAC objects may be such.
struct Object::Decoded {
  std::deque<std::string> strings;  // addresses stay
};

namespace {

// Of a quoted token without escapes.
std::string_view unquoted(std::string_view token) {
  return token.size() >= 2 ? token.substr(1, token.size() - 2) : std::string_view();
}

std::string_view metadata_of(std::string_view document) {
  return value::find_json_member(document, "metadata").value_or(std::string_view());
}

bool is_string(std::string_view token) {
  return !token.empty() && token.front() == '"';
}

}  // namespace

Text Object::text_of(std::string_view token) {
  if (!is_string(token)) return {};
  if (token.find('\\') == std::string_view::npos) return Text(unquoted(token));
  if (!decoded_) decoded_ = std::make_shared<Decoded>();
  decoded_->strings.push_back(value::parse_json(token).value_or(value::Value()).as_string());
  return Text(decoded_->strings.back());
}

void Object::read_owners(std::string_view references) {
  owners_.reserve(1);
  value::each_json_item(references, [&](std::string_view item) {
    OwnerReference& owner = owners_.emplace_back();
    value::each_json_member(item, [&](std::string_view name, std::string_view token) {
      if (name == "uid") owner.uid = text_of(token);
      if (name == "kind") owner.kind = text_of(token);
      if (name == "name") owner.name = text_of(token);
      if (name == "apiVersion") owner.api_version = text_of(token);
      if (name == "controller") owner.controller = token == "true";
      if (name == "blockOwnerDeletion") owner.block_owner_deletion = token == "true";
    });
  });
  owners_.shrink_to_fit();
}

void Object::read_metadata(std::string_view metadata) {
  const auto offset = [this](std::string_view token) {
    return static_cast<std::uint32_t>(token.data() - outline().data());
  };
  constexpr std::string_view kRevision = "resourceVersion";
  const char* place = metadata.data() + metadata.size() - 1;  // of the first greater name
  bool present = false, found = false;
  value::each_json_member(metadata, [&](std::string_view name, std::string_view token) {
    if (!found && name > kRevision) {
      found = true;
      place = name.data() - 1;
    }
    present = present || name == kRevision;
    if (name == "name") name_ = text_of(token);
    if (name == "namespace") namespace_ = text_of(token);
    if (name == "uid") uid_ = text_of(token);
    if (name == "deletionTimestamp") deleting_ = token != "null";
    if (name == "labels") labels_at_ = offset(token);
    if (name == "ownerReferences") read_owners(token);
  });
  if (!present && metadata.starts_with('{') && metadata.ends_with('}')) {
    splice_at_ = static_cast<std::uint32_t>(place - outline().data());
  }
}

ObjectPtr Object::make(StoredText text, std::string_view metadata, std::int64_t revision,
                       std::shared_ptr<ParsedPool> pool) {
  auto object = std::make_shared<Object>();
  object->revision_ = revision;
  object->text_ = std::move(text);
  object->pool_ = std::move(pool);
  if (!metadata.empty()) object->read_metadata(metadata);
  return object;
}

ObjectPtr Object::parse(const std::shared_ptr<const std::string>& bytes, std::int64_t revision,
                        std::shared_ptr<ParsedPool> pool, FieldSets* sets) {
  const std::string_view metadata = metadata_of(*bytes);
  StoredText text(bytes, metadata, sets);
  const std::string_view outline = text.outline();
  if (outline.data() == bytes->data()) {
    return make(std::move(text), metadata, revision, std::move(pool));
  }
  // Only metadata has parts that are shared: it begins where it began, and is so much shorter.
  const auto begin = static_cast<std::size_t>(metadata.data() - bytes->data());
  const std::size_t size = metadata.size() - (bytes->size() - outline.size());
  if (pool) pool->rename(bytes->data(), text);
  return make(std::move(text), outline.substr(begin, size), revision, std::move(pool));
}

ObjectPtr Object::at_revision(std::int64_t revision) const {
  return make(text_, metadata_of(outline()), revision, pool_);
}

LabelViews Object::labels() const {
  LabelViews labels;
  if (labels_at_ == 0) return labels;
  const std::string_view from = outline().substr(labels_at_);
  value::each_json_member(from, [&](std::string_view name, std::string_view token) {
    // Keys and values of labels have no character that JSON escapes.
    if (is_string(token)) labels.emplace_back(name, unquoted(token));
  });
  return labels;
}

std::string_view Object::label(std::string_view key) const {
  std::string_view found;
  if (labels_at_ == 0) return found;
  const std::string_view from = outline().substr(labels_at_);
  value::each_json_member(from, [&](std::string_view name, std::string_view token) {
    if (name == key && is_string(token)) found = unquoted(token);
  });
  return found;
}

const OwnerReference* Object::controller() const {
  for (const OwnerReference& owner : owners_) {
    if (owner.controller) return &owner;
  }
  return nullptr;
}

std::string Object::field(std::string_view dotted_path) const {
  const auto token = value::find_json_member(outline(), dotted_path);
  if (!token || token->empty() || *token == "null") return "";
  const char first = token->front();
  if (first == '{' || first == '[') return "";
  if (first != '"') return std::string(*token);
  if (token->find('\\') == std::string_view::npos) return std::string(unquoted(*token));
  return value::parse_json(*token).value_or(value::Value()).as_string();
}

value::Value Object::value() const {
  return pool_ ? pool_->get(text_, revision_) : parse_document(text_, revision_);
}

void Object::append_json(std::string& out) const {
  if (splice_at_ == 0) {
    value::append_json(out, value());
    return;
  }
  const std::string_view text = outline();
  const bool first = text[splice_at_ - 1] == '{';
  const bool last = text[splice_at_] == '}';
  text_.append(out, 0, splice_at_);
  if (last && !first) out += ',';
  out += "\"resourceVersion\":\"";
  out += std::to_string(revision_);
  out += '"';
  if (!last) out += ',';
  text_.append(out, splice_at_, text.size());
}

std::string Object::json() const {
  std::string out;
  out.reserve(text_.size() + 48);  // the revision's member
  append_json(out);
  return out;
}

}  // namespace keelway::schema
