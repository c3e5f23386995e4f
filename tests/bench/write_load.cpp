// Creates ConfigMaps over HTTP/2 and TLS, and prints one line of JSON: writes a second and the
// spread of their latencies.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "http2_load.h"

namespace {

constexpr int kDigits = 8;

class Creates : public bench::Work {
 public:
  Creates(const std::string& prefix, std::size_t bytes)
      : head_(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + prefix + "-") {
    body_ = head_ + std::string(kDigits, '0') + R"("},"data":{"k":"")" + "}}";
    if (body_.size() < bytes) body_.insert(body_.size() - 3, bytes - body_.size(), 'x');
  }
  std::string method() const override { return "POST"; }
  int expected_status() const override { return 201; }
  void fill(int number, bench::Request& request) override {
    if (request.body.empty()) {
      request.path = "/api/v1/namespaces/default/configmaps";
      request.body = body_;
    }
    for (int i = kDigits; i-- > 0; number /= 10) {
      request.body[head_.size() + static_cast<std::size_t>(i)] =
          static_cast<char>('0' + number % 10);
    }
  }

 private:
  const std::string head_;
  std::string body_;
};

}  // namespace

int main(int count, char** words) {
  bench::Words given = bench::read_words(count, words);
  const bench::Target target = bench::read_target(given);
  const bench::Load load = bench::read_load(given, {64, 8, 20'000});
  const std::string prefix = given.contains("--prefix") ? given["--prefix"] : "load";
  const int bytes = bench::number_or(given, "--bytes", 2048);
  Creates creates(prefix, static_cast<std::size_t>(bytes));
  bench::print_measured("writes", load, bench::run_load(target, load, creates));
}
