#include "app/fleet_side.h"

#include "app/cluster_plane.h"
#include "app/credentials.h"
#include "base/encoding.h"
#include "fleet/cluster_loop.h"
#include "fleet/membership.h"
#include "fleet/supervisor.h"
#include "fleet/update_loop.h"
#include "reconcile/loop.h"

namespace keelway::app {
namespace {

// EKS takes about nine minutes for a cluster, two or three for a change of its configuration.
constexpr auto real_create_delay = std::chrono::minutes(9);
constexpr auto real_update_delay = std::chrono::minutes(3);

class FleetSideImpl final : public FleetSide {
 public:
  explicit FleetSideImpl(FleetParts parts)
      : parts_(std::move(parts)),
        log_(parts_.seams.log.with("fleet")),
        reader_(parts_.connections.connect(hub_id, parts_.executor, loop_identity("fleet"))),
        planes_({.seams = parts_.seams,
                 .config = parts_.config,
                 .owner = parts_.executor,
                 .keys = parts_.keys,
                 .connections = parts_.connections}),
        supervisor_(supervisor_parts()) {
    if (parts_.config.shared_store) membership_ = make_membership();
  }
  ~FleetSideImpl() override { manager_.reset(); }

  void start() override {
    if (membership_)
      membership_->start();
    else
      begin({});
  }

  void begin_leaving() override { planes_.begin_leaving(); }
  void begin_draining() override { planes_.begin_draining(); }
  void stop(runtime::Task stopped) override {
    end();
    if (!membership_) return supervisor_.stop_all(std::move(stopped));
    membership_->leave([this, stopped = std::move(stopped)]() mutable {
      supervisor_.stop_all(std::move(stopped));
    });
  }

 private:
  fleet::SupervisorParts supervisor_parts() {
    return {.runtime = parts_.seams.runtime,
            .executor = parts_.executor,
            .hub = *reader_,
            .assemble =
                [this](fleet::ControlPlaneSpec spec, fleet::Assembled assembled) {
                  planes_.assemble(std::move(spec), std::move(assembled));
                },
            .discard =
                [this](const std::string& keyspace,
                       std::move_only_function<void(base::Result<void>)> done) {
                  parts_.seams.engine.drop(keyspace, parts_.executor, std::move(done));
                },
            .advertised_host = parts_.config.advertised_host,
            .log = log_};
  }

  std::unique_ptr<fleet::Membership> make_membership() {
    const std::string& given = parts_.config.server_name;
    using value::Value;
    return std::make_unique<fleet::Membership>(
        fleet::MembershipParts{
            .executor = parts_.executor,
            .hub = *reader_,
            .name = given.empty() ? server_name_of(parts_.door) : given,
            .incarnation = base::hex_encode(parts_.seams.runtime.random_bytes(8)),
            .spec = Value::object({{"endpoint", parts_.door},
                                   {"advertisedHost", parts_.config.advertised_host},
                                   {"version", parts_.config.product_version}}),
            .interval = parts_.config.lease_interval,
            .log = log_},
        [this](const fleet::Registration& registration) { begin(registration); },
        [this] { end(); });
  }

  // The hub refuses what is still sent under an earlier registration. A lease that lapsed and came
  // back has the same one; nobody takes this server's clusters while that stands, and the fence of
  // each cluster tells its tenures apart.
  void begin(const fleet::Registration& registration) {
    apiserver::FencePtr fence;
    if (!registration.uid.empty() && parts_.seams.fenced) {
      fence = std::make_shared<const apiserver::Fence>(
          apiserver::server_fence(registration.server, registration.revision));
    }
    writer_ = parts_.connections.connect(hub_id, parts_.executor, loop_identity("fleet"), fence);
    supervisor_.begin(registration, writer_);
    manager_ = reconcile::make_manager(parts_.executor, *writer_);
    const fleet::Self self{registration.server, registration.uid};
    const bool real = parts_.config.pace == Pace::real;
    manager_->add(
        fleet::make_cluster_loop({.create_delay = real ? real_create_delay : base::Duration(0),
                                  .self = self,
                                  .known = supervisor_.running_keys()}),
        [this](const reconcile::Effect& effect, reconcile::EffectDone done) {
          supervisor_.execute(effect, std::move(done));
        });
    manager_->add(fleet::make_update_loop(real ? real_update_delay : base::Duration(0), self));
    manager_->start();
  }

  void end() {
    manager_.reset();
    supervisor_.end();
    writer_.reset();
  }

  const FleetParts parts_;
  const telemetry::Log log_;
  const std::unique_ptr<client::Client> reader_;
  Planes planes_;
  fleet::Supervisor supervisor_;
  std::shared_ptr<client::Client> writer_;
  std::unique_ptr<fleet::Membership> membership_;
  std::unique_ptr<reconcile::Manager> manager_;
};

}  // namespace

std::unique_ptr<FleetSide> make_fleet_side(FleetParts parts) {
  return std::make_unique<FleetSideImpl>(std::move(parts));
}

std::string server_name_of(const std::string& door) {
  std::string name;
  for (const char c : door) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
    if (!plain && name.empty() && (c == '[' || c == ':')) continue;  // of an IPv6 address
    name += plain ? c : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : '-';
  }
  return name;
}

}  // namespace keelway::app
