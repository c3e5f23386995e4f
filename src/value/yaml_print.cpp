#include <string>

#include "value/json.h"
#include "value/yaml.h"
#include "value/yaml_scalar.h"

namespace keelway::value {
namespace {

// Longer keys stand behind a "?", as Go's library prints them: readers look no further than 1,024
// bytes for the colon, and an escape is up to six of them.
constexpr std::size_t simple_key_max = 128;

bool is_plain_safe(std::string_view text) {
  if (text.empty() || text == "<<") return false;  // the key that merges maps
  if (text.starts_with("...")) return false;       // the end of a document
  if (!resolve_yaml_scalar(text).is_string()) return false;
  if (std::string_view("!&*-?:,[]{}#|>@`\"'%= ").find(text[0]) != text.npos) {
    const bool dash_word = text.size() > 1 && text[0] == '-' && text[1] != ' ' && text[1] != '-';
    if (!dash_word) return false;
  }
  if (text.back() == ' ' || text.back() == ':') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == '#' && text[i - 1] == ' ') return false;
    if (c == ':' && i + 1 < text.size() && text[i + 1] == ' ') return false;
  }
  // Looks like a date: other readers would take it for a timestamp.
  return !(text.size() >= 10 && text[4] == '-' && text[7] == '-' && text[0] >= '0' &&
           text[0] <= '9');
}

bool fits_block(std::string_view text) {
  if (text.find('\n') == text.npos || text[0] == ' ' || text[0] == '\n') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) return false;
    if (c == ' ' && (i + 1 == text.size() || text[i + 1] == '\n')) return false;
  }
  return true;
}

void append_scalar(std::string& out, std::string_view text, std::size_t indent) {
  if (is_plain_safe(text)) {
    out += text;
  } else if (indent > 0 && fits_block(text)) {  // at the margin a line may end the document
    out += text.back() != '\n' ? "|-" : text.ends_with("\n\n") ? "|+" : "|";
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      out += '\n';
      if (end > at) out.append(indent, ' ').append(text.substr(at, end - at));
      at = end + 1;
    }
  } else {
    append_json_string(out, text);
  }
}

void append_node(std::string& out, const Value& v, std::size_t indent);

// What stands after "key:" or "-"; ends with a newline.
void append_value(std::string& out, const Value& v, std::size_t indent) {
  if (v.is_object() && v.empty())
    out += "{}\n";
  else if (v.is_array() && v.empty())
    out += "[]\n";
  else if (v.is_string())
    append_scalar(out, v.as_string(), indent), out += '\n';
  else
    out += to_json(v) + '\n';
}

bool is_block(const Value& v) {
  return (v.is_object() || v.is_array()) && !v.empty();
}

// From the start of the key on; what follows the first line stands at `indent` or deeper.
void append_member(std::string& out, const std::string& key, const Value& member,
                   std::size_t indent) {
  const bool long_key = key.size() > simple_key_max;
  if (long_key) out += "? ";
  if (is_plain_safe(key))
    out += key;
  else
    append_json_string(out, key);
  if (long_key) out.append(1, '\n').append(indent, ' ');
  out += ':';
  if (!is_block(member)) {
    out += ' ';
    append_value(out, member, indent + 2);
  } else if (long_key) {
    out += ' ';
    append_node(out, member, indent + 2);
  } else {
    out += '\n';
    append_node(out, member, member.is_array() ? indent : indent + 2);
  }
}

void append_node(std::string& out, const Value& v, std::size_t indent) {
  // The first line of an item stands after its dash already, of a long key's value after its colon.
  bool first = !out.empty() && out.back() == ' ';
  const auto start_line = [&] {
    if (!first) out.append(indent, ' ');
    first = false;
  };
  for (const Value& item : v.items()) {
    start_line();
    out += "- ";
    if (is_block(item))
      append_node(out, item, indent + 2);
    else
      append_value(out, item, indent + 2);
  }
  for (const auto& [key, member] : v.members()) {
    start_line();
    append_member(out, key, member, indent);
  }
}

}  // namespace

std::string to_yaml(const Value& v) {
  std::string out;
  if (is_block(v))
    append_node(out, v, 0);
  else
    append_value(out, v, 2);
  return out;
}

}  // namespace keelway::value
