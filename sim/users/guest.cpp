#include "sim/users/guest.h"

#include <fmt/core.h>

#include "client/resources.h"
#include "sim/documents.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr const char* hidden = "dmVyeSBoaWRkZW4gd29yZHM=";

}  // namespace

std::string Guest::account() const {
  return fmt::format("guest-{}", account_);
}

void Guest::complain(const std::string& what) {
  if (!complaint_) complaint_ = fmt::format("account {}: {}", account(), what);
}

client::Call Guest::call_of(Step step) const {
  const Value named = Value::object({{"metadata", Value::object({{"name", account()}})}});
  switch (step) {
    case Step::make_secret:
      return client::create_call(resources::secrets, wire_namespace,
                                 Value::object({{"metadata", Value::object({{"name", "hidden"}})},
                                                {"data", Value::object({{"words", hidden}})}}));
    case Step::get_token: {
      client::Call call = client::create_call(
          resources::service_accounts, wire_namespace,
          Value::object({{"apiVersion", "authentication.k8s.io/v1"},
                         {"kind", "TokenRequest"},
                         {"spec", Value::object({{"expirationSeconds", 3600}})}}));
      call.name = account();
      call.subresource = "token";
      return call;
    }
    case Step::remove_account:
    case Step::remove_namesake:
      return client::remove_call(resources::service_accounts, wire_namespace, account());
    default:
      return client::create_call(resources::service_accounts, wire_namespace, named);
  }
}

void Guest::go() {
  if (step_ == Step::use_token || step_ == Step::use_dead_token ||
      step_ == Step::use_token_of_namesake) {
    return use();
  }
  busy_ = true;
  asked_ = wire_.server().host;
  wire_.call(call_of(step_), [this, alive = alive_](Answer answer) {
    if (!*alive) return;
    busy_ = false;
    take(answer);
  });
}

void Guest::take(const Answer& answer) {
  const bool made = answer || answer.error().is("AlreadyExists");
  const bool removed = answer || answer.error().is("NotFound");
  switch (step_) {
    case Step::make_secret:
      if (made) step_ = Step::make_account;
      return;
    case Step::make_account:
      if (made) step_ = Step::get_token;
      return;
    case Step::get_token:
      if (!answer) return;
      token_ = answer->object.at("status", "token").as_string();
      if (token_.empty()) return complain("a token request was answered without a token");
      step_ = Step::use_token;
      return;
    case Step::remove_account:
      if (!removed) return;
      removed_at_ = asked_;
      step_ = Step::use_dead_token;
      return;
    case Step::make_namesake:
      if (made) step_ = Step::use_token_of_namesake;
      return;
    default:
      if (!removed) return;
      step_ = Step::make_account;
      ++account_;
  }
}

// Of several servers another one may not have heard of it yet; each knows what it did itself.
bool Guest::may_be_late() const {
  return !removed_at_.empty() && used_at_ != removed_at_;
}

void Guest::use() {
  static const char* const targets[] = {"/api/v1/namespaces/wire/secrets/hidden",
                                        "/api/v1/namespaces/wire/secrets", "/api/v1/secrets",
                                        "/api/v1/namespaces/wire/secrets/hidden?dryRun=All",
                                        "/api/v1/namespaces/wire/secrets?watch=1&timeoutSeconds=1"};
  busy_ = true;
  used_at_ = wire_.server().host;
  wire_.get_as(token_, targets[++uses_ % std::size(targets)],
               [this, alive = alive_](int status, const std::string& body) {
                 if (!*alive) return;
                 busy_ = false;
                 take_use(status, body);
               });
}

void Guest::take_use(int status, const std::string& body) {
  if (body.find(hidden) != std::string::npos) {
    return complain(fmt::format("was refused with {} and learned the body", status));
  }
  if (status >= 200 && status < 300) return complain("may read secrets without a right to");
  // A clock that has jumped back knows tokens of the future: asked for anew.
  if (step_ == Step::use_token) {
    if (status == 401) step_ = Step::get_token;
    if (status == 403) {
      wire_.executor().reached("sim.guest_forbidden");
      step_ = Step::remove_account;
    }
    return;
  }
  if (status == 403 && may_be_late()) return wire_.executor().reached("sim.token_not_yet_dead");
  if (status == 403) return complain("is gone, and its token was accepted");
  if (status != 401) return;
  wire_.executor().reached("sim.dead_token_refused");
  step_ = step_ == Step::use_dead_token ? Step::make_namesake : Step::remove_namesake;
}

void Guest::act(base::Random&) {
  if (wire_.ready() && !busy_) go();
}

void Guest::conclude(base::Random& random) {
  if (!done() && step_ != Step::make_secret) act(random);
  if (step_ == Step::make_secret) step_ = Step::make_account;
}

}  // namespace keelway::sim
