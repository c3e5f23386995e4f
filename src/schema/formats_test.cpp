#include "schema/formats.h"

#include <gtest/gtest.h>

namespace keelway::schema {
namespace {

TEST(Formats, Names) {
  EXPECT_TRUE(check_dns1123_label("a-1").empty());
  EXPECT_FALSE(check_dns1123_label("-a").empty());
  EXPECT_EQ(check_dns1123_label("a.b"), Complaints{"must not contain dots"});
  EXPECT_EQ(check_dns1123_label(std::string(64, 'a')),
            Complaints{"must be no more than 63 characters"});
  EXPECT_TRUE(check_dns1123_subdomain("a.b-c.d").empty());
  EXPECT_FALSE(check_dns1123_subdomain("a..b").empty());
  EXPECT_FALSE(check_dns1035_label("1a").empty());
  EXPECT_TRUE(check_path_segment("system:x").empty());
  EXPECT_EQ(check_path_segment("a/%"), (Complaints{"may not contain '/'", "may not contain '%'"}));
  EXPECT_TRUE(check_name("dns1123-subdomain", "web-", true).empty());
  EXPECT_FALSE(check_name("dns1123-subdomain", "web-").empty());
  EXPECT_FALSE(check_name("dns1123-subdomain", "Web-", true).empty());
}

TEST(Formats, LabelsAndPorts) {
  EXPECT_TRUE(check_qualified_name("example.com/My_Name").empty());
  EXPECT_EQ(check_qualified_name("a/b/c").size(), 1u);
  EXPECT_EQ(check_qualified_name("").size(), 2u);
  EXPECT_TRUE(check_label_value("").empty());
  EXPECT_FALSE(check_label_value("a b").empty());
  EXPECT_TRUE(check_port_name("http-2").empty());
  EXPECT_EQ(check_port_name("8-0"), Complaints{"must contain at least one letter (a-z)"});
  EXPECT_EQ(check_config_map_key(".."), Complaints{"must not be '..'"});
  EXPECT_FALSE(check_env_name("a=b").empty());
}

TEST(Formats, AddressesAndOthers) {
  EXPECT_TRUE(is_ipv4("010.002.003.004"));
  EXPECT_FALSE(is_ipv4("1.2.3"));
  EXPECT_TRUE(is_ipv6("2001:db8::1"));
  EXPECT_TRUE(is_cidr("10.0.0.0/8"));
  EXPECT_FALSE(is_cidr("10.0.0.0/33"));
  EXPECT_EQ(matches_format("no-such-format", "x"), std::nullopt);
  EXPECT_EQ(matches_format("date-time", "2020-01-01T00:00:00Z"), true);
  EXPECT_EQ(matches_format("date", "2020-13-01"), false);
  EXPECT_EQ(matches_format("uuid", "123e4567-e89b-12d3-a456-426614174000"), true);
  EXPECT_EQ(matches_format("uuid4", "123e4567-e89b-12d3-a456-426614174000"), false);
  EXPECT_EQ(matches_format("email", "a@b.c"), true);
  EXPECT_EQ(matches_format("duration", "3 days"), true);
  EXPECT_EQ(matches_format("mac", "00:11:22:33:44:5g"), false);
  EXPECT_EQ(matches_format("creditcard", "4111 1111 1111 1111"), true);
  EXPECT_EQ(matches_format("isbn10", "0-306-40615-2"), true);
}

}  // namespace
}  // namespace keelway::schema
