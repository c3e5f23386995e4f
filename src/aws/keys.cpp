#include "aws/keys.h"

#include <fmt/core.h>

#include <algorithm>

#include "aws/identity/access_key.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::aws {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr std::size_t keys_per_account_max = 1000;
constexpr std::size_t user_name_max = 64;
constexpr base::Duration look_again = std::chrono::milliseconds(1);
constexpr base::Duration view_lag_max = std::chrono::seconds(5);

ServiceError denied(const Caller& caller, std::string_view action, std::string_view why) {
  return {403,
          "AccessDeniedException",
          fmt::format("{} is not authorized to {}: {}", caller.arn, action, why),
          {}};
}
ServiceError invalid(std::string message) {
  return {400, "InvalidParameterException", std::move(message), {}};
}
ServiceError no_key(const std::string& id) {
  return {404, "ResourceNotFoundException", fmt::format("No access key found for id: {}", id), {}};
}

struct Conversation {
  eks::ServicePtr service;
  std::string request_id;
  std::shared_ptr<http::Exchange> exchange;

  void answer(const Value& body) const { exchange->respond(render_json(body, request_id)); }
  void refuse(const ServiceError& error) const {
    exchange->respond(render_error(Dialect::rest_json, error, request_id));
  }
};
using ConversationPtr = std::shared_ptr<const Conversation>;

// A write was taken; the keys that signatures are checked against follow it.
void answer_when_seen(ConversationPtr with, client::Revision revision, base::Instant deadline,
                      Value body) {
  if (with->service->view.revision() >= revision) return with->answer(body);
  if (with->service->executor.now() >= deadline) {
    return with->refuse(
        {503, "ServiceUnavailableException", "The change is not seen yet, try again later.", {}});
  }
  with->service->executor.after(look_again, [with, revision, deadline, body] {
    answer_when_seen(with, revision, deadline, body);
  });
}

void write(ConversationPtr with, client::Call call, Value body) {
  with->service->hub.call(std::move(call), [with, body = std::move(body)](
                                               schema::Answer<client::Reply> answer) mutable {
    if (!answer) return with->refuse(from_status(answer.error()));
    answer_when_seen(with, answer->revision, with->service->executor.now() + view_lag_max,
                     std::move(body));
  });
}

Value document_of(const AccessKey& key) {
  Value document =
      Value::object({{"accountId", key.account_id}, {"accessKeyId", key.access_key_id}});
  if (!key.root) document.set("userName", key.user_name);
  return document;
}

std::vector<AccessKey> keys_of(const eks::Service& service, std::string_view account) {
  std::vector<AccessKey> keys;
  for (const client::ObjectPtr& object : service.view.list(resources::access_keys)) {
    auto key = read_access_key(object->value());
    if (key && (account.empty() || key->account_id == account)) keys.push_back(std::move(*key));
  }
  return keys;
}

bool is_account(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What IAM takes as a user's name.
bool is_user_name(std::string_view text) {
  return !text.empty() && text.size() <= user_name_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  std::string_view("_+=,.@-").find(c) != std::string_view::npos;
         });
}

void create(const KeyDesk& desk, const Caller& caller, const std::string& text,
            const ConversationPtr& with) {
  auto body = text.empty() ? value::parse_json("{}") : value::parse_json(text);
  if (!body || !body->is_object()) {
    return with->refuse({400, "SerializationException", "The body is not a JSON object.", {}});
  }
  const Value& account = (*body)["accountId"];
  const Value& user = (*body)["userName"];
  if (!account.is_null() && !is_account(account.as_string())) {
    return with->refuse(invalid("accountId must be 12 digits"));
  }
  if (!user.is_null() && !is_user_name(user.as_string())) {
    return with->refuse(
        invalid("userName must be 1 to 64 characters out of letters, digits and _+=,.@-"));
  }
  const std::string owner(account.string_or(caller.account_id));
  if (owner != caller.account_id && caller.account_id != desk.operator_account) {
    return with->refuse(denied(caller, "create keys of account " + owner,
                               "it is root of another account, and not the operator"));
  }
  if (keys_of(*desk.service, owner).size() >= keys_per_account_max) {
    return with->refuse({409,
                         "LimitExceededException",
                         fmt::format("Account {} has {} access keys, which is the limit", owner,
                                     keys_per_account_max),
                         {}});
  }
  const AccessKey key = draw_access_key(desk.random_bytes, owner, user.as_string());
  Value answer = document_of(key);
  answer.set("secretAccessKey", key.secret_access_key);
  write(with, client::create_call(resources::access_keys, "", access_key_object(key)),
        std::move(answer));
}

void list(const KeyDesk& desk, const Caller& caller, const ConversationPtr& with) {
  const bool all = caller.account_id == desk.operator_account;
  Value keys = Value::array();
  for (const AccessKey& key : keys_of(*desk.service, all ? "" : caller.account_id)) {
    keys.push(document_of(key));
  }
  with->answer(Value::object({{"keys", std::move(keys)}}));
}

void remove(const KeyDesk& desk, const Caller& caller, const std::string& id,
            const ConversationPtr& with) {
  const auto key = lookup_in(desk.service->view)(id);
  // Another account's key is as good as none.
  const bool reachable =
      key && (key->account_id == caller.account_id || caller.account_id == desk.operator_account);
  if (!reachable) return with->refuse(no_key(id));
  if (key->root && key->account_id == desk.operator_account) {
    const auto keys = keys_of(*desk.service, key->account_id);
    const bool other = std::any_of(keys.begin(), keys.end(), [&](const AccessKey& one) {
      return one.root && one.access_key_id != id && one.access_key_id != well_known_test_key;
    });
    if (!other) {
      return with->refuse({400,
                           "InvalidRequestException",
                           fmt::format("{} is the last root key of the operator's account {}; "
                                       "make another one first",
                                       id, key->account_id),
                           {}});
    }
  }
  write(with, client::remove_call(resources::access_keys, "", access_key_object_name(id)),
        Value::object());
}

}  // namespace

void answer_keys(const KeyDesk& desk, const http::Request& request, const Caller& caller,
                 std::string request_id, std::shared_ptr<http::Exchange> exchange) {
  const auto with = std::make_shared<const Conversation>(
      Conversation{desk.service, std::move(request_id), std::move(exchange)});
  if (caller.service != "eks") {
    return with->refuse(
        {403, "AccessDeniedException", "Access keys are managed by requests signed for eks.", {}});
  }
  if (!caller.root) {
    return with->refuse(denied(caller, "manage access keys", "only root of an account may"));
  }
  const std::string_view rest = path_of(request).substr(keys_path.size());
  if (rest.empty() && request.method == "POST") return create(desk, caller, request.body, with);
  if (rest.empty() && request.method == "GET") return list(desk, caller, with);
  const auto id = rest.empty() ? std::nullopt : base::percent_decode(rest.substr(1));
  if (id && !id->empty() && request.method == "DELETE") return remove(desk, caller, *id, with);
  with->refuse({405,
                "MethodNotAllowedException",
                "Access keys are listed by GET, made by POST and deleted by DELETE of one.",
                {}});
}

}  // namespace keelway::aws
