#include "schema/patterns.h"

#include <fmt/core.h>
#include <re2/re2.h>

namespace keelway::schema {
namespace {

std::unique_ptr<const re2::RE2> compile(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()),
                                          options);
}

}  // namespace

Patterns::Patterns() = default;
Patterns::~Patterns() = default;

std::optional<bool> Patterns::match(std::string_view pattern, std::string_view text) {
  auto found = compiled_.find(pattern);
  if (found == compiled_.end()) {
    found = compiled_.emplace(std::string(pattern), compile(pattern)).first;
  }
  if (!found->second->ok()) return std::nullopt;
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *found->second);
}

std::string pattern_error(const std::string& pattern) {
  const auto expression = compile(pattern);
  if (expression->ok()) return "";
  const std::string& code = expression->error();
  const std::size_t colon = code.find(": ");
  const std::string what = code.substr(0, colon);
  // Go quotes the rest from where the bracket opens.
  std::string argument = expression->error_arg();
  if (what == "missing ]") {
    return fmt::format("error parsing regexp: missing closing ]: `{}`", argument);
  }
  if (what == "missing )") {
    return fmt::format("error parsing regexp: missing closing ): `{}`", pattern);
  }
  return fmt::format("error parsing regexp: {}: `{}`", what, argument);
}

}  // namespace keelway::schema
