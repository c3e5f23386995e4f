#include <fmt/core.h>

#include "base/encoding.h"
#include "cli/http_call.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "value/json.h"

namespace keelway::cli {
namespace {

using value::Value;
constexpr std::string_view keys_path = "/_keelway/keys";

}  // namespace

base::Result<void> create_key(const Session& session, const std::string& account,
                              const std::string& user) {
  Value body = Value::object();
  if (!account.empty()) body.set("accountId", account);
  if (!user.empty()) body.set("userName", user);
  auto answer = call_signed(session.runtime, session.context, "POST", std::string(keys_path),
                            value::to_json(body));
  if (!answer) return std::unexpected(answer.error());
  if (session.json) {
    fmt::print("{}\n", value::to_pretty_json(*answer));
    return {};
  }
  fmt::print("{}", format_table({"ACCOUNT", "USER", "ACCESS KEY ID", "SECRET ACCESS KEY"},
                                {{(*answer)["accountId"].as_string(),
                                  std::string((*answer)["userName"].string_or("root")),
                                  (*answer)["accessKeyId"].as_string(),
                                  (*answer)["secretAccessKey"].as_string()}}));
  fmt::print("The secret is shown this once.\n");
  return {};
}

base::Result<void> list_keys(const Session& session) {
  auto answer = call_signed(session.runtime, session.context, "GET", std::string(keys_path), "");
  if (!answer) return std::unexpected(answer.error());
  if (session.json) {
    fmt::print("{}\n", value::to_pretty_json((*answer)["keys"]));
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const Value& key : (*answer)["keys"].items()) {
    rows.push_back({key["accountId"].as_string(), std::string(key["userName"].string_or("root")),
                    key["accessKeyId"].as_string()});
  }
  fmt::print("{}", format_table({"ACCOUNT", "USER", "ACCESS KEY ID"}, rows));
  return {};
}

base::Result<void> delete_key(const Session& session, const std::string& access_key_id) {
  auto answer =
      call_signed(session.runtime, session.context, "DELETE",
                  fmt::format("{}/{}", keys_path, base::percent_encode(access_key_id)), "");
  if (!answer) return std::unexpected(answer.error());
  if (!session.json) fmt::print("key {} deleted\n", access_key_id);
  return {};
}

}  // namespace keelway::cli
