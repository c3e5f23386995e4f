#include "value/json_patch.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "value/depth.h"
#include "value/json.h"
#include "value/pointer.h"

namespace keelway::value {
namespace {

using base::ErrorCode;
using base::fail;
using Tokens = std::vector<std::string>;
using Done = base::Result<std::monostate>;

struct Operation {
  std::string op;
  std::string path, from;
  Tokens tokens, from_tokens;
  const Value* value = nullptr;
};

Done missing(const Operation& o) {
  return fail(ErrorCode::conflict,
              fmt::format("{} operation does not apply: doc is missing path: \"{}\": missing value",
                          o.op, o.path));
}

// An index into an array of `size` items; negative ones count from the end, as upstream allows.
std::optional<std::size_t> index_of(std::string_view token, std::size_t size) {
  if (!token.empty() && token[0] == '-') {
    std::size_t back = 0;
    const std::string_view digits = token.substr(1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), back);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    if (back == 0 || back > size) return std::nullopt;
    return size - back;
  }
  return parse_array_index(token);
}

// Calls `change(parent, last token)` on the container that `tokens` end in, copying shared parts
// on the way down. False if there is no such container.
template <class Change>
bool change_parent(Value& root, const Tokens& tokens, std::size_t at, const Change& change,
                   Done& result) {
  if (!root.is_object() && !root.is_array()) return false;
  if (at + 1 == tokens.size()) {
    result = change(root, tokens[at]);
    return true;
  }
  if (root.is_object()) {
    if (!root.contains(tokens[at])) return false;
    return change_parent(root.mutate(tokens[at]), tokens, at + 1, change, result);
  }
  const auto index = index_of(tokens[at], root.size());
  if (!index || *index >= root.size()) return false;
  return change_parent(root.mutable_items()[*index], tokens, at + 1, change, result);
}

const Value* find(const Value& root, const Tokens& tokens) {
  const Value* at = &root;
  for (const std::string& token : tokens) {
    if (at->is_array()) {
      const auto index = index_of(token, at->size());
      if (!index || *index >= at->size()) return nullptr;
      at = &at->items()[*index];
    } else {
      at = at->find(token);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

Done add(Value& root, const Operation& o, const Value& v) {
  if (o.tokens.empty()) {
    root = v;
    return {};
  }
  Done result;
  const auto change = [&](Value& parent, const std::string& token) -> Done {
    if (parent.is_object()) {
      parent.set(token, v);
      return {};
    }
    Array& items = parent.mutable_items();
    const auto index =
        token == "-" ? std::optional(items.size()) : index_of(token, items.size() + 1);
    if (!index || *index > items.size()) {
      return fail(ErrorCode::conflict,
                  fmt::format("{} operation does not apply: unable to access invalid index: {}: "
                              "invalid index referenced",
                              o.op, token));
    }
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), v);
    return {};
  };
  if (!change_parent(root, o.tokens, 0, change, result)) return missing(o);
  return result;
}

Done remove(Value& root, const Operation& o, const Tokens& tokens) {
  Done result;
  const auto change = [&](Value& parent, const std::string& token) -> Done {
    if (parent.is_object()) {
      if (parent.erase(token)) return {};
      return fail(ErrorCode::conflict,
                  fmt::format("{} operation does not apply: unable to remove nonexistent key: {}: "
                              "missing value",
                              o.op, token));
    }
    const auto index = index_of(token, parent.size());
    if (!index || *index >= parent.size()) {
      return fail(ErrorCode::conflict,
                  fmt::format("{} operation does not apply: unable to access invalid index: {}: "
                              "invalid index referenced",
                              o.op, token));
    }
    Array& items = parent.mutable_items();
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(*index));
    return {};
  };
  if (tokens.empty() || !change_parent(root, tokens, 0, change, result)) return missing(o);
  return result;
}

Done replace(Value& root, const Operation& o) {
  if (o.tokens.empty()) {
    root = *o.value;
    return {};
  }
  Done result;
  const auto change = [&](Value& parent, const std::string& token) -> Done {
    if (parent.is_object()) {
      if (!parent.contains(token)) return missing(o);
      parent.set(token, *o.value);
      return {};
    }
    const auto index = index_of(token, parent.size());
    if (!index || *index >= parent.size()) return missing(o);
    parent.mutable_items()[*index] = *o.value;
    return {};
  };
  if (!change_parent(root, o.tokens, 0, change, result)) return missing(o);
  return result;
}

Done test(const Value& root, const Operation& o) {
  const Value* found = find(root, o.tokens);
  const bool holds = found == nullptr ? o.value->is_null() : *found == *o.value;
  if (holds) return {};
  return fail(ErrorCode::conflict, fmt::format("testing value {} failed: test failed", o.path));
}

// What the operations so far have cost.
struct Spent {
  std::size_t copied = 0;  // bytes
  std::size_t depth = 0;  // levels that the document has at most: exact would cost a walk each time
};

Done deepen(Spent& spent, std::size_t depth, const JsonPatchLimits& limits) {
  spent.depth = std::max(spent.depth, depth);
  if (spent.depth <= limits.depth_max) return {};
  return fail(ErrorCode::exhausted,
              fmt::format("the patched document may nest deeper than {} levels", limits.depth_max));
}

Done add_given(Value& root, const Operation& o, Spent& spent, const JsonPatchLimits& limits) {
  const std::size_t depth = o.tokens.size() + depth_of(*o.value, limits.depth_max);
  if (auto bounded = deepen(spent, depth, limits); !bounded) return bounded;
  return o.op == "add" ? add(root, o, *o.value) : replace(root, o);
}

Done move_or_copy(Value& root, const Operation& o, Spent& spent, const JsonPatchLimits& limits) {
  const Value* source = find(root, o.from_tokens);
  if (source == nullptr) {
    return fail(ErrorCode::conflict,
                fmt::format("{} operation does not apply: doc is missing from path: \"{}\": "
                            "missing value",
                            o.op, o.from));
  }
  const Value v = *source;
  const std::size_t levels = spent.depth - std::min(spent.depth, o.from_tokens.size());
  const bool nests = v.is_object() || v.is_array();
  const std::size_t depth = o.tokens.size() + (nests ? levels : 0);
  if (auto bounded = deepen(spent, depth, limits); !bounded) return bounded;
  if (o.op == "move") {
    if (auto removed = remove(root, o, o.from_tokens); !removed) return removed;
    return add(root, o, v);
  }
  spent.copied += to_json(v).size();
  if (spent.copied > limits.copied_bytes_max) {
    return fail(ErrorCode::exhausted,
                fmt::format("Unable to complete the copy, the accumulated size increase of copy is "
                            "{}, exceeding the limit {}",
                            spent.copied, limits.copied_bytes_max));
  }
  return add(root, o, v);
}

base::Result<Operation> read_operation(const Value& v) {
  const auto broken = [](std::string message) {
    return fail(ErrorCode::conflict, std::move(message));
  };
  if (!v.is_object()) return fail(ErrorCode::invalid, "a JSON patch operation must be an object");
  Operation o;
  o.op = v["op"].as_string();
  o.path = v["path"].as_string();
  const bool known = o.op == "add" || o.op == "remove" || o.op == "replace" || o.op == "move" ||
                     o.op == "copy" || o.op == "test";
  if (!known) return broken(fmt::format("Unexpected kind: {}", o.op.empty() ? "unknown" : o.op));
  auto tokens = v["path"].is_string() ? parse_pointer(o.path) : std::nullopt;
  if (!tokens) {
    return broken(
        fmt::format("{} operation does not apply: doc is missing path: \"{}\": missing "
                    "value",
                    o.op, o.path));
  }
  o.tokens = std::move(*tokens);
  if (o.op == "move" || o.op == "copy") {
    o.from = v["from"].as_string();
    auto from = v["from"].is_string() ? parse_pointer(o.from) : std::nullopt;
    if (!from) return broken(fmt::format("{} operation failed to decode from", o.op));
    o.from_tokens = std::move(*from);
  }
  o.value = v.find("value");
  static const Value null;
  if (o.value == nullptr) o.value = &null;
  return o;
}

}  // namespace

base::Result<Value> apply_json_patch(const Value& document, const Value& patch,
                                     const JsonPatchLimits& limits) {
  if (!patch.is_array()) {
    return fail(ErrorCode::invalid,
                fmt::format("error decoding patch: json: cannot unmarshal {} into Go value of type "
                            "jsonpatch.Patch",
                            patch.is_object()   ? "object"
                            : patch.is_string() ? "string"
                            : patch.is_number() ? "number"
                                                : "value"));
  }
  if (patch.size() > limits.operations_max) {
    return fail(ErrorCode::exhausted,
                fmt::format("The allowed maximum operations in a JSON patch is {}, got {}",
                            limits.operations_max, patch.size()));
  }
  Value result = document;
  Spent spent{0, depth_of(document, limits.depth_max)};
  for (const Value& item : patch.items()) {
    auto o = read_operation(item);
    if (!o) return std::unexpected(std::move(o.error()));
    Done done;
    if (o->op == "add" || o->op == "replace")
      done = add_given(result, *o, spent, limits);
    else if (o->op == "remove")
      done = remove(result, *o, o->tokens);
    else if (o->op == "test")
      done = test(result, *o);
    else
      done = move_or_copy(result, *o, spent, limits);
    if (!done) return std::unexpected(std::move(done.error()));
  }
  return result;
}

}  // namespace keelway::value
