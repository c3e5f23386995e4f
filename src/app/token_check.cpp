#include "app/token_check.h"

#include <fmt/core.h>

#include "access/known_tokens.h"

namespace keelway::app {
namespace {

constexpr std::size_t kTokensMax = 1024;  // in each of two generations

access::IdentityPtr identity_of(const aws::TokenCaller& caller, const std::string& creator_arn) {
  auto who = std::make_shared<access::Identity>();
  who->user = caller.arn;
  who->uid = fmt::format("aws-iam-authenticator:{}:{}", caller.account_id, caller.user_id);
  // The creator is cluster admin; any other IAM identity is known and may do nothing.
  if (caller.arn == creator_arn) who->groups.push_back("system:masters");
  who->groups.push_back("system:authenticated");
  who->extra["accessKeyId"] = {caller.access_key_id};
  who->extra["arn"] = {caller.arn};
  who->extra["canonicalArn"] = {caller.arn};
  who->extra["principalId"] = {caller.user_id};
  who->extra["sessionName"] = {""};
  return who;
}

class TokenCheck {
 public:
  TokenCheck(const KeyDirectory& keys, std::string cluster, std::string creator_arn)
      : keys_(keys), cluster_(std::move(cluster)), creator_arn_(std::move(creator_arn)) {}

  schema::Answer<access::IdentityPtr> check(std::string_view token, base::WallTime now) {
    // Read before the key itself: a change in between costs one verification, never a key's end.
    const std::uint64_t revision = keys_.revision();
    if (revision != revision_) known_.clear();
    revision_ = revision;
    const Known* known = known_.find(token);
    if (known != nullptr && !(now < known->from) && !(known->until < now)) return known->who;
    const auto caller = aws::verify_token(
        token, cluster_, [this](std::string_view id) { return keys_.find(id); }, now);
    if (!caller) return std::unexpected(schema::unauthorized());
    access::IdentityPtr who = identity_of(*caller, creator_arn_);
    known_.add(token, {who, caller->valid_from, caller->valid_until});
    return who;
  }

 private:
  struct Known {
    access::IdentityPtr who;
    base::WallTime from, until;
  };

  const KeyDirectory& keys_;
  const std::string cluster_, creator_arn_;
  std::uint64_t revision_ = 0;
  access::KnownTokens<Known> known_{kTokensMax};
};

}  // namespace

access::AwsTokenCheck make_token_check(const KeyDirectory& keys, std::string cluster,
                                       std::string creator_arn) {
  auto check = std::make_shared<TokenCheck>(keys, std::move(cluster), std::move(creator_arn));
  return [check = std::move(check)](std::string_view token, base::WallTime now) {
    return check->check(token, now);
  };
}

}  // namespace keelway::app
