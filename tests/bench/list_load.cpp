// Fills a cluster with objects made from a template, or lists a resource and says how long the
// first byte and the last one took. One line of JSON.
#include <sstream>

#include "h2_client.h"

namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// --template FILE --path PATH --count N. In the template %N is the number, %M the number modulo
// --modulus, and %1, %2 ... are the words of line number (N modulo lines) of --words FILE.
void fill(bench::Driver& driver, const bench::Arguments& arguments) {
  std::ifstream file(arguments.text("template"));
  const std::string form{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::vector<std::string>> lines;
  std::ifstream words(arguments.text("words"));
  for (std::string line; std::getline(words, line);) {
    std::istringstream stream(line);
    lines.emplace_back(std::istream_iterator<std::string>(stream),
                       std::istream_iterator<std::string>());
  }
  const int count = arguments.number("count", 1000), modulus = arguments.number("modulus", 1000);
  const int connections = arguments.number("connections", 4);
  const std::string path = arguments.text("path");
  int next = arguments.number("first", 0), done = 0, refused = 0;
  const int end = next + count;
  std::string refusal;
  const auto started = bench::Clock::now();
  std::vector<bench::Connection*> open;
  for (int i = 0; i < connections; ++i) open.push_back(&driver.connect());
  const auto top_up = [&] {
    for (bench::Connection* connection : open) {
      while (next < end && connection->open() < 64) {
        std::string body = replaced(form, "%N", std::to_string(next));
        body = replaced(body, "%M", std::to_string(next % modulus));
        if (!lines.empty()) {
          const auto& line = lines[static_cast<std::size_t>(next) % lines.size()];
          for (std::size_t i = 0; i < line.size(); ++i) {
            body = replaced(body, "%" + std::to_string(i + 1), line[i]);
          }
        }
        auto answer = std::make_shared<std::string>();
        connection->submit({.method = "POST",
                            .path = path,
                            .body = std::move(body),
                            .content_type = "application/json"},
                           {.on_data =
                                [answer](std::string_view part) {
                                  if (answer->size() < 1000) answer->append(part);
                                },
                            .on_head = {},
                            .on_close =
                                [&, answer](int status) {
                                  ++done;
                                  if (status != 201 && refused++ == 0) refusal = *answer;
                                }});
        ++next;
      }
      connection->flush();
    }
  };
  top_up();
  driver.run(100, [&] { return done == count; }, top_up);
  if (refused > 0) bench::give_up(fmt::format("{} were refused, first: {}", refused, refusal));
  const std::chrono::duration<double> took = bench::Clock::now() - started;
  fmt::print(R"({{"objects": {}, "seconds": {:.2f}, "per_second": {:.0f}}})"
             "\n",
             count, took.count(), count / took.count());
}

// --path PATH [--encoding gzip] [--accept TYPE] [--runs N] [--limit N]: pages follow one another.
void list(bench::Driver& driver, const bench::Arguments& arguments) {
  bench::Connection& connection = driver.connect();
  const int limit = arguments.number("limit", 0);
  std::vector<double> first_ms, all_ms;
  std::size_t bytes = 0;
  for (int run = 0; run < arguments.number("runs", 1); ++run) {
    bytes = 0;
    std::string next;
    const auto started = bench::Clock::now();
    double first = 0;
    do {
      bool closed = false;
      int code = 0;
      std::string head, tail;
      std::string path = arguments.text("path");
      if (limit > 0) path += fmt::format("?limit={}", limit);
      if (!next.empty()) path += "&continue=" + next;
      connection.submit(
          {.path = path,
           .accept = arguments.text("accept"),
           .encoding = arguments.text("encoding")},
          {.on_data =
               [&](std::string_view part) {
                 if (first == 0) {
                   first = std::chrono::duration<double, std::milli>(bench::Clock::now() - started)
                               .count();
                 }
                 bytes += part.size();
                 if (head.size() < 1000) head.append(part.substr(0, 1000));
               },
           .on_head = {},
           .on_close =
               [&](int status) {
                 closed = true;
                 code = status;
               }});
      connection.flush();
      driver.run(1000, [&] { return closed; }, [] {});
      if (code != 200) bench::give_up(fmt::format("{} {}", code, head));
      next.clear();
      const std::size_t at = head.find("\"continue\":\"");
      if (limit > 0 && at != std::string::npos) {
        next = head.substr(at + 12, head.find('"', at + 12) - at - 12);
      }
    } while (!next.empty());
    first_ms.push_back(first);
    all_ms.push_back(
        std::chrono::duration<double, std::milli>(bench::Clock::now() - started).count());
  }
  std::sort(first_ms.begin(), first_ms.end());
  std::sort(all_ms.begin(), all_ms.end());
  fmt::print(R"({{"bytes": {}, "first_byte_ms": {:.1f}, "p50_ms": {:.1f}, "min_ms": {:.1f}}})"
             "\n",
             bytes, bench::percentile(first_ms, 0.5), bench::percentile(all_ms, 0.5), all_ms[0]);
}

}  // namespace

int main(int count, char** words) {
  const bench::Arguments arguments(count, words);
  bench::Driver driver(arguments);
  if (arguments.text("template").empty())
    list(driver, arguments);
  else
    fill(driver, arguments);
}
