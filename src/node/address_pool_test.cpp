#include "node/address_pool.h"

#include <gtest/gtest.h>

namespace keelway::node {
namespace {

TEST(AddressPool, GivesEachPodOneAddressOfItsOwn) {
  AddressPool pool;
  EXPECT_EQ(pool.take("a"), "100.64.1.0");
  EXPECT_EQ(pool.take("b"), "100.64.1.1");
  EXPECT_EQ(pool.take("a"), "100.64.1.0");
}

TEST(AddressPool, LeavesAloneWhatRunsAlready) {
  AddressPool pool;
  pool.note("old", "100.64.1.0");
  EXPECT_EQ(pool.take("new"), "100.64.1.1");
  EXPECT_EQ(pool.take("old"), "100.64.1.0");
}

TEST(AddressPool, UsesAnAddressAgainOnlyAfterTheRest) {
  AddressPool pool;
  pool.take("a");
  pool.give_back("a");
  EXPECT_EQ(pool.take("b"), "100.64.1.1");
  EXPECT_EQ(pool.taken(), 1u);
}

TEST(AddressPool, IgnoresForeignAddresses) {
  AddressPool pool;
  pool.note("a", "10.0.0.1");
  pool.note("b", "not an address");
  EXPECT_EQ(pool.taken(), 0u);
}

}  // namespace
}  // namespace keelway::node
