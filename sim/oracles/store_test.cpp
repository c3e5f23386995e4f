#include "sim/oracles/store.h"

#include <gtest/gtest.h>

namespace keelway::sim {
namespace {

using store::Event;
using store::Revision;

store::EventBatch put(const std::string& key, Revision revision) {
  store::EventBatch batch;
  batch.events.push_back({Event::Type::put, {key, nullptr, revision, revision}, {}});
  batch.revision = revision;
  return batch;
}

store::Transaction write(const std::string& key, std::vector<store::Compare> compares = {}) {
  return {std::move(compares), {{key, std::make_shared<std::string>("x"), {}}}, {}};
}

TEST(StoreOracle, TakesWhatIsLinear) {
  StoreOracle oracle("k");
  oracle.begins(0, oracle.promised());
  oracle.fed(put("/a", 1), {});
  oracle.acknowledged(write("/a"), 1);
  oracle.acknowledged(write("/a", {{"/a", 1}}), 2);  // the answer comes before the feed
  oracle.fed(put("/a", 2), {});
  oracle.begins(2, oracle.promised());
  EXPECT_EQ(oracle.complaint(), std::nullopt);
}

TEST(StoreOracle, MissesWhatWasAcknowledgedAndIsGone) {
  StoreOracle oracle("k");
  oracle.acknowledged(write("/a"), 5);
  oracle.begins(4, oracle.promised());
  EXPECT_TRUE(oracle.complaint());
}

TEST(StoreOracle, MissesWhatAWatchWasToldAndIsGone) {
  StoreOracle oracle("k");
  oracle.fed(put("/a", 1), {});
  oracle.begins(0, oracle.promised());
  EXPECT_TRUE(oracle.complaint());
}

TEST(StoreOracle, SeesAGapAndARepetition) {
  StoreOracle gap("k");
  gap.fed(put("/a", 1), {});
  gap.fed(put("/a", 3), {});
  EXPECT_TRUE(gap.complaint());
  StoreOracle again("k");
  again.fed(put("/a", 1), {});
  again.fed(put("/a", 1), {});
  EXPECT_TRUE(again.complaint());
}

TEST(StoreOracle, SeesAWriteOverAStateThatWasNotThere) {
  StoreOracle oracle("k");
  oracle.fed(put("/a", 1), {});
  oracle.fed(put("/a", 2), {});
  oracle.fed(put("/a", 3), {});
  oracle.acknowledged(write("/a", {{"/a", 1}}), 3);
  EXPECT_TRUE(oracle.complaint());
}

TEST(StoreOracle, SeesOneRevisionGivenTwice) {
  StoreOracle oracle("k");
  oracle.fed(put("/a", 1), {});
  oracle.acknowledged(write("/a"), 1);
  oracle.acknowledged(write("/a"), 1);
  EXPECT_TRUE(oracle.complaint());
}

TEST(StoreOracle, SeesAnAnswerForWhatWasNotWritten) {
  StoreOracle oracle("k");
  oracle.fed(put("/a", 1), {});
  oracle.acknowledged(write("/b"), 1);
  EXPECT_TRUE(oracle.complaint());
}

TEST(StoreOracle, CountsWritesButHeartbeats) {
  StoreOracle oracle("k");
  oracle.fed(put("/leases/x", 1), base::Instant{10});
  oracle.fed(put("/pods/x", 2), base::Instant{20});
  EXPECT_EQ(oracle.writes_since(base::Instant{15}, {"/leases/"}), 1u);
  EXPECT_EQ(oracle.writes_since(base::Instant{25}, {}), 0u);
  EXPECT_EQ(oracle.first_write_since(base::Instant{0}, {}), "/leases/x");
}

}  // namespace
}  // namespace keelway::sim
