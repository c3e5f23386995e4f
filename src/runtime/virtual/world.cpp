#include "runtime/virtual/world.h"

#include "runtime/virtual/host.h"

namespace keelway::runtime {
namespace {

class SeededWorld : public World {
 public:
  SeededWorld(std::uint64_t seed, const WorldOptions& options)
      : town_(seed, options), random_(town_.queue.random().fork()) {}

  std::unique_ptr<Host> make_host(std::string name) override {
    return std::make_unique<VirtualHost>(town_, std::move(name));
  }
  bool step(base::Instant limit) override { return town_.queue.step(limit); }
  void run_until(base::Instant at) override {
    while (town_.queue.step(at)) {
    }
    town_.queue.stand_at(at);
  }
  base::Instant now() const override { return town_.queue.now(); }
  std::uint64_t trace_hash() const override { return town_.queue.trace_hash(); }
  std::size_t pending() const override { return town_.queue.size(); }
  base::Random& random() override { return random_; }

  void partition(const Host& a, const Host& b) override {
    silence(a, b);
    silence(b, a);
  }
  void silence(const Host& from, const Host& to) override {
    town_.wire.silences.emplace(from.name(), to.name());
  }
  void heal(const Host& a, const Host& b) override {
    town_.wire.silences.erase({a.name(), b.name()});
    town_.wire.silences.erase({b.name(), a.name()});
    for (const auto& end : ends_between(a, b)) end->release_stalled();
  }
  void cut_connections(const Host& a, const Host& b) override {
    for (const auto& end : ends_between(a, b)) end->break_now("cut");
  }
  void slow(const Host& a, const Host& b, base::Duration extra_max) override {
    const Wire::Pair names = std::minmax(a.name(), b.name());
    town_.wire.slowed.erase(names);
    if (extra_max.count() > 0) town_.wire.slowed.emplace(names, extra_max);
  }
  void set_marks(Marks* marks) override { town_.queue.marks = marks; }

 private:
  std::vector<std::shared_ptr<ConnectionEnd>> ends_between(const Host& a, const Host& b) {
    std::vector<std::shared_ptr<ConnectionEnd>> found;
    for (const auto& [id, end] : town_.wire.ends) {
      if ((end->host() == a.name() && end->peer_host() == b.name()) ||
          (end->host() == b.name() && end->peer_host() == a.name())) {
        found.push_back(end->shared_from_this());
      }
    }
    return found;
  }

  Town town_;
  base::Random random_;
};

}  // namespace

bool World::run_while_waiting(const std::function<bool()>& done, base::Duration within) {
  const base::Instant limit = now() + within;
  while (!done()) {
    if (!step(limit)) return false;
  }
  return true;
}

std::unique_ptr<World> make_world(std::uint64_t seed, WorldOptions options) {
  return std::make_unique<SeededWorld>(seed, options);
}

}  // namespace keelway::runtime
