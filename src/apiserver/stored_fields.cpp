#include "apiserver/stored_fields.h"

#include "schema/parsed_pool.h"

namespace keelway::apiserver {
std::string read_field(const schema::Object& object, std::string_view dotted_path) {
  return object.field(dotted_path);
}

value::Value transient_value(const schema::Object& object) {
  return schema::parse_document(object.text(), object.revision());
}

}  // namespace keelway::apiserver
