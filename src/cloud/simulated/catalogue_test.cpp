#include "cloud/simulated/catalogue.h"

#include <gtest/gtest.h>

namespace keelway::cloud {
namespace {

constexpr std::int64_t mebibyte = 1 << 20;

TEST(Catalogue, KnowsWhatATypeIsAndCosts) {
  const auto catalogue = make_catalogue("us-east-1");
  const InstanceType* type = catalogue->find("m5.large");
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->labels.get("karpenter.k8s.aws/instance-category"), "m");
  EXPECT_EQ(type->labels.get("kubernetes.io/arch"), "amd64");
  EXPECT_EQ(type->capacity.milli_cpu, 2000);
  EXPECT_EQ(type->allocatable.milli_cpu, 1930);
  EXPECT_EQ(type->allocatable.memory, 6903 * mebibyte);
  EXPECT_EQ(type->capacity.pods, 29);
  const Offering* offering = type->find("us-east-1b", "on-demand");
  ASSERT_NE(offering, nullptr);
  EXPECT_EQ(offering->price_micro_usd, 96'000);
  EXPECT_LT(type->find("us-east-1b", "spot")->price_micro_usd, 48'000);
}

TEST(Catalogue, CountsDevices) {
  const auto catalogue = make_catalogue("eu-west-1");
  const InstanceType* type = catalogue->find("g5.xlarge");
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->capacity.get("nvidia.com/gpu"), 1);
  EXPECT_EQ(type->labels.get("karpenter.k8s.aws/instance-gpu-name"), "a10g");
  EXPECT_NE(type->find("eu-west-1a", "on-demand"), nullptr);
  EXPECT_EQ(type->find("us-east-1a", "on-demand"), nullptr);
}

TEST(Catalogue, HasEveryTypeOnceInOrder) {
  const auto catalogue = make_catalogue("us-east-1");
  EXPECT_GT(catalogue->types().size(), 1300u);
  for (std::size_t i = 1; i < catalogue->types().size(); ++i) {
    EXPECT_LT(catalogue->types()[i - 1].name, catalogue->types()[i].name);
  }
  EXPECT_EQ(catalogue->find("m5.planet"), nullptr);
}

}  // namespace
}  // namespace keelway::cloud
