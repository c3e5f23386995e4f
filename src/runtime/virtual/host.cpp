#include "runtime/virtual/host.h"

namespace keelway::runtime {

namespace {

constexpr std::uint16_t kFirstPort = 20000;

std::string draw_address(int& last) {
  ++last;
  return "10.77." + std::to_string(last / 250) + "." + std::to_string(1 + last % 250);
}

}  // namespace

VirtualHost::VirtualHost(Town& town, std::string name)
    : town_(town),
      name_(std::move(name)),
      address_(draw_address(town.last_address)),
      clock_{town.options.epoch},
      random_(town.queue.random().fork()),
      workers_(town.queue, town.options),
      network_(town, *this),
      files_(*this) {
  const bool added = town_.hosts.emplace(name_, this).second;
  KEELWAY_INVARIANT(added, "two hosts named " + name_);
  town_.hosts.emplace(address_, this);
}

VirtualHost::~VirtualHost() {
  kill();
  town_.hosts.erase(name_);
  town_.hosts.erase(address_);
}

void VirtualHost::kill() {
  if (!life_->alive) return;
  for (const auto& [port, binding] : std::exchange(ports_, {})) binding->closed = true;
  // Ends may go while others are told: walk over a copy that holds them.
  std::vector<std::shared_ptr<ConnectionEnd>> mine;
  for (const auto& [id, end] : town_.wire.ends) {
    if (end->life() == life_) mine.push_back(end->shared_from_this());
  }
  for (const auto& end : mine) end->die();
  life_->alive = false;
  town_.queue.drop_life(*life_);
  files_.forget_locks();
}

void VirtualHost::restart() {
  kill();
  life_ = std::make_shared<Life>();
}

std::unique_ptr<Executor> VirtualHost::make_executor(std::string) {
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

base::Result<std::string> VirtualFiles::read(const std::string& path) {
  const auto found = files_.find(path);
  if (found != files_.end()) return found->second;
  return base::fail(base::ErrorCode::not_found,
                    "cannot open " + path + " on " + host_.name() + ": no such file");
}

base::Result<void> VirtualFiles::write_private(const std::string& path, std::string bytes) {
  files_.insert_or_assign(path, std::move(bytes));
  return {};
}

base::Result<void> VirtualFiles::remove(const std::string& path) {
  if (files_.erase(path) > 0) return {};
  return base::fail(base::ErrorCode::not_found, "cannot remove " + path + ": no such file");
}

base::Result<std::unique_ptr<FolderLock>> VirtualFiles::lock_folder(const std::string& path) {
  class Lock : public FolderLock {
   public:
    Lock(std::shared_ptr<std::set<std::string>> locks, std::string path)
        : locks_(std::move(locks)), path_(std::move(path)) {}
    ~Lock() override { locks_->erase(path_); }

   private:
    const std::shared_ptr<std::set<std::string>> locks_;
    const std::string path_;
  };
  if (!locks_->insert(path).second) {
    return base::fail(base::ErrorCode::conflict,
                      "folder " + path + " is in use by another process of " + host_.name());
  }
  return std::make_unique<Lock>(locks_, path);
}

}  // namespace keelway::runtime
