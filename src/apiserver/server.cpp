#include "apiserver/server.h"

#include "apiserver/bootstrap.h"
#include "apiserver/core.h"
#include "apiserver/discovery/cache.h"
#include "apiserver/in_process.h"
#include "apiserver/metrics.h"
#include "apiserver/pipeline.h"
#include "apiserver/verbs/watch_stream.h"

namespace keelway::apiserver {
namespace {

class ServerImpl final : public Server {
 public:
  explicit ServerImpl(Config config)
      : core_(std::make_unique<Core>(std::move(config))),
        link_(std::make_shared<ServerLink>(core_->executor)) {
    link_->core = core_.get();
  }

  ~ServerImpl() override {
    link_->mailbox.close();
    link_->core = nullptr;
    link_->waiting.clear();
    link_->feeds.clear();
  }

  void start(std::move_only_function<void(base::Result<void>)> done) override {
    core_->cache.start([this, done = std::move(done)](base::Result<void> read) mutable {
      if (!read) return done(std::move(read));
      if (core_->config.founding == Founding::by_another && !is_founded(*core_)) {
        return done(base::fail(base::ErrorCode::unavailable,
                               "the keyspace of cluster " + core_->config.cluster_name +
                                   " is empty: the server that leads it has not written it yet, "
                                   "or has removed it; this one tries again"));
      }
      if (core_->config.founding != Founding::at_start) {
        become_ready();
        return done({});
      }
      found(std::move(core_->config.foundation), nullptr,
            [this, done = std::move(done)](base::Result<void> wrote) mutable {
              if (wrote) become_ready();
              done(std::move(wrote));
            });
    });
  }

  std::unique_ptr<client::Client> make_client(runtime::Executor& executor, access::Identity who,
                                              FencePtr fence) override {
    return make_in_process_client(link_, executor, std::move(who), std::move(fence));
  }

  void adopt(Version version, std::move_only_function<void(base::Result<void>)> done) override {
    core_->config.kinds = version.kinds;
    core_->config.git_version = std::move(version.git_version);
    core_->custom_kinds.replace_built_in(std::move(version.kinds));
    auto adopted = [this, done = std::move(done)](base::Result<void> wrote) mutable {
      end_watches();
      done(std::move(wrote));
    };
    if (core_->config.founding != Founding::at_start) return adopted({});
    found({std::move(version.bootstrap), {}}, nullptr, std::move(adopted));
  }

  void found(Foundation foundation, FencePtr fence,
             std::move_only_function<void(base::Result<void>)> done) override {
    write_bootstrap(*core_, std::move(foundation), std::move(fence), std::move(done));
  }

  void take_fence(FenceClaim claim, FenceTaken taken) override {
    take_loop_fence(*core_, std::move(claim), std::move(taken));
  }

  void begin_leaving() override { core_->leaving = true; }
  void end_watches() override { core_->bookmarks->end_all(); }
  const client::View& view() const override { return core_->view; }
  const access::Authorizer& authorizer() const override { return core_->authorizer; }
  bool ready() const override { return core_->ready; }

  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    handle_request(*core_, std::move(request), std::move(exchange));
  }

  http::Response refusal(const http::Request& request, int status, std::string_view why) override {
    return refusal_words(request, status, why);
  }
  void refused(std::string_view method, int status) override {
    if (is_refused_with_status(status)) core_->metrics->answered(method, "", "", "", status, 0);
  }

 private:
  void become_ready() {
    core_->ready = true;
    std::vector<runtime::Task> waiting = std::move(link_->waiting);
    link_->waiting.clear();
    for (runtime::Task& task : waiting) task();
  }

  std::unique_ptr<Core> core_;
  ServerLinkPtr link_;
};

}  // namespace

std::unique_ptr<Server> make_server(Config config) {
  KEELWAY_INVARIANT(config.executor != nullptr && config.keyspace && config.kinds,
                    "a server needs an executor, a keyspace and kinds");
  return std::make_unique<ServerImpl>(std::move(config));
}

}  // namespace keelway::apiserver
