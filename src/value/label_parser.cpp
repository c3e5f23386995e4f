// The text form of label selectors.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "value/json.h"
#include "value/selector.h"

namespace keelway::value {
namespace {

enum class TokenKind {
  end,
  identifier,
  open,
  close,
  comma,
  bang,
  equals,
  double_equals,
  not_equals,
  greater,
  less,
  in,
  not_in,
  broken
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
};

bool is_special(char c) {
  return std::string_view("=!(),><").find(c) != std::string_view::npos;
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

TokenKind special_kind(std::string_view text) {
  if (text == ")") return TokenKind::close;
  if (text == ",") return TokenKind::comma;
  if (text == "!") return TokenKind::bang;
  if (text == "==") return TokenKind::double_equals;
  if (text == ">") return TokenKind::greater;
  if (text == "=") return TokenKind::equals;
  if (text == "<") return TokenKind::less;
  if (text == "!=") return TokenKind::not_equals;
  if (text == "(") return TokenKind::open;
  return TokenKind::broken;
}

std::vector<Token> scan(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) break;
    const std::size_t from = at;
    if (is_special(text[at])) {
      // The longest symbol: "!=" before "!".
      const std::size_t length =
          special_kind(text.substr(at, 2)) != TokenKind::broken && text.substr(at, 2).size() == 2
              ? 2
              : 1;
      tokens.push_back(
          {special_kind(text.substr(at, length)), std::string(text.substr(at, length))});
      at += length;
      continue;
    }
    while (at < text.size() && !is_special(text[at]) && !is_space(text[at])) ++at;
    const std::string word(text.substr(from, at - from));
    tokens.push_back({word == "in"      ? TokenKind::in
                      : word == "notin" ? TokenKind::not_in
                                        : TokenKind::identifier,
                      word});
  }
  tokens.push_back({});
  return tokens;
}

std::string quote(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// Follows upstream's recursive descent token by token, because its error texts depend on it.
class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(scan(text)) {}

  base::Result<LabelSelector> parse() {
    LabelSelector selector;
    while (true) {
      const Token& token = look_value();
      if (token.kind == TokenKind::end) return selector;
      if (token.kind != TokenKind::identifier && token.kind != TokenKind::bang) {
        return wrong(
            fmt::format("found '{}', expected: !, identifier, or 'end of string'", token.text));
      }
      auto requirement = parse_requirement();
      if (!requirement) {
        return wrong("unable to parse requirement: " + requirement.error().message);
      }
      selector.add(std::move(*requirement));
      const Token separator = take_value();
      if (separator.kind == TokenKind::end) return selector;
      if (separator.kind != TokenKind::comma) {
        return wrong(fmt::format("found '{}', expected: ',' or 'end of string'", separator.text));
      }
      const Token& next = look_value();
      if (next.kind != TokenKind::identifier && next.kind != TokenKind::bang) {
        return wrong(fmt::format("found '{}', expected: identifier after ','", next.text));
      }
    }
  }

 private:
  using Operator = Requirement::Operator;

  static std::unexpected<base::Error> wrong(std::string message) {
    return base::fail(base::ErrorCode::invalid, std::move(message));
  }

  // Where a value may stand, "in" and "notin" are words like any other.
  const Token& look_value() {
    Token& token = tokens_[at_];
    if (token.kind == TokenKind::in || token.kind == TokenKind::not_in)
      value_ = token;
    else
      return token;
    value_.kind = TokenKind::identifier;
    return value_;
  }
  Token take_value() {
    Token token = look_value();
    advance();
    return token;
  }
  Token take() {
    Token token = tokens_[at_];
    advance();
    return token;
  }
  void advance() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }

  base::Result<Requirement> parse_requirement() {
    Requirement r;
    Token token = take_value();
    const bool negated = token.kind == TokenKind::bang;
    if (negated) token = take_value();
    if (token.kind != TokenKind::identifier) {
      return wrong(fmt::format("found '{}', expected: identifier", token.text));
    }
    if (const std::string error = label_key_error(token.text); !error.empty()) {
      return wrong(fmt::format("<nil>: Invalid value: {}: {}", quote(token.text), error));
    }
    r.key = token.text;
    const TokenKind next = tokens_[at_].kind;
    if (negated || next == TokenKind::end || next == TokenKind::comma) {
      r.op = negated ? Operator::does_not_exist : Operator::exists;
      return r;
    }
    if (auto done = parse_operator_and_values(r); !done) {
      return std::unexpected(std::move(done.error()));
    }
    return check(std::move(r));
  }

  base::Result<std::monostate> parse_operator_and_values(Requirement& r) {
    const Token token = take();
    switch (token.kind) {
      case TokenKind::in:
        r.op = Operator::in;
        return parse_set(r);
      case TokenKind::not_in:
        r.op = Operator::not_in;
        return parse_set(r);
      case TokenKind::equals:
      case TokenKind::double_equals:
        r.op = Operator::in;
        r.equality = true;
        break;
      case TokenKind::not_equals:
        r.op = Operator::not_in;
        r.equality = true;
        break;
      case TokenKind::greater:
        r.op = Operator::greater_than;
        break;
      case TokenKind::less:
        r.op = Operator::less_than;
        break;
      default:
        return wrong(fmt::format("found '{}', expected: in, notin, =, ==, !=, gt, lt", token.text));
    }
    const TokenKind next = look_value().kind;
    if (next == TokenKind::end || next == TokenKind::comma) {
      r.values.emplace_back();
      return {};
    }
    const Token value = take_value();
    if (value.kind != TokenKind::identifier) {
      return wrong(fmt::format("found '{}', expected: identifier", value.text));
    }
    r.values.push_back(value.text);
    return {};
  }

  base::Result<std::monostate> parse_set(Requirement& r) {
    const Token open = take_value();
    if (open.kind != TokenKind::open) {
      return wrong(fmt::format("found '{}' expected: '('", open.text));
    }
    const Token first = look_value();
    if (first.kind == TokenKind::close) {
      advance();
      return {};
    }
    if (first.kind != TokenKind::identifier && first.kind != TokenKind::comma) {
      return wrong(fmt::format("found '{}', expected: ',', ')' or identifier", first.text));
    }
    // An empty place between commas is the empty value.
    bool need_value = true;
    while (true) {
      const Token token = look_value();
      if (token.kind == TokenKind::identifier && need_value) {
        r.values.push_back(token.text);
        need_value = false;
      } else if (token.kind == TokenKind::comma) {
        if (need_value) r.values.emplace_back();
        need_value = true;
      } else if (token.kind == TokenKind::close) {
        if (need_value) r.values.emplace_back();
        advance();
        return {};
      } else {
        return wrong(need_value
                         ? fmt::format("found '{}', expected: ',', or identifier", token.text)
                         : fmt::format("found '{}', expected: ',' or ')'", token.text));
      }
      advance();
    }
  }

  static base::Result<Requirement> check(Requirement r) {
    const bool is_set = !r.equality && (r.op == Operator::in || r.op == Operator::not_in);
    if (is_set && r.values.empty()) {
      return wrong(
          "values: Invalid value: []: for 'in', 'notin' operators, values set can't be "
          "empty");
    }
    std::sort(r.values.begin(), r.values.end());
    for (std::size_t i = 0; i < r.values.size(); ++i) {
      const std::string& text = r.values[i];
      std::int64_t number = 0;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
      if ((r.op == Operator::greater_than || r.op == Operator::less_than) &&
          (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())) {
        return wrong(
            fmt::format("values[{}]: Invalid value: {}: for 'Gt', 'Lt' operators, the "
                        "value must be an integer",
                        i, quote(text)));
      }
      if (const std::string error = label_value_error(text); !error.empty()) {
        return wrong(
            fmt::format("values[{}][{}]: Invalid value: {}: {}", i, r.key, quote(text), error));
      }
    }
    return r;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Token value_;
};

}  // namespace

base::Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace keelway::value
