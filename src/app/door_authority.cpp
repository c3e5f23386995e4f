#include "app/door_authority.h"

#include <fmt/core.h>

#include "client/resources.h"

namespace keelway::app {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr const char* name_space = "kube-system";
constexpr const char* name = "aws-door";
constexpr auto life = std::chrono::hours(24 * 365 * 10);
constexpr auto skew_allowance = std::chrono::hours(1);

constexpr const char* subject = "the authority of the AWS endpoint";

std::unexpected<base::Error> refused(const schema::Status& why) {
  return base::fail(base::ErrorCode::internal,
                    fmt::format("{} (clusterkeys {}/{} of the hub) cannot be had: {}", subject,
                                name_space, name, why.message));
}

Value key_object(const access::KeyedCertificate& authority) {
  return Value::object(
      {{"metadata", Value::object({{"name", name}})},
       {"spec", Value::object({{"certificateAuthority", authority.certificate_pem},
                               {"certificateAuthorityKey", authority.private_key_pem}})}});
}

}  // namespace

void DoorAuthority::ensure(Done done) {
  hub_.call(
      client::get_call(resources::cluster_keys, name_space, name),
      [this, done = std::move(done), alive = alive_](schema::Answer<client::Reply> answer) mutable {
        if (!*alive) return;
        if (!answer && answer.error().is("NotFound")) return draw(std::move(done));
        if (!answer) return again(answer.error(), std::move(done));
        const Value& spec = answer->object["spec"];
        done(access::KeyedCertificate{spec["certificateAuthority"].as_string(),
                                      spec["certificateAuthorityKey"].as_string()});
      });
}

void DoorAuthority::draw(Done done) {
  const base::WallTime now = executor_.wall_now();
  auto drawn = access::make_authority("keelway", runtime_.random_bytes(16),
                                      {now + -skew_allowance, now + life});
  if (!drawn) return done(std::unexpected(drawn.error()));
  hub_.call(
      client::create_call(resources::cluster_keys, name_space, key_object(*drawn)),
      [this, done = std::move(done), alive = alive_](schema::Answer<client::Reply> answer) mutable {
        if (!*alive) return;
        if (answer || answer.error().is("AlreadyExists")) return ensure(std::move(done));
        again(answer.error(), std::move(done));
      });
}

void DoorAuthority::again(const schema::Status& why, Done done) {
  if (!Patience::passes(why)) return done(refused(why));
  patience_.again(subject, why, [this, done = std::move(done), alive = alive_]() mutable {
    if (*alive) ensure(std::move(done));
  });
}

}  // namespace keelway::app
