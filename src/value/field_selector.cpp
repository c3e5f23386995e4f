#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "value/json.h"
#include "value/selector.h"

namespace keelway::value {
namespace {

// Backslash keeps '\', ',' and '=' from their meaning.
base::Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      if (++i == text.size()) {
        return base::fail(base::ErrorCode::invalid,
                          "invalid field selector: invalid escape sequence: \\");
      }
      if (text[i] != '\\' && text[i] != ',' && text[i] != '=') {
        return base::fail(
            base::ErrorCode::invalid,
            fmt::format("invalid field selector: invalid escape sequence: \\{}", text[i]));
      }
      out += text[i];
    } else if (c == ',' || c == '=') {
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("invalid field selector: unescaped character in value: {}",
                                    static_cast<int>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == ',' || c == '=') out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '\\') {
      ++i;
    } else if (i == text.size() || text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  if (start < text.size()) terms.push_back(text.substr(start));
  return terms;
}

}  // namespace

base::Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  constexpr std::array<std::string_view, 3> operators{"!=", "==", "="};
  FieldSelector selector;
  for (const std::string_view term : split_terms(text)) {
    if (term.empty()) continue;
    bool found = false;
    for (std::size_t i = 0; i < term.size() && !found; ++i) {
      for (const std::string_view op : operators) {
        if (!term.substr(i).starts_with(op)) continue;
        auto wanted = unescape(term.substr(i + op.size()));
        if (!wanted) return std::unexpected(std::move(wanted.error()));
        selector.add(std::string(term.substr(0, i)), std::move(*wanted), op != "!=");
        found = true;
        break;
      }
    }
    if (!found) {
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("invalid selector: '{}'; can't understand '{}'", text, term));
    }
  }
  return selector;
}

void FieldSelector::add(std::string field, std::string value, bool equal) {
  terms_.push_back({std::move(field), std::move(value), equal});
}

bool FieldSelector::matches(const std::function<std::string(std::string_view)>& read) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return (read(term.field) == term.value) == term.equal;
  });
}

bool FieldSelector::matches(const Value& object) const {
  return matches([&](std::string_view field) { return field_text(object, field); });
}

std::optional<std::string> FieldSelector::exact(std::string_view field) const {
  for (const Term& term : terms_) {
    if (term.equal && term.field == field) return term.value;
  }
  return std::nullopt;
}

std::string FieldSelector::to_string() const {
  std::string out;
  for (const Term& term : terms_) {
    if (!out.empty()) out += ',';
    out += term.field + (term.equal ? "=" : "!=") + escape(term.value);
  }
  return out;
}

std::string field_text(const Value& object, std::string_view dotted_path) {
  const Value* at = &object;
  while (!dotted_path.empty()) {
    const std::size_t dot = std::min(dotted_path.find('.'), dotted_path.size());
    at = at->find(dotted_path.substr(0, dot));
    if (at == nullptr) return "";
    dotted_path.remove_prefix(std::min(dot + 1, dotted_path.size()));
  }
  if (at->is_string()) return at->as_string();
  return at->is_null() ? "" : to_json(*at);
}

}  // namespace keelway::value
