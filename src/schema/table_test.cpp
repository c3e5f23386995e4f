#include "schema/table.h"

#include <gtest/gtest.h>

#include "schema/testing_kinds.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

Value j(std::string_view text) {
  return value::parse_json(text).value();
}

const Value kWidget = j(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w",
    "creationTimestamp":"1970-01-01T00:00:00Z"},"spec":{"size":3}})");

TEST(Table, custom_columns_print_by_path_and_type) {
  TableOptions options;
  options.now = {200 * 1'000'000};
  options.resource_version = "7";
  options.remaining = 2;
  const std::vector<Value> objects{kWidget,
                                   j(R"({"metadata":{"name":"x"},"spec":{"size":"big"}})")};
  const Value table = to_table(testing::widget(), std::span<const Value>(objects), options);
  EXPECT_EQ(table["kind"].as_string(), "Table");
  EXPECT_EQ(table["apiVersion"].as_string(), "meta.k8s.io/v1");
  EXPECT_EQ(value::to_json(table["metadata"]), R"({"remainingItemCount":2,"resourceVersion":"7"})");
  EXPECT_EQ(value::to_json(table["rows"][0]["cells"]), R"(["w",3,"3m20s"])");
  EXPECT_EQ(value::to_json(table["rows"][1]["cells"]), R"(["x",null,null])");
  EXPECT_EQ(value::to_json(table["columnDefinitions"][2]),
            R"({"description":"","format":"","name":"Made","priority":1,"type":"date"})");
  EXPECT_EQ(table["rows"][0]["object"], partial_metadata(kWidget));
}

TEST(Table, kinds_without_a_printer_show_their_creation) {
  TableOptions options;
  options.include_object = IncludeObject::none;
  const std::vector<Value> objects{kWidget};
  const Value table = to_table(testing::config_map(), std::span<const Value>(objects), options);
  EXPECT_EQ(table["columnDefinitions"][1]["name"].as_string(), "Created At");
  EXPECT_EQ(value::to_json(table["rows"][0]),
            R"({"cells":["w","1970-01-01T00:00:00Z"],"object":null})");
}

TEST(Table, printers_of_built_in_kinds_are_used) {
  static constexpr Hooks hooks{nullptr, nullptr, nullptr,
                               [](const Kind&, const Value& object, base::WallTime) {
                                 return value::Array{object.at("metadata", "name"), "1/1"};
                               }};
  static constexpr Column columns[] = {{"Name", "string", "name", 0, ""},
                                       {"Ready", "string", "", 0, ""}};
  Kind kind = testing::config_map();
  kind.hooks = &hooks;
  kind.columns = columns;
  TableOptions options;
  options.no_headers = true;
  options.include_object = IncludeObject::object;
  const std::vector<Value> objects{kWidget};
  const Value table = to_table(kind, std::span<const Value>(objects), options);
  EXPECT_TRUE(table["columnDefinitions"].is_null());
  EXPECT_EQ(value::to_json(table["rows"][0]["cells"]), R"(["w","1/1"])");
  EXPECT_EQ(table["rows"][0]["object"], kWidget);
}

TEST(Table, bookmarks_carry_the_revision) {
  const Value table = bookmark_table(testing::widget(), "42", {});
  EXPECT_EQ(table["rows"][0].at("object", "metadata", "resourceVersion").as_string(), "42");
  EXPECT_EQ(table["rows"][0]["cells"].size(), 3u);
}

TEST(Table, reads_include_object) {
  EXPECT_EQ(parse_include_object(""), IncludeObject::metadata);
  EXPECT_EQ(parse_include_object("None"), IncludeObject::none);
  EXPECT_EQ(parse_include_object("none"), std::nullopt);
}

}  // namespace
}  // namespace keelway::schema
