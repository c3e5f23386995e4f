// Many watchers and one writer, and how long an event takes from the writer's send to each
// watcher that selects it. One line of JSON.
//
//   --mode own      watcher i selects the pods of node n-<i>; writes go to the pods in turn
//   --mode shared   every watcher follows the namespace's config maps; writes go to one
#include "h2_client.h"

namespace {

struct Options {
  bool own;
  int watchers, connections, writes_per_second, seconds, hold;
};

class Load {
 public:
  Load(bench::Driver& driver, const Options& options, std::string revision)
      : driver_(driver), options_(options), revision_(std::move(revision)) {}

  void run() {
    open();
    // Whoever measures the idle streams does it now.
    fmt::print(stderr, "opened\n");
    std::fflush(stderr);
    const auto waited = bench::Clock::now() + std::chrono::seconds(options_.hold);
    driver_.run(100, [&] { return bench::Clock::now() >= waited; }, [] {});
    const auto begun = bench::Clock::now();
    const std::int64_t total =
        static_cast<std::int64_t>(options_.writes_per_second) * options_.seconds;
    const std::int64_t wanted = options_.own ? total : total * options_.watchers;
    bench::Connection& writer = driver_.connect();
    const auto write_due = [&] {
      const std::chrono::duration<double> passed = bench::Clock::now() - begun;
      const auto due = std::min(
          total, static_cast<std::int64_t>(passed.count() * options_.writes_per_second) + 1);
      // One object has one write at a time, as from one controller.
      for (; written_ < due && (options_.own || writer.open() == 0); ++written_) write(writer);
      writer.flush();
    };
    const auto late = std::chrono::seconds(options_.seconds + 30);
    driver_.run(
        1, [&] { return events_ >= wanted || bench::Clock::now() - begun > late; }, write_due);
    took_ = std::chrono::duration<double>(bench::Clock::now() - begun).count();
    print(wanted);
  }

 private:
  void open() {
    const auto begun = bench::Clock::now();
    bench::Connection* connection = nullptr;
    const int each = (options_.watchers + options_.connections - 1) / options_.connections;
    tails_.resize(static_cast<std::size_t>(options_.watchers));
    for (int i = 0; i < options_.watchers; ++i) {
      if (i % each == 0) {
        if (connection != nullptr) connection->flush();
        connection = &driver_.connect();
      }
      const std::string path =
          options_.own
              ? fmt::format(
                    "/api/v1/pods?watch=1&resourceVersion={}&fieldSelector="
                    "spec.nodeName%3Dn-{}",
                    revision_, i)
              : fmt::format("/api/v1/namespaces/default/configmaps?watch=1&resourceVersion={}",
                            revision_);
      connection->submit(
          {.path = path},
          {.on_data = [this, i](std::string_view part) { take(static_cast<std::size_t>(i), part); },
           .on_head =
               [this](int status) {
                 if (status != 200) bench::give_up(fmt::format("a watch answered {}", status));
                 ++opened_;
               },
           .on_close = [](int) { bench::give_up("a watch ended"); }});
    }
    connection->flush();
    driver_.run(100, [&] { return opened_ == options_.watchers; }, [] {});
    opened_s_ = std::chrono::duration<double>(bench::Clock::now() - begun).count();
  }

  void write(bench::Connection& writer) {
    // Neighbours in time are not neighbours in place.
    const std::int64_t which = written_ * 7919 % options_.watchers;
    const std::string path = options_.own
                                 ? fmt::format("/api/v1/namespaces/default/pods/w-{}", which)
                                 : std::string("/api/v1/namespaces/default/configmaps/shared");
    const std::string body =
        fmt::format(R"({{"metadata":{{"annotations":{{"sent":"@{:020}"}}}}}})", bench::now_ns());
    writer.submit({.method = "PATCH",
                   .path = path,
                   .body = body,
                   .content_type = "application/merge-patch+json"},
                  {.on_data = {}, .on_head = {}, .on_close = [this](int status) {
                     if (status != 200) ++refused_;
                   }});
  }

  // The stamp is looked for in what came, with the end of the piece before it.
  void take(std::size_t watcher, std::string_view part) {
    std::string& tail = tails_[watcher];
    tail.append(part);
    std::size_t from = 0;
    for (std::size_t end; (end = tail.find('\n', from)) != std::string::npos; from = end + 1) {
      const std::string_view line = std::string_view(tail).substr(from, end - from);
      const std::size_t at = line.find("\"sent\":\"@");
      if (at == std::string_view::npos) continue;
      const std::int64_t sent = std::atoll(std::string(line.substr(at + 9, 20)).c_str());
      latencies_.push_back(static_cast<double>(bench::now_ns() - sent) / 1e6);
      ++events_;
    }
    tail.erase(0, from);
  }

  void print(std::int64_t wanted) {
    std::sort(latencies_.begin(), latencies_.end());
    fmt::print(
        R"({{"watchers": {}, "connections": {}, "opened_s": {:.2f}, "writes": {}, "refused": {}, )"
        R"("events": {}, "missing": {}, "seconds": {:.2f}, "p50_ms": {:.2f}, "p99_ms": {:.2f}, )"
        R"("max_ms": {:.2f}}})"
        "\n",
        options_.watchers, options_.connections, opened_s_, written_, refused_, events_,
        wanted - events_, took_, bench::percentile(latencies_, 0.5),
        bench::percentile(latencies_, 0.99), latencies_.empty() ? 0 : latencies_.back());
  }

  bench::Driver& driver_;
  const Options options_;
  const std::string revision_;
  std::vector<std::string> tails_;
  std::vector<double> latencies_;
  int opened_ = 0, refused_ = 0;
  std::int64_t written_ = 0, events_ = 0;
  double opened_s_ = 0, took_ = 0;
};

}  // namespace

int main(int count, char** words) {
  const bench::Arguments arguments(count, words);
  bench::Driver driver(arguments);
  const Options options{
      arguments.text("mode", "own") == "own", arguments.number("watchers", 1000),
      arguments.number("connections", 40),    arguments.number("writes-per-second", 100),
      arguments.number("seconds", 10),        arguments.number("hold", 0)};
  Load(driver, options, arguments.text("revision", "0")).run();
}
