#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "telemetry/metrics.h"
#include "telemetry/sinks.h"

namespace keelway::telemetry {
namespace {

TEST(FileSink, OneEventIsOneLine) {
  const std::string path = ::testing::TempDir() + "keelway_sink_test.log";
  std::remove(path.c_str());
  {
    auto file = make_file_sink(path, Level::info);
    ASSERT_TRUE(file) << file.error().message;
    const Log log("apiserver", file->sink);
    log.debug("not heard");
    log.info("request\nserved", {{"path", "/api"}, {"why", "two words"}, {"text", "a\"b\nc"}});
    log.with("node").error("lost");
  }
  std::ifstream file(path);
  std::string first, second, third;
  std::getline(file, first);
  std::getline(file, second);
  EXPECT_FALSE(std::getline(file, third));
  const std::regex form(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info apiserver request served )"
                        R"(path=/api why="two words" text="a\\"b\\nc")");
  EXPECT_TRUE(std::regex_match(first, form)) << first;
  EXPECT_NE(second.find(" error node lost"), std::string::npos) << second;
}

TEST(FileSink, WritesWhenFlushedAndErrorsAtOnce) {
  const std::string path = testing::TempDir() + "keelway-telemetry-flush.log";
  std::filesystem::remove(path);
  const auto lines = [&path] {
    std::ifstream file(path);
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  };
  auto file = make_file_sink(path, Level::info);
  ASSERT_TRUE(file) << file.error().message;
  const Log log("audit", file->sink);
  log.info("request");
  log.info("request");
  EXPECT_EQ(lines(), 0);
  file->flush();
  EXPECT_EQ(lines(), 2);
  log.error("at once");
  EXPECT_EQ(lines(), 3);
}

TEST(FileSink, AFileThatCannotBeIsAnError) {
  EXPECT_FALSE(make_file_sink("/proc/none/such/file", Level::info));
}

TEST(Metrics, PrometheusText) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", {{"verb", "GET"}, {"q", "a\"b"}}).add(2);
  metrics.counter("requests_total", "Requests.", {{"verb", "GET"}, {"q", "a\"b"}}).add();
  metrics.gauge("depth", "Depth.").set(1.5);
  auto& seconds = metrics.histogram("seconds", "Time.", {0.1, 1}, {{"x", "y"}});
  seconds.observe(0.1);
  seconds.observe(0.5);
  seconds.observe(7);
  EXPECT_EQ(metrics.prometheus_text(),
            "# HELP depth Depth.\n# TYPE depth gauge\ndepth 1.5\n"
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
            "requests_total{verb=\"GET\",q=\"a\\\"b\"} 3\n"
            "# HELP seconds Time.\n# TYPE seconds histogram\n"
            "seconds_bucket{x=\"y\",le=\"0.1\"} 1\nseconds_bucket{x=\"y\",le=\"1\"} 2\n"
            "seconds_bucket{x=\"y\",le=\"+Inf\"} 3\nseconds_sum{x=\"y\"} 7.6\n"
            "seconds_count{x=\"y\"} 3\n");
}

TEST(Metrics, LabelSetsAreBounded) {
  Metrics metrics(10);
  for (int i = 0; i < 1000; ++i) {
    metrics.counter("c", "", {{"id", std::to_string(i)}}).add();
  }
  const auto text = metrics.prometheus_text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2 + 11);
  EXPECT_NE(text.find("c{id=\"overflow\"} 990\n"), std::string::npos);
}

}  // namespace
}  // namespace keelway::telemetry
