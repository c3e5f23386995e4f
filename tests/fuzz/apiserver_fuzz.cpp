// Whole requests to an API server over the memory store, in the seeded world: up to eight, cut
// from each other, each a line of method and target, headers, an empty line and the body. `user:`
// is no header but who asks.
#include <algorithm>

#include "apiserver/testing/rig.h"
#include "fuzz/input.h"

namespace {

namespace fuzz = keelway::fuzz;
namespace testing = keelway::apiserver::testing;
namespace value = keelway::value;

constexpr int requests_max = 8;

struct Asked {
  std::string method, target, body;
  testing::Extra extra;
  bool streams() const {
    return target.find("watch") != std::string::npos || target.find("follow") != std::string::npos;
  }
};

Asked read(std::string_view text) {
  Asked asked;
  fuzz::Input lines(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  const std::string_view first = lines.line();
  const auto space = first.find(' ');
  asked.method = first.substr(0, space);
  asked.target = space == std::string_view::npos ? "/" : first.substr(space + 1);
  while (!lines.done()) {
    const std::string_view line = lines.line();
    if (line.empty()) break;
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon)), text_of(line.substr(colon + 2));
    if (name == "user") {
      asked.extra.user = std::move(text_of);
    } else if (name == "content-type") {
      asked.extra.content_type = std::move(text_of);
    } else if (name == "accept") {
      asked.extra.accept = std::move(text_of);
    } else {
      asked.extra.headers.emplace_back(std::move(name), std::move(text_of));
    }
  }
  asked.body = lines.rest();
  return asked;
}

void check_answer(const Asked& asked, const testing::FakeExchange& answer) {
  const std::string what = asked.method + " " + asked.target;
  KEELWAY_INVARIANT(answer.status >= 100 && answer.status < 600, "no status: " + what);
  // 500 is upstream's answer to an object that does not type, and to half an impersonation.
  KEELWAY_INVARIANT(answer.status != 500 || answer.body.find("\"Status\"") != std::string::npos,
                    "a failure without a Status: " + what + answer.body);
  if (answer.status < 400 || answer.header("content-type") != "application/json") return;
  KEELWAY_INVARIANT(value::parse_json(answer.body).has_value() || asked.method == "HEAD",
                    "the answer is no JSON: " + what + answer.body);
}

// Whoever has no right learns nothing and changes nothing.
void check_stranger(const Asked& asked, const testing::FakeExchange& answer) {
  if (asked.extra.user != "nobody") return;
  const bool impersonates =
      std::any_of(asked.extra.headers.begin(), asked.extra.headers.end(),
                  [](const auto& header) { return header.first.starts_with("impersonate"); });
  KEELWAY_INVARIANT(!impersonates || answer.status >= 300, "nobody takes on an identity");
  KEELWAY_INVARIANT(answer.body.find("c2VjcmV0LWJvZHk=") == std::string::npos,
                    "nobody reads a secret: " + asked.method + " " + asked.target);
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  fuzz::Input input(data, size);
  testing::Rig rig(1, testing::Rig::Start::bare);
  static_cast<void>(rig.ask("POST", "/api/v1/namespaces/default/secrets",
                            R"({"metadata":{"name":"s"},"data":{"k":"c2VjcmV0LWJvZHk="}})"));
  for (int i = 0; i < requests_max && !input.done(); ++i) {
    Asked asked = read(input.part());
    if (asked.streams()) {
      const auto stream = rig.open(asked.method, asked.target, asked.extra);
      check_stranger(asked, *stream);
      if (stream->gone) stream->gone();
      continue;
    }
    const auto answer = rig.ask(asked.method, asked.target, asked.body, asked.extra);
    check_answer(asked, *answer);
    check_stranger(asked, *answer);
  }
  const auto alive = rig.ask("GET", "/api/v1/namespaces/default");
  KEELWAY_INVARIANT(alive->status == 200 || alive->status == 404, "the server no longer answers");
  return 0;
}
