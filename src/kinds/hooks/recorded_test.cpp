// Holds decoding, defaults, hooks and validation against recorded answers of an upstream server.
// The recordings are no part of the repository; without them these tests are skipped.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "kinds/catalog.h"
#include "schema/crd.h"
#include "schema/decode.h"
#include "schema/defaults.h"
#include "schema/validate.h"
#include "value/json.h"
#include "value/merge_patch.h"
#include "value/yaml.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::string recordings() {
  for (const char* root : {"../shared", "../../shared"}) {
    std::string folder = std::string(root) + "/reference/upstream-answers/golden";
    if (std::filesystem::exists(folder)) return folder;
  }
  return "";
}

std::string read_text(const std::string& file) {
  const std::string command = "gzip -dcf '" + file + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 65536> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), got);
  }
  pclose(pipe);
  return text;
}

std::vector<Value> read_rows(const std::string& file) {
  std::vector<Value> rows;
  const std::string text = read_text(file);
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    auto row = value::parse_json(std::string_view(text).substr(start, end - start));
    if (row) rows.push_back(std::move(*row));
    start = end + 1;
  }
  return rows;
}

bool digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return false;
  const std::string_view part = text.substr(at, count);
  return std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t run_of(std::string_view text, std::string_view allowed) {
  return std::min(text.find_first_not_of(allowed), text.size());
}

// The length of the time that `text` begins with, or 0.
std::size_t time_length(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() <= form.size()) return 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '0' ? !digits_at(text, i, 1) : text[i] != form[i]) return 0;
  }
  std::size_t end = form.size();
  if (text[end] == '.') end += 1 + run_of(text.substr(end + 1), "0123456789");
  if (text.substr(end).starts_with('Z')) return end + 1;
  const bool zone = end < text.size() && (text[end] == '+' || text[end] == '-');
  return zone && digits_at(text, end + 1, 2) && digits_at(text, end + 4, 2) ? end + 6 : 0;
}

// The recordings hide what differs from run to run.
std::string normal(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = time_length(text);
    std::string_view word = "<time>";
    if (length == 0 && text.starts_with("0x")) {
      length = 2 + run_of(text.substr(2), "0123456789abcdef");
      word = "<ptr>";
    }
    const bool in_number = !out.empty() && digits_at(out, out.size() - 1, 1);
    if (length == 0 && text.starts_with("10.") && !in_number) {
      length = run_of(text, "0123456789.");
      word = "<ip>";
    }
    if (length == 0 && text.starts_with("<rand>")) {
      length = 6;
      word = "abcde";
    }
    out += length > 0 ? word : text.substr(0, 1);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  const std::size_t cut = out.find("pod updates may not change fields other than");
  const std::size_t line = cut == out.npos ? out.npos : out.find('\n', cut);
  return line == out.npos ? out : out.substr(0, line) + "<diff>";
}

// [a, b] in any order, for messages that upstream builds from Go maps.
std::vector<std::string> pieces(std::string text) {
  for (const std::string_view head : {"is invalid: ", "strict decoding error: "}) {
    const std::size_t at = text.find(head);
    if (at == text.npos) continue;
    text.insert(at + head.size(), ", ");
    if (text.substr(at + head.size() + 2, 1) == "[") text.erase(at + head.size() + 2, 1);
    break;
  }
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(", ", start), text.size());
    std::string piece = text.substr(start, end - start);
    while (piece.ends_with(']') || piece.ends_with(' ')) piece.pop_back();
    out.push_back(piece);
    start = end + 2;
  }
  std::ranges::sort(out);
  return out;
}

struct Target {
  const schema::Kind* kind = nullptr;
  std::string name_space, name, subresource;
  schema::FieldValidation mode = schema::FieldValidation::warn;
};

Target resolve(const schema::KindSet& kinds, std::string_view path) {
  Target target;
  const std::size_t question = path.find('?');
  if (question != path.npos) {
    if (path.find("fieldValidation=Strict") != path.npos) {
      target.mode = schema::FieldValidation::strict;
    }
    path = path.substr(0, question);
  }
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t slash = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash);
  }
  if (parts.size() < 3) return target;
  std::size_t at = parts[0] == "api" ? 2 : 3;
  const std::string group = at == 2 ? "" : parts[1];
  const std::string version = parts[at - 1];
  if (parts.size() > at + 2 && parts[at] == "namespaces") {
    target.name_space = parts[at + 1];
    at += 2;
  }
  if (at >= parts.size()) return target;
  target.kind = kinds.by_resource(group, version, parts[at]);
  if (at + 1 < parts.size()) target.name = parts[at + 1];
  if (at + 2 < parts.size()) target.subresource = parts[at + 2];
  return target;
}

// What the API server does with a body, without store, admission and identity.
class Server {
 public:
  explicit Server(schema::KindSetPtr kinds) : kinds_(std::move(kinds)) {
    objects_["Namespace/neg"] = Value::object({{"metadata", Value::object({{"name", "neg"}})}});
  }

  std::optional<schema::Status> request(const Value& row, std::vector<std::string>& warnings) {
    const Target target = resolve(*kinds_, row["path"].as_string());
    if (target.kind == nullptr) return schema::not_found("", "kind", "");
    const schema::Kind& kind = *target.kind;
    Value object;
    const Value* old = nullptr;
    const std::string key = std::string(kind.kind) + "/" + target.name;
    if (row["method"].as_string() != "PATCH") {
      const std::string body =
          row["body"].is_string() ? row["body"].as_string() : value::to_json(row["body"]);
      auto decoded = schema::decode(kind, *kinds_, body, schema::BodyFormat::json, target.mode);
      if (!decoded) return decoded.error();
      object = std::move(decoded->object);
      warnings = decoded->warnings;
    }
    if (row["method"].as_string() != "POST") {
      const auto found = objects_.find(key);
      if (found == objects_.end()) return schema::not_found(kind.group, kind.resource, target.name);
      old = &found->second;
    }
    if (row["method"].as_string() == "PATCH") {
      object = value::apply_merge_patch(*old, row["body"]);
      auto decoded = schema::decode_value(kind, std::move(object), target.mode, warnings);
      if (!decoded) return decoded.error();
      object = std::move(*decoded);
    }
    return write(kind, target, std::move(object), old);
  }

 private:
  std::optional<schema::Status> write(const schema::Kind& kind, const Target& target, Value object,
                                      const Value* old) {
    Value& metadata = object.mutate("metadata");
    if (kind.namespaced)
      metadata.set("namespace", target.name_space);
    else
      metadata.erase("namespace");
    if (old == nullptr && metadata["name"].as_string().empty() &&
        !metadata["generateName"].as_string().empty()) {
      metadata.set("name", metadata["generateName"].as_string() + "abcde");
    }
    schema::apply_defaults(kind, object);
    const bool main_write = target.subresource.empty();
    if (main_write && kind.hooks != nullptr && kind.hooks->prepare != nullptr) {
      kind.hooks->prepare(kind, object, old);
    }
    const auto errors = schema::validate(kind, object, old);
    const std::string& name = object.at("metadata", "name").as_string();
    if (!errors.empty()) return schema::invalid(kind.storage_group, kind.kind, name, errors);
    if (kind.kind == "Service" && !object.at("spec", "clusterIP") &&
        object.at("spec", "type").as_string() != "ExternalName") {
      object.mutate("spec").set("clusterIP", "10.0.0.7");
      object.mutate("spec").set("clusterIPs", Value::array({"10.0.0.7"}));
    }
    if (kind.kind == "CustomResourceDefinition") {
      object.mutate("status", "conditions")
          .push(Value::object({{"type", "Established"}, {"status", "True"}}));
    }
    objects_[std::string(kind.kind) + "/" + name] = object;
    return std::nullopt;
  }

  schema::KindSetPtr kinds_;
  std::map<std::string, Value> objects_;
};

struct Score {
  int right = 0, all = 0, refused = 0, in_order = 0;
  std::string wrong;
};

void play(const schema::KindSetPtr& kinds, const Value& row, Score& score) {
  Server server(kinds);
  std::vector<std::string> warnings;
  for (const Value& before : row["setup"].items()) {
    if (before["method"].as_string() != "SLEEP") server.request(before, warnings);
  }
  warnings.clear();
  const auto answer = server.request(row, warnings);
  const Value& expected = row["expect"];
  const std::int64_t code = expected["code"].as_int();
  const bool failed = code >= 400;
  ++score.all;
  const std::string wanted = normal(expected.at("body", "message").as_string());
  const std::string got = answer ? normal(answer->message) : "";
  const bool same =
      failed ? answer && answer->code == code && (got == wanted || pieces(got) == pieces(wanted))
             : !answer;
  if (failed) ++score.refused;
  if (failed && same && got == wanted) ++score.in_order;
  if (same)
    ++score.right;
  else
    score.wrong += row["id"].as_string() + "\n  want " + wanted + "\n  got  " + got + "\n";
}

bool is_ours(const schema::KindSet& kinds, const Value& row) {
  const Target target = resolve(kinds, row["path"].as_string());
  const std::string& method = row["method"].as_string();
  const std::int64_t code = row["expect"]["code"].as_int();
  const std::string& type = row["headers"]["Content-Type"].as_string();
  const bool plain = type.empty() || type == "application/json" ||
                     (method == "PATCH" && type == "application/merge-patch+json");
  const bool judged = code == 200 || code == 201 || code == 400 || code == 422;
  const bool write = method == "POST" || method == "PATCH" || method == "PUT";
  const bool stored = target.kind != nullptr && !target.kind->verbs.empty() &&
                      target.kind->group != "authorization.k8s.io" &&
                      target.kind->group != "authentication.k8s.io";
  return write && plain && judged && stored && target.subresource.empty() &&
         row["path"].as_string().find("dryRun=Some") == std::string::npos;
}

// Everything but metadata and status, without what allocation and admission add.
Value comparable(const Value& object) {
  Value v = object;
  v.erase("metadata");
  v.erase("status");
  if (v["kind"].as_string() == "Service") {
    v.mutate("spec").erase("clusterIP");
    v.mutate("spec").erase("clusterIPs");
    if (!v["spec"]["ports"].empty()) {
      for (Value& port : v.mutate("spec", "ports").mutable_items()) port.erase("nodePort");
    }
  }
  // Go prints the zero time of a template's metadata as null; we leave it out.
  if (v.at("spec", "template", "metadata").is_object()) {
    v.mutate("spec", "template", "metadata").erase("creationTimestamp");
  }
  return v;
}

std::string first_difference(const Value& want, const Value& got, const std::string& path) {
  if (want == got) return "";
  if (want.is_object() && got.is_object()) {
    for (const value::Member& member : want.members()) {
      const std::string found =
          first_difference(member.second, got[member.first], path + "." + member.first);
      if (!found.empty()) return found;
    }
    for (const value::Member& member : got.members()) {
      if (!want.contains(member.first)) {
        return path + "." + member.first + " got " + value::to_json(member.second);
      }
    }
    return path;
  }
  if (want.is_array() && got.is_array() && want.size() == got.size()) {
    for (std::size_t i = 0; i < want.size(); ++i) {
      const std::string found = first_difference(want[i], got[i], path + "[]");
      if (!found.empty()) return found;
    }
  }
  return path + " want " + value::to_json(want).substr(0, 300) + " got " +
         value::to_json(got).substr(0, 300);
}

TEST(Recorded, StoredObjects) {
  const std::string folder = recordings();
  if (folder.empty()) GTEST_SKIP() << "no recordings of an upstream server beside the repository";
  const auto kinds = catalog(33);
  int all = 0, right = 0;
  std::map<std::string, int> wrong;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/../manifests")) {
    const std::string file = entry.path().filename().string();
    const std::string project = file.substr(0, file.find('.'));
    const std::string golden = folder + "/" + project + ".jsonl.gz";
    if (!std::filesystem::exists(golden)) continue;
    std::map<std::string, Value> stored;
    for (const Value& row : read_rows(golden)) {
      const Value& object = row["obj"];
      stored[object["kind"].as_string() + "/" + object.at("metadata", "name").as_string()] = object;
    }
    auto documents = value::parse_yaml_stream(read_text(entry.path().string()));
    if (!documents) {
      ADD_FAILURE() << file << ": " << documents.error().message;
      continue;
    }
    for (const Value& document : *documents) {
      const std::string& api_version = document["apiVersion"].as_string();
      const std::size_t slash = api_version.find('/');
      const schema::Kind* kind =
          kinds->by_kind(slash == api_version.npos ? "" : api_version.substr(0, slash),
                         slash == api_version.npos ? api_version : api_version.substr(slash + 1),
                         document["kind"].as_string());
      const auto found = stored.find(document["kind"].as_string() + "/" +
                                     document.at("metadata", "name").as_string());
      if (kind == nullptr || found == stored.end()) continue;
      std::vector<std::string> warnings;
      auto object = schema::decode_value(*kind, document, schema::FieldValidation::warn, warnings);
      ++all;
      if (!object) {
        ++wrong[object.error().message];
        continue;
      }
      schema::apply_defaults(*kind, *object);
      if (kind->hooks != nullptr && kind->hooks->prepare != nullptr) {
        kind->hooks->prepare(*kind, *object, nullptr);
      }
      const std::string difference = first_difference(
          comparable(found->second), comparable(*object), document["kind"].as_string());
      if (difference.empty())
        ++right;
      else
        ++wrong[difference];
    }
  }
  std::printf("%d of %d manifests become what upstream stored; others:\n", right, all);
  for (const auto& [text, count] : wrong) std::printf("  %d x %s\n", count, text.c_str());
  EXPECT_GT(all, 300);
  EXPECT_GE(right, all - 3);
}

TEST(Recorded, InvalidRequests) {
  const std::string folder = recordings();
  if (folder.empty()) GTEST_SKIP() << "no recordings of an upstream server beside the repository";
  const auto kinds = catalog(33);
  Score score;
  for (const Value& row : read_rows(folder + "/negative.jsonl.gz")) {
    const std::string& id = row["id"].as_string();
    // These are judged before or after the schema: patches that do not apply, other names. 5.0
    // and 5 are one once a recording is parsed.
    const bool elsewhere = id == "put/name" || id == "patch/mp-array" || id == "patch/mp-type" ||
                           id == "patch/strict-unknown" || id == "pod/float-whole";
    if (is_ours(*kinds, row) && !elsewhere) play(kinds, row, score);
  }
  std::printf(
      "%d of %d recorded requests answered alike (%d are refusals, %d of them with the "
      "parts in upstream's order); others:\n%s",
      score.right, score.all, score.refused, score.in_order, score.wrong.c_str());
  EXPECT_GT(score.all, 90);
  EXPECT_GE(score.right, score.all - 1);
}

bool needs_expressions(std::string_view message) {
  return message.find("Invalid value: \"object\"") != message.npos ||
         message.find("Invalid value: \"array\"") != message.npos ||
         (message.find("Invalid value: \"string\": ") != message.npos &&
          message.find("in body must be of type") == message.npos) ||
         message.find("Invalid value: \"integer\": port") != message.npos ||
         message.find("accessor error") != message.npos;
}

TEST(Recorded, CustomResources) {
  const std::string folder = recordings();
  if (folder.empty()) GTEST_SKIP() << "no recordings of an upstream server beside the repository";
  const auto built_in = catalog(33);
  std::vector<schema::CustomKindPtr> custom;
  std::set<std::string> projects;
  const auto rows = read_rows(folder + "/custom.jsonl.gz");
  for (const Value& row : rows) projects.insert(row["project"].as_string());
  for (const std::string& project : projects) {
    for (const Value& row : read_rows(folder + "/" + project + ".jsonl.gz")) {
      if (row.at("obj", "kind").as_string() != "CustomResourceDefinition") continue;
      auto made = schema::build_custom_kinds(row["obj"]);
      ASSERT_TRUE(made.has_value());
      for (auto& kind : *made) custom.push_back(std::move(kind));
    }
  }
  ASSERT_FALSE(custom.empty());
  const auto kinds = std::make_shared<schema::DynamicKindSet>(built_in, std::move(custom));
  Score score;
  int skipped = 0;
  for (const Value& row : rows) {
    if (!is_ours(*kinds, row)) continue;
    if (needs_expressions(row["expect"].at("body", "message").as_string()))
      ++skipped;
    else
      play(kinds, row, score);
  }
  std::printf("%d of %d recorded requests answered alike (%d need expressions); others:\n%s",
              score.right, score.all, skipped, score.wrong.c_str());
  EXPECT_GT(score.all, 80);
  EXPECT_EQ(score.right, score.all);
}

}  // namespace
}  // namespace keelway::kinds
