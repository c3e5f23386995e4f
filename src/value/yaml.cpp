#include "value/yaml.h"

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "base/encoding.h"
#include "value/json.h"
#include "value/utf8.h"
#include "value/yaml_scalar.h"

namespace keelway::value {
namespace {

// yaml-cpp gives the escapes \N and \_ as single bytes, in the midst of UTF-8.
std::string with_escapes_as_utf8(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool continues = byte >= 0x80 && byte < 0xc0;  // nothing here: the escape
    if (continues) out += '\xc2';
    const std::size_t size = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    out.append(text, i, size);
    i += size;
  }
  return out;
}

struct Anchor {
  Value value;
  std::size_t nodes = 0;
  std::size_t depth = 0;
};

// Builds one Value from yaml-cpp's events. After the first refusal it takes no more of them:
// the parser cannot be stopped, but aliases cost nothing then.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const YamlLimits& limits, std::vector<std::string>* duplicates)
      : limits_(limits), duplicates_(duplicates) {}

  base::Result<Value> take() {
    if (refusal_) return std::unexpected(std::move(*refusal_));
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override { add(Value(), 1, anchor); }

  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      refuse(base::ErrorCode::invalid, "invalid YAML: unknown anchor");
      return;
    }
    if (stack_.size() + found->second.depth > static_cast<std::size_t>(limits_.depth_max)) {
      return refuse_depth();
    }
    if (!stack_.empty()) stack_.back().reach(found->second.depth);
    add(found->second.value, found->second.nodes, YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& given) override {
    const std::string text = is_utf8(given) ? given : with_escapes_as_utf8(given);
    plain_merge_key_ = expecting_key() && tag == "?" && text == "<<";
    add(scalar(mark, tag, text), 1, anchor);
  }

  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(false, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(true, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    bool map = false;
    YAML::anchor_t anchor = YAML::NullAnchor;
    Array items;
    Members members;
    // From each "<<": below the own members, and each below those before it.
    std::vector<Members> merged;
    std::unordered_set<std::string> names;  // of members, once they are many; never iterated
    std::optional<std::string> key;         // read, its value not yet
    bool key_is_merge = false;
    std::size_t nodes = 1;
    std::size_t depth = 1;  // levels, this one included

    void reach(std::size_t below) { depth = std::max(depth, below + 1); }

    // Whether it has the name already; few are compared one by one, many are hashed.
    bool has(const std::string& name) {
      if (members.size() < compared_max) {
        return std::any_of(members.begin(), members.end(),
                           [&name](const Member& member) { return member.first == name; });
      }
      if (names.empty()) {
        for (const Member& member : members) names.insert(member.first);
      }
      return !names.insert(name).second;
    }

   private:
    static constexpr std::size_t compared_max = 32;
  };

  void refuse(base::ErrorCode code, std::string message) {
    if (!refusal_) refusal_ = base::Error{code, std::move(message)};
  }

  void refuse_depth() {
    refuse(base::ErrorCode::exhausted,
           fmt::format("YAML nests deeper than {} levels", limits_.depth_max));
  }

  bool expecting_key() const { return !stack_.empty() && stack_.back().map && !stack_.back().key; }

  Value scalar(const YAML::Mark& mark, const std::string& tag, const std::string& text) {
    if (tag == "?" || tag.empty()) return resolve_yaml_scalar(text);
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(text);
    if (tag == "tag:yaml.org,2002:binary") {
      const auto bytes = base::base64_decode(text);
      if (!bytes) {
        refuse(base::ErrorCode::invalid,
               fmt::format("invalid YAML: line {}: !!binary value contains invalid base64 data",
                           mark.line + 1));
        return Value();
      }
      if (!is_utf8(*bytes)) {
        refuse(
            base::ErrorCode::invalid,
            fmt::format("invalid YAML: line {}: !!binary value is no UTF-8 text", mark.line + 1));
        return Value();
      }
      return Value(*bytes);
    }
    if (tag.starts_with("tag:yaml.org,2002:")) return resolve_yaml_scalar(text);
    return Value(text);
  }

  void open(bool map, YAML::anchor_t anchor) {
    if (refusal_) return;
    if (expecting_key()) {
      refuse(base::ErrorCode::invalid, "invalid YAML: a map or list cannot be a key");
      return;
    }
    if (stack_.size() >= static_cast<std::size_t>(limits_.depth_max)) {
      return refuse_depth();
    }
    Frame frame;
    frame.map = map;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    if (refusal_) return;
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Value v;
    if (frame.map) {
      Members all;
      for (auto below = frame.merged.rbegin(); below != frame.merged.rend(); ++below) {
        std::move(below->begin(), below->end(), std::back_inserter(all));
      }
      std::move(frame.members.begin(), frame.members.end(), std::back_inserter(all));
      v = Value::object_of(std::move(all));
    } else {
      v = Value(std::move(frame.items));
    }
    if (frame.anchor != YAML::NullAnchor) anchors_[frame.anchor].depth = frame.depth;
    if (!stack_.empty()) stack_.back().reach(frame.depth);
    add(std::move(v), frame.nodes, frame.anchor);
  }

  void add(Value v, std::size_t nodes, YAML::anchor_t anchor) {
    if (refusal_) return;
    if (anchor != YAML::NullAnchor) {
      anchors_[anchor].value = v;
      anchors_[anchor].nodes = nodes;
    }
    if (stack_.empty()) {
      root_ = std::move(v);
      return;
    }
    Frame& frame = stack_.back();
    frame.nodes += nodes;
    // Also inside a tree that is not finished: the sum may only grow.
    total_ += nodes;
    if (total_ > limits_.nodes_max * 4 || frame.nodes > limits_.nodes_max) {
      refuse(base::ErrorCode::exhausted,
             fmt::format("YAML names more than {} values, most of them through aliases",
                         limits_.nodes_max));
      return;
    }
    if (!frame.map) {
      frame.items.push_back(std::move(v));
    } else if (!frame.key) {
      frame.key = key_text(v);
      frame.key_is_merge = plain_merge_key_;
    } else {
      add_member(frame, std::move(v));
      frame.key.reset();
    }
  }

  std::string key_text(const Value& v) {
    if (v.is_string()) return v.as_string();
    if (v.is_number() || v.is_bool()) return to_json(v);
    refuse(base::ErrorCode::invalid, "invalid YAML: unsupported map key of type null");
    return "";
  }

  void add_member(Frame& frame, Value v) {
    if (frame.key_is_merge) {
      merge_into(frame, v);
      return;
    }
    if (duplicates_ != nullptr && frame.has(*frame.key)) {
      duplicates_->push_back(path_to(*frame.key));
    }
    frame.members.emplace_back(std::move(*frame.key), std::move(v));
  }

  void merge_into(Frame& frame, const Value& v) {
    const auto prepend = [&](const Value& map) {
      if (!map.is_object()) {
        refuse(base::ErrorCode::invalid,
               "invalid YAML: map merge requires map or sequence of maps as the value");
        return;
      }
      frame.merged.emplace_back(map.members().begin(), map.members().end());
    };
    if (!v.is_array()) return prepend(v);
    for (const Value& item : v.items()) prepend(item);  // the first of them wins
  }

  std::string path_to(const std::string& key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < stack_.size(); ++i) {
      const Frame& frame = stack_[i];
      if (frame.map)
        path += (path.empty() ? "" : ".") + frame.key.value_or("");
      else
        path += fmt::format("[{}]", frame.items.size());
    }
    return path.empty() ? key : path + "." + key;
  }

  const YamlLimits& limits_;
  std::vector<std::string>* duplicates_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchor> anchors_;
  std::size_t total_ = 0;
  std::optional<base::Error> refusal_;
  bool plain_merge_key_ = false;
  Value root_;
};

bool is_blank(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const auto first = line.find_first_not_of(" \t\r");
    if (first != line.npos && line[first] != '#') return false;
    at = end + 1;
  }
  return true;
}

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && (text[first] == '{' || text[first] == '[');
}

// The length of the JSON value at the start of `text`, by its brackets; npos if it is not closed.
std::size_t json_extent(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return text.npos;
}

}  // namespace

base::Result<Value> parse_yaml(std::string_view text, const YamlLimits& limits,
                               std::vector<std::string>* duplicates) {
  if (text.size() > limits.bytes_max) {
    return base::fail(base::ErrorCode::exhausted,
                      fmt::format("document of {} bytes exceeds the limit of {} bytes", text.size(),
                                  limits.bytes_max));
  }
  if (looks_like_json(text)) {
    std::vector<std::string> found;
    auto json = parse_json(text, {limits.depth_max, limits.bytes_max}, &found);
    if (json) {
      if (duplicates != nullptr) duplicates->insert(duplicates->end(), found.begin(), found.end());
      return json;
    }
  }
  // By a NUL yaml-cpp guesses at UTF-16 and UTF-32, which YAML of Kubernetes tools never is.
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
    return base::fail(base::ErrorCode::invalid, "invalid YAML: the text is not UTF-8");
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(limits, duplicates);
    if (!parser.HandleNextDocument(builder)) return Value();
    Builder rest(limits, nullptr);
    if (parser.HandleNextDocument(rest)) {
      return base::fail(base::ErrorCode::invalid,
                        "invalid YAML: more than one document where one is expected");
    }
    return builder.take();
  } catch (const YAML::Exception& e) {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("invalid YAML: line {}: {}", e.mark.line + 1, e.msg));
  }
}

std::vector<std::string_view> split_yaml_documents(std::string_view text) {
  std::vector<std::string_view> documents;
  std::size_t start = 0;
  const auto finish = [&](std::size_t end) {
    const std::string_view document = text.substr(start, end - start);
    if (!is_blank(document)) documents.push_back(document);
  };
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (text.substr(line, 3) == "---") {
      const std::string_view rest = text.substr(line + 3, end - line - 3);
      const auto first = rest.find_first_not_of(" \t\r");
      if (first == rest.npos || rest[first] == '#') {
        finish(line);
        start = std::min(end + 1, text.size());
      }
    }
    line = end + 1;
  }
  finish(text.size());
  return documents;
}

base::Result<std::vector<Value>> parse_yaml_stream(std::string_view text,
                                                   const YamlLimits& limits) {
  std::vector<Value> values;
  for (std::string_view document : split_yaml_documents(text)) {
    while (looks_like_json(document)) {
      document.remove_prefix(document.find_first_of("{["));
      const std::size_t extent = json_extent(document);
      if (extent == document.npos) break;
      auto json = parse_json(document.substr(0, extent), {limits.depth_max, limits.bytes_max});
      if (!json) break;  // flow-style YAML
      values.push_back(std::move(*json));
      document.remove_prefix(extent);
    }
    if (is_blank(document)) continue;
    auto v = parse_yaml(document, limits);
    if (!v) return std::unexpected(std::move(v.error()));
    if (!v->is_null()) values.push_back(std::move(*v));
  }
  return values;
}

}  // namespace keelway::value
