// Creates keys straight in an etcd, from several connections with several requests open on each,
// and prints one line of JSON as write_load does: etcd's own figure, to be read beside ours. A
// create is what a store's would be: a transaction of one compare (absent) and one put.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/linux/linux_runtime.h"
#include "store/etcd/client.h"
#include "store/etcd/etcd.h"
#include "store/etcd/messages.h"

namespace {

using namespace keelway;  // NOLINT: a program of one file
using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "etcd_load: {}\n", what);
  std::exit(1);
}

// One connection on an executor of its own.
class Source {
 public:
  Source(runtime::Runtime& runtime, const store::EtcdOptions& options, int number, int share,
         int bytes, std::move_only_function<void()> done)
      : executor_(runtime.make_executor("load")),
        prefix_(options.prefix + std::to_string(number) + "/"),
        value_(static_cast<std::size_t>(bytes), 'x'),
        left_(share),
        open_(share),
        done_(std::move(done)) {
    store::etcd::ClientOptions made;
    made.members = options.members;
    client_ = std::make_shared<store::etcd::Client>(runtime, *executor_, made);
  }
  ~Source() {
    runtime::run_and_wait(*executor_, [&] { client_->stop(); });
  }

  void start(int streams) {
    executor_->post([this, streams] {
      client_->start({});
      for (int i = 0; i < streams; ++i) create();
    });
  }
  const std::vector<double>& milliseconds() const { return milliseconds_; }

 private:
  void create() {
    if (left_ == 0) return;
    const std::string key = prefix_ + std::to_string(--left_);
    store::etcd::TxnEncoder txn;
    txn.compare_modified(key, 0);
    txn.put(key, value_, 0);
    client_->call(store::etcd::method::transact, txn.take(), store::etcd::Repeat::never,
                  [this, started = Clock::now()](base::Result<std::string> reply) {
                    const auto result =
                        reply ? store::etcd::decode_transaction(*reply)
                              : base::Result<store::etcd::TxnReply>(std::unexpected(reply.error()));
                    if (!result) give_up(result.error().message);
                    if (!result->succeeded) give_up("the keys are there already");
                    const std::chrono::duration<double, std::milli> took = Clock::now() - started;
                    milliseconds_.push_back(took.count());
                    create();
                    if (--open_ == 0) done_();
                  });
  }

  std::unique_ptr<runtime::Executor> executor_;
  std::shared_ptr<store::etcd::Client> client_;
  const std::string prefix_, value_;
  int left_, open_;
  std::move_only_function<void()> done_;
  std::vector<double> milliseconds_;
};

}  // namespace

int main(int count, char** words) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < count; i += 2) given[words[i]] = words[i + 1];
  const auto number = [&](const char* name, int otherwise) {
    return given.contains(name) ? std::max(1, std::atoi(given[name].c_str())) : otherwise;
  };
  const auto options = store::parse_etcd_url(given["--url"]);
  if (!options) give_up(options.error().message + " (--url)");
  const int connections = number("--connections", 64), streams = number("--streams", 8);
  const int total = number("--count", 20'000), bytes = number("--bytes", 2048);

  const auto runtime = runtime::make_linux_runtime({.take_signals = true});
  std::mutex mutex;
  int running = connections;
  std::vector<std::unique_ptr<Source>> sources;
  for (int i = 0; i < connections; ++i) {
    const int share = std::max(1, total / connections + (i < total % connections ? 1 : 0));
    sources.push_back(std::make_unique<Source>(*runtime, *options, i, share, bytes, [&] {
      const std::lock_guard lock(mutex);
      if (--running == 0) runtime->request_stop();
    }));
  }
  const auto started = Clock::now();
  for (auto& source : sources) source->start(streams);
  if (runtime->wait_for_signal() != 0) give_up("interrupted");
  const std::chrono::duration<double> took = Clock::now() - started;
  std::vector<double> all;
  for (auto& source : sources) {
    all.insert(all.end(), source->milliseconds().begin(), source->milliseconds().end());
  }
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  fmt::print(R"({{"writes": {}, "seconds": {:.3f}, "per_second": {:.0f}, "p50_ms": {:.2f}, )"
             R"("p99_ms": {:.2f}}})"
             "\n",
             all.size(), took.count(), static_cast<double>(all.size()) / took.count(), at(0.5),
             at(0.99));
}
