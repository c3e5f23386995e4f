// A lean HTTP/2 client over TLS: many connections with several requests open on each, all on one
// thread, so that as much of the machine as possible is left to the server beside it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bench {

using Words = std::map<std::string, std::string>;  // "--port" -> "443"
Words read_words(int count, char** words);
int number_or(const Words& words, const std::string& name, int otherwise);

struct Target {
  std::string port, authority_file, token;
};
// --port, --ca, --token-file; gives up where one is missing.
Target read_target(const Words& words);

struct Load {
  int connections = 64, streams = 8, count = 20'000;
};
Load read_load(const Words& words, Load otherwise);

// One open request's place. `body` and `path` are kept from one request to the next.
struct Request {
  std::string path, body;
};

class Work {
 public:
  virtual ~Work() = default;
  virtual std::string method() const = 0;
  virtual int expected_status() const = 0;
  // Makes `request` the given one, 0 to count-1.
  virtual void fill(int number, Request& request) = 0;
};

struct Measured {
  double seconds = 0, per_second = 0, p50_ms = 0, p99_ms = 0, max_ms = 0;
  double client_cpu_us = 0;  // a request
};
// Gives up at the first answer that is not as expected.
Measured run_load(const Target& target, const Load& load, Work& work);
void print_measured(const std::string& what, const Load& load, const Measured& measured);

[[noreturn]] void give_up(const std::string& what);

}  // namespace bench
