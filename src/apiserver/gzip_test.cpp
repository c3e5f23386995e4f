#include "apiserver/gzip.h"

#include <gtest/gtest.h>

namespace keelway::apiserver {
namespace {

TEST(Gzip, IsForClientsThatNameIt) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, gzip"));
  EXPECT_TRUE(accepts_gzip("br;q=1.0 , GZIP ; q=0.5, *;q=0"));
  EXPECT_TRUE(accepts_gzip("gzip;q=0.001"));
}

TEST(Gzip, IsNotForOthers) {
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("identity"));
  EXPECT_FALSE(accepts_gzip("x-gzip-foo"));
  EXPECT_FALSE(accepts_gzip("deflate;of=gzip"));
}

TEST(Gzip, IsNotForThoseWhoRefuseIt) {
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("deflate, gzip ; Q = 0.000"));
}

}  // namespace
}  // namespace keelway::apiserver
