#include "access/known_tokens.h"

#include <gtest/gtest.h>

namespace keelway::access {
namespace {

std::string token(int number) {
  return "a-token-with-a-signature-" + std::to_string(number);
}

TEST(KnownTokens, AnswersOnlyForTheWholeToken) {
  KnownTokens<int> known(8);
  known.add("payload-one.signature", 1);
  ASSERT_NE(known.find("payload-one.signature"), nullptr);
  EXPECT_EQ(*known.find("payload-one.signature"), 1);
  EXPECT_EQ(known.find("payload-two.signature"), nullptr);  // though it ends alike
  known.add("payload-two.signature", 2);
  EXPECT_EQ(*known.find("payload-one.signature"), 1);
  EXPECT_EQ(*known.find("payload-two.signature"), 2);
  EXPECT_EQ(known.find(""), nullptr);
}

TEST(KnownTokens, ForgetsWhoWasNotSeenForAGeneration) {
  KnownTokens<int> known(4);
  for (int i = 0; i < 3; ++i) known.add(token(i), i);
  for (int i = 3; i < 12; ++i) {
    known.add(token(i), i);
    ASSERT_NE(known.find(token(0)), nullptr) << i;  // seen all the time
  }
  EXPECT_EQ(known.find(token(1)), nullptr);
  EXPECT_EQ(*known.find(token(0)), 0);
  EXPECT_EQ(*known.find(token(11)), 11);
}

TEST(KnownTokens, NothingIsLeftOnceCleared) {
  KnownTokens<int> known(4);
  for (int i = 0; i < 6; ++i) known.add(token(i), i);
  known.clear();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(known.find(token(i)), nullptr);
}

TEST(KnownTokens, ALongOneIsNotKept) {
  KnownTokens<int> known(4);
  known.add(std::string(5000, 'x'), 1);
  EXPECT_EQ(known.find(std::string(5000, 'x')), nullptr);
}

}  // namespace
}  // namespace keelway::access
