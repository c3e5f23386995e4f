#include "store/etcd/etcd.h"

#include <charconv>

#include "store/etcd/core.h"

namespace keelway::store {
namespace {

using etcd::Core;
using etcd::WatchPtr;
using etcd::WatchState;

class EtcdWatch final : public Watch {
 public:
  EtcdWatch(runtime::Executor& engine, std::shared_ptr<Core> core, WatchPtr state)
      : engine_(engine), core_(std::move(core)), state_(std::move(state)) {}
  ~EtcdWatch() override {
    state_->ended = true;
    engine_.post([core = std::move(core_), state = std::move(state_)] { core->unwatch(state); });
  }

 private:
  runtime::Executor& engine_;
  std::shared_ptr<Core> core_;
  WatchPtr state_;
};

class EtcdKeyspace final : public Keyspace {
 public:
  EtcdKeyspace(runtime::Executor& engine, std::shared_ptr<Core> core, const std::string& name,
               runtime::Executor& executor)
      : engine_(engine),
        core_(std::move(core)),
        mailbox_(std::make_shared<Mailbox>(executor)),
        space_(std::make_shared<etcd::SpacePtr>()) {
    engine_.post([core = core_, space = space_, name] { *space = core->space(name); });
  }
  ~EtcdKeyspace() override { mailbox_->close(); }

  void transact(Transaction transaction, Committed done) override {
    if (auto checked = check_transaction(transaction); !checked) {
      mailbox_->post([error = checked.error(), done = std::move(done)]() mutable {
        done(std::unexpected(std::move(error)));
      });
      return;
    }
    engine_.post([core = core_, space = space_, mailbox = mailbox_,
                  transaction = std::move(transaction), done = std::move(done)]() mutable {
      core->transact(*space, std::move(transaction), std::move(mailbox), std::move(done));
    });
  }
  void range(RangeRequest request, Ranged done) override {
    engine_.post([core = core_, space = space_, mailbox = mailbox_, request = std::move(request),
                  done = std::move(done)]() mutable {
      core->range(*space, std::move(request), std::move(mailbox), std::move(done));
    });
  }
  std::unique_ptr<Watch> watch(WatchRequest request) override {
    auto state = std::make_shared<WatchState>();
    state->request = std::move(request);
    state->mailbox = mailbox_;
    engine_.post([core = core_, space = space_, state] {
      state->space = *space;
      core->watch(state);
    });
    return std::make_unique<EtcdWatch>(engine_, core_, std::move(state));
  }
  void head(std::move_only_function<void(base::Result<Revision>)> done) override {
    engine_.post(
        [core = core_, space = space_, mailbox = mailbox_, done = std::move(done)]() mutable {
          core->head(*space, std::move(mailbox), std::move(done));
        });
  }
  void compact(Revision revision, std::move_only_function<void(base::Result<void>)> done) override {
    engine_.post([core = core_, space = space_, mailbox = mailbox_, revision,
                  done = std::move(done)]() mutable {
      core->compact(*space, revision, std::move(mailbox), std::move(done));
    });
  }

 private:
  runtime::Executor& engine_;
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<etcd::SpacePtr> space_;  // filled in and read on the engine's executor
};

class EtcdEngine final : public Engine {
 public:
  EtcdEngine(runtime::Runtime& runtime, runtime::Executor& executor, EtcdOptions options)
      : executor_(executor), core_(std::make_shared<Core>(runtime, executor, std::move(options))) {
    core_->start();
  }
  ~EtcdEngine() override { core_->stop(); }

  std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                 runtime::Executor& executor) override {
    return std::make_unique<EtcdKeyspace>(executor_, core_, keyspace, executor);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    executor_.post([core = core_, keyspace, mailbox = std::make_shared<Mailbox>(executor),
                    done = std::move(done)]() mutable {
      core->drop(keyspace, std::move(mailbox), std::move(done));
    });
  }

 private:
  runtime::Executor& executor_;
  const std::shared_ptr<Core> core_;
};

base::Result<runtime::Address> parse_member(std::string_view text) {
  const auto colon = text.rfind(':');
  runtime::Address address;
  if (colon != std::string_view::npos) {
    address.host = text.substr(0, colon);
    if (address.host.starts_with('[') && address.host.ends_with(']')) {
      address.host = address.host.substr(1, address.host.size() - 2);
    }
    const auto port = text.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (parsed.ptr != port.data() + port.size()) address.port = 0;
  }
  if (address.host.empty() || address.port == 0) {
    return base::fail(base::ErrorCode::invalid,
                      "\"" + std::string(text) + "\" is not HOST:PORT of an etcd member");
  }
  return address;
}

}  // namespace

base::Result<EtcdOptions> parse_etcd_url(const std::string& url) {
  constexpr std::string_view scheme = "etcd://";
  EtcdOptions options;
  if (!url.starts_with(scheme)) {
    return base::fail(base::ErrorCode::invalid,
                      "\"" + url + "\" is not etcd://HOST:PORT[,HOST:PORT...][/PREFIX]");
  }
  std::string_view rest = std::string_view(url).substr(scheme.size());
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    if (slash + 1 < rest.size()) options.prefix = rest.substr(slash);
    if (!options.prefix.ends_with('/')) options.prefix += '/';
    rest = rest.substr(0, slash);
  }
  while (true) {
    const auto comma = rest.find(',');
    auto member = parse_member(rest.substr(0, comma));
    if (!member) return std::unexpected(member.error());
    options.members.push_back(std::move(*member));
    if (comma == std::string_view::npos) return options;
    rest = rest.substr(comma + 1);
  }
}

std::unique_ptr<Engine> make_etcd(runtime::Runtime& runtime, runtime::Executor& executor,
                                  EtcdOptions options) {
  KEELWAY_INVARIANT(!options.members.empty(), "an etcd cluster has members");
  return std::make_unique<EtcdEngine>(runtime, executor, std::move(options));
}

}  // namespace keelway::store
