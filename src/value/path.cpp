#include "value/path.h"

#include <fmt/core.h>

#include <charconv>
#include <optional>

#include "value/json.h"

namespace keelway::value {

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  base::Result<Path> parse() {
    Path path;
    // "{.spec.x}" and "$.spec.x" are the same path.
    if (text_.starts_with('{') && text_.ends_with('}')) text_ = text_.substr(1, text_.size() - 2);
    if (text_.starts_with('$')) text_.remove_prefix(1);
    if (text_.empty()) return wrong("it is empty");
    if (text_[0] != '.' && text_[0] != '[') return wrong("it must start with '.'");
    while (at_ < text_.size()) {
      const bool done = text_[at_] == '.' ? member(path) : text_[at_] == '[' && bracket(path);
      if (!done) return wrong(fmt::format("unexpected text at byte {}", at_));
    }
    return path;
  }

 private:
  using Step = Path::Step;

  std::unexpected<base::Error> wrong(std::string_view why) const {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("invalid JSONPath {}: {}", to_json(Value(text_)), why));
  }

  // ".name"; a backslash takes the next character as it is. "." alone is the root.
  bool member(Path& path) {
    ++at_;
    std::string name = word(".[");
    if (name.empty()) return at_ == text_.size() || text_[at_] == '[';
    Step step;
    if (name == "*") step.kind = Step::Kind::all;
    step.name = std::move(name);
    path.steps_.push_back(std::move(step));
    return true;
  }

  std::string word(std::string_view stops) {
    std::string out;
    for (; at_ < text_.size() && stops.find(text_[at_]) == stops.npos; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    return out;
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::optional<std::string> quoted() {
    const char quote = text_[at_];
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return out;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    return std::nullopt;
  }

  bool bracket(Path& path) {
    ++at_;
    skip_spaces();
    if (at_ >= text_.size()) return false;
    Step step;
    const char c = text_[at_];
    if (c == '\'' || c == '"') {
      auto name = quoted();
      if (!name) return false;
      step.name = std::move(*name);
    } else if (c == '*') {
      ++at_;
      step.kind = Step::Kind::all;
    } else if (c == '?') {
      ++at_;
      if (!filter(step)) return false;
    } else {
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), step.index);
      if (error != std::errc()) return false;
      at_ = static_cast<std::size_t>(end - text_.data());
      step.kind = Step::Kind::index;
    }
    skip_spaces();
    if (!take(']')) return false;
    path.steps_.push_back(std::move(step));
    return true;
  }

  // (@.type=="Ready")
  bool filter(Step& step) {
    step.kind = Step::Kind::filter;
    if (!take('(')) return false;
    skip_spaces();
    if (!take('@')) return false;
    while (take('.')) step.operand.push_back(word(".=! )"));
    skip_spaces();
    if (!take('=')) {
      if (!take('!')) return false;
      step.equal = false;
    }
    if (!take('=')) return false;
    skip_spaces();
    if (at_ >= text_.size()) return false;
    if (text_[at_] == '\'' || text_[at_] == '"') {
      auto literal = quoted();
      if (!literal) return false;
      step.literal = Value(std::move(*literal));
    } else {
      const auto literal = parse_json(word(" )"));
      if (!literal) return false;
      step.literal = *literal;
    }
    skip_spaces();
    return take(')');
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

base::Result<Path> Path::parse(std::string_view text) {
  return PathParser(text).parse();
}

std::vector<const Value*> Path::find_all(const Value& root) const {
  std::vector<const Value*> found{&root};
  for (const Step& step : steps_) {
    std::vector<const Value*> next;
    for (const Value* v : found) {
      switch (step.kind) {
        case Step::Kind::member:
          if (const Value* member = v->find(step.name)) next.push_back(member);
          break;
        case Step::Kind::index: {
          const auto size = static_cast<std::int64_t>(v->items().size());
          const std::int64_t index = step.index < 0 ? step.index + size : step.index;
          if (index >= 0 && index < size) {
            next.push_back(&v->items()[static_cast<std::size_t>(index)]);
          }
          break;
        }
        case Step::Kind::all:
          for (const Value& item : v->items()) next.push_back(&item);
          for (const auto& [key, member] : v->members()) next.push_back(&member);
          break;
        case Step::Kind::filter:
          for (const Value& item : v->items()) {
            const Value* operand = &item;
            for (const std::string& key : step.operand) {
              operand = operand != nullptr ? operand->find(key) : nullptr;
            }
            if (operand != nullptr && (*operand == step.literal) == step.equal) {
              next.push_back(&item);
            }
          }
          break;
      }
    }
    found = std::move(next);
  }
  return found;
}

const Value* Path::find(const Value& root) const {
  const auto found = find_all(root);
  return found.empty() ? nullptr : found.front();
}

bool Path::is_plain() const {
  for (const Step& step : steps_) {
    if (step.kind != Step::Kind::member) return false;
  }
  return !steps_.empty();
}

std::vector<std::string> Path::members() const {
  std::vector<std::string> names;
  if (!is_plain()) return names;
  for (const Step& step : steps_) names.push_back(step.name);
  return names;
}

bool Path::set(Value& root, Value v) const {
  if (!is_plain()) return false;
  Value* at = &root;
  for (const Step& step : steps_) at = &at->mutate(step.name);
  *at = std::move(v);
  return true;
}

const Value* find_path(const Value& root, std::string_view text) {
  const auto path = Path::parse(text);
  return path ? path->find(root) : nullptr;
}

}  // namespace keelway::value
