#include "schema/go_print.h"

#include "value/json.h"

namespace keelway::schema {

std::string go_print(const value::Value& v) {
  std::string out;
  if (v.is_object()) {
    for (const auto& [key, member] : v.members()) {
      out += (out.empty() ? "" : " ") + key + ":" + go_print(member);
    }
    return "map[" + out + "]";
  }
  if (v.is_array()) {
    for (const value::Value& item : v.items()) out += (out.empty() ? "" : " ") + go_print(item);
    return "[" + out + "]";
  }
  if (v.is_null()) return "<nil>";
  return v.is_string() ? v.as_string() : value::to_json(v);
}

}  // namespace keelway::schema
