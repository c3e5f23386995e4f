// Requests at the AWS door, up to six, cut from each other: a line of method and target, the body.
// A line that starts with `!` is sent as it is, with the headers that follow; others are signed.
#include <algorithm>

#include "aws/botocore_vectors.h"
#include "aws/door.h"
#include "aws/test_hub.h"
#include "fuzz/input.h"
#include "runtime/virtual/world.h"
#include "wire/sigv4.h"

namespace {

namespace aws = keelway::aws;
namespace fuzz = keelway::fuzz;
namespace http = keelway::http;
namespace resources = keelway::client::resources;
namespace runtime = keelway::runtime;
namespace sigv4 = keelway::wire::sigv4;
using keelway::value::Value;

constexpr keelway::base::WallTime epoch{1'767'323'045'000'000};
constexpr int requests_max = 6;
constexpr std::string_view accounts[] = {"123456789012", "999999999999"};

Value key_object(std::string_view id, std::string_view account) {
  std::string name(id);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return Value::object({{"metadata", Value::object({{"name", name}})},
                        {"spec", Value::object({{"accountId", account},
                                                {"accessKeyId", id},
                                                {"secretAccessKey", "secret"},
                                                {"root", true}})}});
}

class Site {
 public:
  Site()
      : world_(runtime::make_world(7, {.epoch = epoch})),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("door")),
        hub_(*executor_),
        door_(aws::make_door({host_->runtime(), *executor_, hub_, hub_.view(), {}})) {
    hub_.needs_namespaces = false;
    hub_.write(resources::access_keys, key_object("AKIAONE", accounts[0]));
    hub_.write(resources::access_keys, key_object("AKIATWO", accounts[1]));
  }

  void send(http::Request request, bool sign, std::string_view key) {
    if (sign) {
      request.headers.emplace_back("host", "127.0.0.1:4566");
      sigv4::sign_headers(request.method, request.target, request.headers, request.body,
                          {std::string(key), "secret", ""}, {"us-east-1", "eks"}, epoch);
    }
    const auto exchange = std::make_shared<aws::TestExchange>();
    executor_->post([&] { door_->handle(aws::vectors::copy_of(request), exchange); });
    world_->run_while_waiting([&] { return exchange->answer.has_value(); });
    KEELWAY_INVARIANT(exchange->answer.has_value(), "no answer to " + request.target);
    check(request, *exchange->answer, sign, key);
  }

 private:
  void check(const http::Request& request, const http::Response& answer, bool sign,
             std::string_view key) {
    const std::string what = request.method + " " + request.target;
    KEELWAY_INVARIANT(answer.status >= 200 && answer.status < 600, "no status: " + what);
    KEELWAY_INVARIANT(answer.status != 500, "a failure of ours: " + what + answer.body);
    const bool open = request.target.starts_with("/_keelway/health");
    KEELWAY_INVARIANT(sign || open || answer.status >= 400, "nobody is let in: " + what);
    // The other account's name is no secret, but what the door says of clusters is its own.
    if (sign && key == "AKIATWO" && request.method == "GET") {
      KEELWAY_INVARIANT(answer.body.find(":123456789012:cluster/") == std::string::npos ||
                            request.target.find("123456789012") != std::string::npos,
                        "another account's cluster is told: " + what + answer.body);
    }
  }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  aws::TestHub hub_;
  std::unique_ptr<aws::Door> door_;
};

void send(Site& site, std::string_view text) {
  fuzz::Input lines(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  std::string_view first = lines.line();
  const bool raw = first.starts_with('!');
  const bool other = first.starts_with('@');
  if (raw || other) first.remove_prefix(1);
  const auto space = first.find(' ');
  http::Request request;
  request.method = first.substr(0, space);
  request.target = space == std::string_view::npos ? "/" : first.substr(space + 1);
  // Reset waits for what only a fleet does, and health is the same for everybody.
  if (request.target.starts_with("/_keelway/reset")) return;
  while (raw && !lines.done()) {
    const std::string_view line = lines.line();
    const auto colon = line.find(": ");
    if (line.empty() || colon == std::string_view::npos) break;
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  request.body = lines.rest();
  site.send(std::move(request), !raw, other ? "AKIATWO" : "AKIAONE");
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  fuzz::Input input(data, size);
  Site site;
  for (int i = 0; i < requests_max && !input.done(); ++i) send(site, input.part());
  return 0;
}
