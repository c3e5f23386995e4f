#include "base/quantity.h"

#include <gtest/gtest.h>

namespace keelway::base {
namespace {

std::string canonical(std::string_view text) {
  const auto q = Quantity::parse(text);
  return q ? q->to_string() : q.error().message;
}

TEST(Quantity, prints_the_canonical_form_of_its_family) {
  EXPECT_EQ(canonical("1000m"), "1");
  EXPECT_EQ(canonical("1.5"), "1500m");
  EXPECT_EQ(canonical("0.1"), "100m");
  EXPECT_EQ(canonical("1500"), "1500");
  EXPECT_EQ(canonical("1000"), "1k");
  EXPECT_EQ(canonical("1.5Gi"), "1536Mi");
  EXPECT_EQ(canonical("1024Mi"), "1Gi");
  EXPECT_EQ(canonical("1000Mi"), "1000Mi");
  EXPECT_EQ(canonical("1Ki"), "1Ki");
  EXPECT_EQ(canonical("0.5Ki"), "512");
  EXPECT_EQ(canonical("1e3"), "1e3");
  EXPECT_EQ(canonical("12E2"), "1200");
  EXPECT_EQ(canonical("1E"), "1E");
  EXPECT_EQ(canonical("100n"), "100n");
  EXPECT_EQ(canonical("0.5n"), "1n");
  EXPECT_EQ(canonical("0.00000000001"), "1n");
  EXPECT_EQ(canonical("-1.5"), "-1500m");
  EXPECT_EQ(canonical("+5"), "5");
  EXPECT_EQ(canonical("0Gi"), "0");
  EXPECT_EQ(canonical("00010"), "10");
  EXPECT_EQ(canonical(".5"), "500m");
  EXPECT_EQ(canonical("1."), "1");
  EXPECT_EQ(canonical("0.5Mi"), "512Ki");
  EXPECT_EQ(canonical("1.1Ki"), "1126400m");
}

TEST(Quantity, refuses_with_upstream_wording) {
  const std::string format =
      "quantities must match the regular expression "
      "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  EXPECT_EQ(canonical(""), format);
  EXPECT_EQ(canonical("abc"), format);
  EXPECT_EQ(canonical("1 Gi"), format);
  EXPECT_EQ(canonical("1.2.3"), format);
  EXPECT_EQ(canonical("1Kim"), "unable to parse quantity's suffix");
  EXPECT_EQ(canonical("1K"), "unable to parse quantity's suffix");
}

TEST(Quantity, caps_binary_amounts) {
  EXPECT_EQ(Quantity::parse("16Ei")->value(), INT64_MAX);
  EXPECT_EQ(Quantity::parse("9e99")->value(), INT64_MAX);
}

TEST(Quantity, calculates_exactly) {
  const auto q = [](std::string_view t) { return Quantity::parse(t).value(); };
  EXPECT_EQ((q("100m") + q("0.9")).to_string(), "1");
  EXPECT_EQ((q("1Gi") + q("1Mi")).to_string(), "1025Mi");
  EXPECT_EQ((q("1") - q("1500m")).to_string(), "-500m");
  EXPECT_EQ((Quantity() + q("2Gi")).to_string(), "2Gi");
  EXPECT_EQ(q("1000m"), q("1"));
  EXPECT_LT(q("1G"), q("1Gi"));
  EXPECT_EQ(q("100m").value(), 1);
  EXPECT_EQ(q("-100m").value(), -1);
  EXPECT_EQ(q("1.0001").milli_value(), 1001);
  EXPECT_EQ(Quantity::of_milli(250).to_string(), "250m");
}

TEST(Quantity, rounds_resource_lists_up_to_milli) {
  auto q = Quantity::parse("100u").value();
  EXPECT_FALSE(q.round_up_milli());
  EXPECT_EQ(q.to_string(), "1m");
  EXPECT_TRUE(q.round_up_milli());
}

TEST(CanonicalQuantity, keeps_what_upstream_keeps) {
  EXPECT_EQ(canonical_quantity("1000m"), "1");
  EXPECT_EQ(canonical_quantity("1.500"), "1.500");
  EXPECT_EQ(canonical_quantity("+5"), "+5");
  EXPECT_EQ(canonical_quantity("0.5"), "500m");
  EXPECT_EQ(canonical_quantity("1024Ki"), "1Mi");
  EXPECT_EQ(canonical_quantity("100Mi"), "100Mi");
  EXPECT_EQ(canonical_quantity("0"), "0");
  EXPECT_EQ(canonical_quantity("0m"), "0");
}

TEST(Quantity, SumsSaturate) {
  Quantity huge = Quantity::parse_or_zero("333333333333333333333333333333333333E");
  const Quantity before = huge;
  huge += before;
  EXPECT_EQ(huge, before);
  EXPECT_EQ(-before - before, -before);
  huge.round_up_milli();
  EXPECT_EQ(huge + huge, huge);
}

}  // namespace
}  // namespace keelway::base
