#include <gtest/gtest.h>
#include <zlib.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using std::chrono::milliseconds;
using testing::Rig;

const std::string kMaps = "/api/v1/namespaces/default/configmaps";
constexpr int kCount = 40;

void fill(Rig& rig) {
  for (int i = 0; i < kCount; ++i) {
    rig.ask("POST", kMaps,
            R"({"metadata":{"name":"m)" + std::to_string(100 + i) + R"("},"data":{"k":")" +
                std::string(20'000, 'x') + R"("}})");
  }
}

void expect_whole(const value::Value& list) {
  EXPECT_EQ(list["kind"].as_string(), "ConfigMapList");
  EXPECT_FALSE(list.at("metadata", "resourceVersion").as_string().empty());
  const value::Array& items = list["items"].items();
  ASSERT_EQ(items.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    const value::Value& item = items[static_cast<std::size_t>(i)];
    EXPECT_EQ(item.at("metadata", "name").as_string(), "m" + std::to_string(100 + i));
    EXPECT_EQ(item.at("data", "k").as_string().size(), 20'000u);
    EXPECT_FALSE(item.at("metadata", "resourceVersion").as_string().empty());
  }
}

std::string inflated(std::string body) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(4u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(ListStream, ALongListIsOneDocument) {
  Rig rig;
  fill(rig);
  const auto list = rig.ask("GET", kMaps);
  EXPECT_EQ(list->status, 200);
  EXPECT_EQ(list->header("content-length"), "");
  expect_whole(list->json());
}

TEST(ListStream, ALongListIsOneCompressedDocument) {
  Rig rig;
  fill(rig);
  const auto list = rig.ask("GET", kMaps, "", {.headers = {{"accept-encoding", "gzip"}}});
  EXPECT_EQ(list->header("content-encoding"), "gzip");
  EXPECT_LT(list->body.size(), 100'000u);
  expect_whole(value::parse_json(inflated(list->body)).value_or(value::Value()));
}

TEST(ListStream, OtherFormsOfALongListAreEncodedByAWorker) {
  Rig rig;
  fill(rig);
  const auto table =
      rig.ask("GET", kMaps, "",
              {.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"});
  EXPECT_EQ(table->json()["kind"].as_string(), "Table");
  EXPECT_EQ(table->json()["rows"].size(), static_cast<std::size_t>(kCount));
  const auto yaml = rig.ask(
      "GET", kMaps, "", {.accept = "application/yaml", .headers = {{"accept-encoding", "gzip"}}});
  EXPECT_EQ(yaml->header("content-encoding"), "gzip");
  EXPECT_TRUE(inflated(yaml->body).starts_with("apiVersion: v1"));
}

TEST(ListStream, WaitsForItsReader) {
  Rig rig;
  fill(rig);
  const auto list = rig.open("GET", kMaps, {.stuck = true});
  rig.run_for(milliseconds(100));
  EXPECT_FALSE(list->complete);
  EXPECT_LT(list->body.size(), 300'000u);
  // What is listed is the state of the beginning, whatever happens meanwhile.
  rig.ask("DELETE", kMaps + "/m139");
  for (int turn = 0; turn < 20 && !list->complete; ++turn) {
    const std::size_t before = list->body.size();
    list->pending = 0;
    rig.executor->post([&] { list->drained(); });
    rig.run_for(milliseconds(10));
    EXPECT_LT(list->body.size() - before, 300'000u);
  }
  EXPECT_TRUE(list->complete);
  expect_whole(list->json());
}

TEST(ListStream, EndsWithItsReader) {
  Rig rig;
  fill(rig);
  const auto list = rig.open("GET", kMaps, {.stuck = true});
  rig.executor->post([&] { list->gone(); });
  rig.run_for(milliseconds(10));
  const std::size_t before = list->body.size();
  list->pending = 0;
  rig.executor->post([&] { list->drained(); });
  rig.run_for(milliseconds(10));
  EXPECT_EQ(list->body.size(), before);
  list->drained = nullptr;
}

}  // namespace
}  // namespace keelway::apiserver
