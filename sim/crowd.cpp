#include "sim/crowd.h"

#include <algorithm>

#include "client/resources.h"
#include "sim/documents.h"
#include "sim/users/guest.h"
#include "sim/users/holder.h"
#include "sim/users/watcher.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;

constexpr auto turn_max = std::chrono::milliseconds(200);

}  // namespace

Crowd::Crowd(runtime::World& world, const Shape& shape, AwsCaller::Object cluster)
    : host_(world.make_host("users")),
      executor_(host_->runtime().make_executor("users")),
      wire_(std::make_unique<WireClient>(host_->runtime(), *executor_)) {
  auto writer = std::make_unique<Writer>(*wire_, wire_namespace);
  writer_ = writer.get();
  hire(std::move(writer));
  hire(std::make_unique<Watcher>(*wire_, resources::config_maps));
  hire(std::make_unique<Watcher>(*wire_, resources::pods));
  hire(std::make_unique<Counter>(*wire_, tally_));
  hire(std::make_unique<Counter>(*wire_, tally_));
  hire(std::make_unique<Holder>(*wire_));
  hire(std::make_unique<Guest>(*wire_));
  auto caller = std::make_unique<AwsCaller>(host_->runtime(), *executor_, std::move(cluster));
  caller_ = caller.get();
  hire(std::move(caller));
  if (shape.guarded) {
    auto evictor =
        std::make_unique<Evictor>(*wire_, shape.workloads[0].name, shape.workloads[0].replicas - 1);
    evictor_ = evictor.get();
    hire(std::move(evictor));
  }
}

// Nothing of the machine runs any more when its parts go.
Crowd::~Crowd() {
  host_->kill();
  users_.clear();
  wire_.reset();
  executor_.reset();
}

void Crowd::aim(const runtime::Address& cluster, const runtime::Address& door,
                const aws::AccessKey& key) {
  executor_->post([this, cluster, door, key] {
    if (cluster.port != 0) wire_->aim(cluster);
    if (!key.access_key_id.empty()) caller_->aim(door, key);
  });
}

void Crowd::use(std::string token) {
  executor_->post([this, token = std::move(token)]() mutable { wire_->use(std::move(token)); });
}

void Crowd::set_mode(Mode mode) {
  executor_->post([this, mode] {
    mode_ = mode;
    if (timer_ == 0) turn();
  });
}

void Crowd::start() {
  set_mode(Mode::act);
}
void Crowd::conclude() {
  set_mode(Mode::conclude);
}
void Crowd::rest() {
  set_mode(Mode::rest);
}

void Crowd::turn() {
  timer_ = 0;
  if (mode_ == Mode::rest) return;
  auto& random = executor_->random();
  User& user = *users_[random.below(users_.size())];
  if (mode_ == Mode::act)
    user.act(random);
  else
    user.conclude(random);
  const auto most = static_cast<std::uint64_t>(base::Duration(turn_max).count());
  timer_ = executor_->after(base::Duration(static_cast<std::int64_t>(random.below(most))),
                            [this] { turn(); });
}

bool Crowd::concluded() const {
  return std::all_of(users_.begin(), users_.end(), [](const auto& user) { return user->done(); });
}

std::string Crowd::who_is_left() const {
  std::string names;
  for (const auto& user : users_) {
    if (!user->done()) names += std::string(names.empty() ? "" : ", ") + user->name();
  }
  return names;
}

Complaint Crowd::complaint() const {
  for (const auto& user : users_) {
    if (user->complaint()) return std::string(user->name()) + ": " + *user->complaint();
  }
  return std::nullopt;
}

}  // namespace keelway::sim
