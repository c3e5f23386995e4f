// Reads objects over HTTP/2 and TLS, one path after the other in a circle, and prints one line of
// JSON: reads a second and the spread of their latencies.
#include <fmt/core.h>

#include "http2_load.h"

namespace {

class Reads : public bench::Work {
 public:
  Reads(std::string path, int objects) : path_(std::move(path)), objects_(objects) {}
  std::string method() const override { return "GET"; }
  int expected_status() const override { return 200; }
  void fill(int number, bench::Request& request) override {
    request.path = path_;
    if (objects_ > 0) request.path += fmt::format("-{:08}", number % objects_);
  }

 private:
  const std::string path_;
  const int objects_;
};

}  // namespace

// --path P reads P itself; with --objects N it reads P-00000000 to P-(N-1), as write_load names.
int main(int count, char** words) {
  bench::Words given = bench::read_words(count, words);
  const bench::Target target = bench::read_target(given);
  const bench::Load load = bench::read_load(given, {64, 1, 100'000});
  if (!given.contains("--path")) bench::give_up("needs --path PATH");
  Reads reads(given["--path"], bench::number_or(given, "--objects", 0));
  bench::print_measured("reads", load, bench::run_load(target, load, reads));
}
