#include "runtime/virtual/host.h"

namespace keelway::runtime {

namespace {

constexpr std::uint16_t kFirstPort = 20000;

std::string draw_address(int& last) {
  ++last;
  return "10.77." + std::to_string(last / 250) + "." + std::to_string(1 + last % 250);
}

}  // namespace

Town::Town(std::uint64_t seed, const WorldOptions& o)
    : queue(seed), options(o), wire(queue, options) {
  wire.is_up = [this](const std::string& host) {
    const auto found = hosts.find(host);
    return found != hosts.end() && found->second->alive();
  };
}

VirtualHost::VirtualHost(Town& town, std::string name)
    : town_(town),
      name_(std::move(name)),
      address_(draw_address(town.last_address)),
      clock_{town.options.epoch},
      random_(town.queue.random().fork()),
      disk_(random_.fork()),
      workers_(town.queue, town.options, disk_),
      network_(town, *this) {
  files_.push_back(disk_.files(life_, name_));
  const bool added = town_.hosts.emplace(name_, this).second;
  KEELWAY_INVARIANT(added, "two hosts named " + name_);
  town_.hosts.emplace(address_, this);
}

VirtualHost::~VirtualHost() {
  kill();
  town_.hosts.erase(name_);
  town_.hosts.erase(address_);
}

void VirtualHost::pause(base::Duration duration) {
  life_->paused_until = std::max(life_->paused_until, town_.queue.now() + duration);
}

void VirtualHost::end_life(bool heard) {
  if (!life_->alive) return;
  for (const auto& [port, binding] : std::exchange(ports_, {})) binding->closed = true;
  // Ends may go while others are told: walk over a copy that holds them.
  std::vector<std::shared_ptr<ConnectionEnd>> mine;
  for (const auto& [id, end] : town_.wire.ends) {
    if (end->life() == life_) mine.push_back(end->shared_from_this());
  }
  for (const auto& end : mine) end->die(heard);
  life_->alive = false;
  town_.queue.drop_life(*life_);
}

void VirtualHost::lose_power() {
  end_life(false);
  disk_.lose_power();
}

void VirtualHost::restart() {
  kill();
  life_ = std::make_shared<Life>();
  files_.push_back(disk_.files(life_, name_));
}

std::unique_ptr<Executor> VirtualHost::make_executor(std::string, Lane) {
  return std::make_unique<VirtualExecutor>(
      std::make_shared<VirtualExecutorCore>(town_.queue, life_, clock_));
}

std::string VirtualHost::random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_.below(256));
  return bytes;
}

std::uint16_t VirtualHost::draw_port() {
  do {
    last_port_ = last_port_ < UINT16_MAX ? last_port_ + 1 : kFirstPort;
  } while (ports_.contains(last_port_));
  return last_port_;
}

}  // namespace keelway::runtime
