// Many users over HTTP/2 and TLS: so many requests a second whatever the server answers (or, with
// --rate 0, so many open at once), reads and creates mixed. Prints one line of JSON.
//
//   --port P --ca FILE --tokens FILE --read PATH [--rate R] [--seconds S] [--connections C]
//   [--streams N] [--bytes B] [--write-percent W] [--prefix NAME]
#include "h2_client.h"

namespace {

using bench::Clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::string read, prefix;
  std::vector<std::string> tokens;
  int connections = 0, streams = 0, bytes = 0, write_percent = 0;
  double rate = 0, seconds = 0;
};

Options read(const bench::Arguments& arguments) {
  Options options;
  options.read = arguments.text("read");
  options.prefix = arguments.text("prefix", "load");
  options.connections = arguments.number("connections", 16);
  options.streams = arguments.number("streams", 100);
  options.bytes = arguments.number("bytes", 2048);
  options.write_percent = arguments.number("write-percent", 20);
  options.rate = std::atof(arguments.text("rate", "0").c_str());
  options.seconds = std::atof(arguments.text("seconds", "10").c_str());
  std::ifstream file(arguments.text("tokens"));
  for (std::string line; std::getline(file, line);) options.tokens.push_back(line);
  if (options.tokens.empty() || options.read.empty()) bench::give_up("--tokens and --read");
  return options;
}

struct Tally {
  std::vector<double> milliseconds;  // of good answers
  long good = 0, told_to_wait = 0, other = 0;
  long held_back = 0;  // not sent: too many were open
  std::string first_other;

  void count(int status, double took) {
    if (status == 200 || status == 201) {
      ++good;
      milliseconds.push_back(took);
    } else if (status == 429) {
      ++told_to_wait;
    } else if (other++ == 0) {
      first_other = std::to_string(status);
    }
  }
};

// One user on a connection of its own.
class User {
 public:
  User(const Options& options, int number, bench::Connection& connection, Tally& tally)
      : options_(options), number_(number), connection_(connection), tally_(tally) {}

  // What is due by now; --rate counts all users together.
  void act(Clock::time_point now, Clock::time_point start) {
    const auto most = static_cast<std::size_t>(options_.streams);
    if (options_.rate == 0) {
      while (connection_.open() < most) submit();
    } else {
      const Seconds passed = now - start;
      for (const auto due =
               static_cast<long>(passed.count() * options_.rate / options_.connections);
           offered_ < due; ++offered_) {
        if (connection_.open() < most)
          submit();
        else
          ++tally_.held_back;
      }
    }
    connection_.flush();
  }
  std::size_t open() const { return connection_.open(); }

 private:
  void submit() {
    const long index = count_++;
    bench::Request request{.path = options_.read};
    request.token = options_.tokens[static_cast<std::size_t>(number_) % options_.tokens.size()];
    if (index % 100 < options_.write_percent) {
      request.method = "POST";
      request.path = "/api/v1/namespaces/default/configmaps";
      request.content_type = "application/json";
      request.body =
          fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}-{}-{}"}},)"
                      R"("data":{{"k":"{}"}}}})",
                      options_.prefix, number_, index,
                      std::string(static_cast<std::size_t>(options_.bytes), 'x'));
    }
    const auto started = Clock::now();
    connection_.submit(
        request, {.on_data = {}, .on_head = {}, .on_close = [this, started](int status) {
                    const std::chrono::duration<double, std::milli> took = Clock::now() - started;
                    tally_.count(status, took.count());
                  }});
  }

  const Options& options_;
  const int number_;
  bench::Connection& connection_;
  Tally& tally_;
  long count_ = 0, offered_ = 0;
};

std::size_t open_of(const std::vector<User>& users) {
  std::size_t open = 0;
  for (const User& user : users) open += user.open();
  return open;
}

}  // namespace

int main(int count, char** words) {
  const bench::Arguments arguments(count, words);
  const Options options = read(arguments);
  bench::Driver driver(arguments);
  Tally all;
  std::vector<User> users;
  for (int i = 0; i < options.connections; ++i) {
    users.emplace_back(options, i, driver.connect(), all);
  }
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration_cast<Clock::duration>(Seconds(options.seconds));
  // Answers may be late by a request's own limit.
  const auto patience = end + std::chrono::seconds(20);
  driver.run(
      1,
      [&] {
        const auto now = Clock::now();
        return now >= end && (now >= patience || open_of(users) == 0);
      },
      [&] {
        const auto now = Clock::now();
        if (now >= end) return;
        for (User& user : users) user.act(now, start);
      });
  all.other += static_cast<long>(open_of(users));
  std::sort(all.milliseconds.begin(), all.milliseconds.end());
  fmt::print(R"({{"good":{},"told_to_wait":{},"other":{},"first_other":"{}","held_back":{},)"
             R"("good_per_second":{:.0f},"p50_ms":{:.2f},"p99_ms":{:.2f}}})"
             "\n",
             all.good, all.told_to_wait, all.other, all.first_other, all.held_back,
             static_cast<double>(all.good) / options.seconds,
             bench::percentile(all.milliseconds, 0.5), bench::percentile(all.milliseconds, 0.99));
}
