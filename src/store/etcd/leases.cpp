#include "store/etcd/leases.h"

#include <algorithm>

#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

std::int64_t slack_of(std::int64_t seconds) {
  return std::max<std::int64_t>(1, seconds / 20);
}

}  // namespace

void Leases::take(base::Duration time_to_live, Taken done) {
  const auto rounded = std::chrono::ceil<std::chrono::seconds>(time_to_live).count();
  const std::int64_t seconds = std::max<std::int64_t>(1, rounded);
  Lease& lease = leases_[seconds];
  const base::Instant now = client_->executor().now();
  const bool young = now - lease.asked < std::chrono::seconds(slack_of(seconds));
  if (lease.id != 0 && young && lease.uses < uses_max) {
    ++lease.uses;
    return done(lease.id);
  }
  lease.waiting.push_back(std::move(done));
  if (lease.waiting.size() > 1) return;
  lease.id = 0;
  lease.uses = 0;
  lease.asked = now;
  client_->call(method::grant_lease, encode_lease_grant(seconds + slack_of(seconds)),
                Repeat::freely,
                [weak = weak_from_this(), seconds](base::Result<std::string> reply) {
                  if (const auto self = weak.lock()) self->granted(seconds, std::move(reply));
                });
}

void Leases::forget_all() {
  for (auto& [seconds, lease] : leases_) lease.id = 0;
}

void Leases::granted(std::int64_t seconds, base::Result<std::string> reply) {
  Lease& lease = leases_[seconds];
  base::Result<std::int64_t> id = reply
                                      ? decode_lease_grant(*reply)
                                      : base::Result<std::int64_t>(std::unexpected(reply.error()));
  lease.id = id.value_or(0);
  auto waiting = std::exchange(lease.waiting, {});
  lease.uses = static_cast<int>(waiting.size());
  for (auto& done : waiting) done(id);
}

}  // namespace keelway::store::etcd
