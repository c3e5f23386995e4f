// One simulated process: its runtime, network and files.
#pragma once

#include <map>
#include <set>

#include "runtime/virtual/connection.h"
#include "runtime/virtual/disk.h"

namespace keelway::runtime {

class VirtualHost;

// A bound port. Gone with the listener's handle or the host's life.
struct PortBinding {
  std::shared_ptr<VirtualExecutorCore> executor;
  ListenOptions options;
  AcceptCallback on_accept;
  int open = 0;
  bool closed = false;
};

// What the hosts of one world share.
struct Town {
  EventQueue queue;
  const WorldOptions options;
  Wire wire;
  std::map<std::string, VirtualHost*> hosts;  // by name and by address
  int last_address = 0;

  Town(std::uint64_t seed, const WorldOptions& o);
  ~Town() { queue.clear(); }  // events hold connection ends, which sign off at the wire
};

class VirtualNetwork : public Network {
 public:
  VirtualNetwork(Town& town, VirtualHost& host) : town_(town), host_(host) {}
  base::Result<std::unique_ptr<Listener>> listen(Executor& executor, ListenOptions options,
                                                 AcceptCallback on_accept) override;
  void connect(Executor& executor, Address address, std::optional<TlsClient> tls,
               base::Duration timeout, ConnectCallback done) override;

 private:
  struct Request;
  void knock(const std::shared_ptr<Request>& request);

  Town& town_;
  VirtualHost& host_;
};

class VirtualHost : public Host, public Runtime {
 public:
  VirtualHost(Town& town, std::string name);
  ~VirtualHost() override;
  VirtualHost(const VirtualHost&) = delete;

  const std::string& name() const override { return name_; }
  Runtime& runtime() override { return *this; }
  bool alive() const override { return life_->alive; }
  void kill() override { end_life(true); }
  void lose_power() override;
  void pause(base::Duration duration) override;
  void restart() override;
  VirtualDisk& disk() override { return disk_; }
  void set_wall_skew(base::Duration skew) override { clock_.skew = skew; }

  std::unique_ptr<Executor> make_executor(std::string name, Lane lane) override;
  Workers& workers() override { return workers_; }
  Network& network() override { return network_; }
  Files& files() override { return *files_.back(); }
  std::string random_bytes(std::size_t count) override;

  const std::string& address() const { return address_; }
  const LifePtr& life() const { return life_; }
  base::WallTime wall_now() const {
    return clock_.epoch + base::Duration(town_.queue.now().nanoseconds) + clock_.skew;
  }
  std::map<std::uint16_t, std::shared_ptr<PortBinding>>& ports() { return ports_; }
  std::uint16_t draw_port();

 private:
  void end_life(bool heard);

  Town& town_;
  const std::string name_;
  const std::string address_;
  LifePtr life_ = std::make_shared<Life>();
  WallClock clock_;
  base::Random random_;
  std::map<std::uint16_t, std::shared_ptr<PortBinding>> ports_;
  std::uint16_t last_port_ = 20000;
  VirtualDisk disk_;
  VirtualWorkers workers_;
  VirtualNetwork network_;
  std::vector<std::unique_ptr<Files>> files_;  // of each life; objects of earlier ones may be left
};

}  // namespace keelway::runtime
