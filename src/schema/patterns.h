// Regular expressions, as the schemas of kinds write them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace keelway::schema {

// The expressions of one validation. To compile one costs far more than to match a short text, and
// a list has as many texts as a body has room for: each is compiled once.
class Patterns {
 public:
  Patterns();
  ~Patterns();

  // Does `text` hold the expression (unanchored)? nullopt: it is malformed or beyond RE2.
  std::optional<bool> match(std::string_view pattern, std::string_view text);
  std::size_t compiled() const { return compiled_.size(); }

 private:
  std::map<std::string, std::unique_ptr<const re2::RE2>, std::less<>> compiled_;
};

// What RE2 finds wrong with an expression, in Go's words as far as they agree; empty: fine.
std::string pattern_error(const std::string& pattern);

}  // namespace keelway::schema
