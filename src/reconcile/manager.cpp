#include <algorithm>
#include <map>
#include <memory>

#include "reconcile/batch_runner.h"
#include "reconcile/feeds.h"
#include "reconcile/keyed_runner.h"
#include "reconcile/loop.h"

namespace keelway::reconcile {
namespace {

class LocalManager final : public Manager {
 public:
  LocalManager(runtime::Executor& executor, client::Client& client, telemetry::Log log)
      : alive_(std::make_shared<int>(0)),
        feeds_(client, [this](const client::ChangeBatch& batch) { take(batch); }),
        context_{executor,
                 client,
                 feeds_,
                 events_,
                 std::move(log),
                 alive_,
                 [this](Runner& runner, std::vector<client::Resource> more) {
                   watch_for(runner, std::move(more));
                 }} {}

  void add(std::unique_ptr<KeyedLoop> loop, EffectExecutor effects) override {
    hold(std::make_unique<KeyedRunner>(context_, std::move(loop), std::move(effects)));
  }

  void add(std::unique_ptr<BatchLoop> loop, EffectExecutor effects) override {
    hold(std::make_unique<BatchRunner>(context_, std::move(loop), std::move(effects)));
  }

  void start() override {
    std::vector<client::Resource> resources;
    for (const auto& [address, entry] : interests_) resources.push_back(entry.resource);
    started_ = true;
    feeds_.watch(std::move(resources));
    if (!extras_.empty()) watch_more({});
  }

  const client::View& view() const override { return feeds_.view(); }

  void watch_more(std::vector<client::Resource> resources) override {
    for (client::Resource& resource : resources) {
      if (feeds_.feed_of(resource) < 0) extras_.push_back(std::move(resource));
    }
    // Asked for from within a batch, often one CRD after the other: one feed takes them all.
    if (extras_.empty() || posted_ || !started_) return;
    posted_ = true;
    context_.executor.post([this, alive = std::weak_ptr<void>(alive_)] {
      if (alive.expired()) return;
      posted_ = false;
      feeds_.watch(std::exchange(extras_, {}));
    });
  }

 private:
  struct Interest {
    client::Resource resource;
    std::vector<Runner*> runners;
  };

  void watch_for(Runner& runner, std::vector<client::Resource> resources) {
    for (const client::Resource& resource : resources) {
      Interest& interest = interests_[{resource.group, resource.resource}];
      interest.resource = resource;
      std::vector<Runner*>& runners = interest.runners;
      if (std::find(runners.begin(), runners.end(), &runner) != runners.end()) continue;
      runners.push_back(&runner);
      // Somebody else may have watched it for long: what is there already is news to this one.
      if (feeds_.feed_of(resource) >= 0) replay(runner, resource);
    }
    watch_more(std::move(resources));
  }

  void replay(Runner& runner, const client::Resource& resource) {
    context_.executor.post([this, &runner, resource, alive = std::weak_ptr<void>(alive_)] {
      if (alive.expired()) return;
      for (const client::ObjectPtr& object : feeds_.view().list(resource)) {
        runner.observe({resource, object, nullptr});
      }
      runner.advance();
    });
  }

  void hold(std::unique_ptr<Runner> runner) {
    for (const client::Resource& resource : runner->watches()) {
      Interest& interest = interests_[{resource.group, resource.resource}];
      interest.resource = resource;
      interest.runners.push_back(runner.get());
    }
    runners_.push_back(std::move(runner));
  }

  void take(const client::ChangeBatch& batch) {
    for (const client::Change& change : batch.changes) {
      const auto found = interests_.find({change.resource.group, change.resource.resource});
      if (found != interests_.end()) {
        // By index: an observer may ask for more of the same resource.
        const std::vector<Runner*>& runners = found->second.runners;
        for (std::size_t i = 0; i < runners.size(); ++i) runners[i]->observe(change);
      } else {
        // Watched on request: whoever asked recognises it, the others do not mind.
        for (const auto& runner : runners_) runner->observe(change);
      }
    }
    for (const auto& runner : runners_) runner->advance();
  }

  std::shared_ptr<int> alive_;
  Feeds feeds_;
  EventCorrelator events_;
  Context context_;
  std::map<std::pair<std::string, std::string>, Interest> interests_;  // by (group, resource)
  std::vector<std::unique_ptr<Runner>> runners_;
  std::vector<client::Resource> extras_;
  bool started_ = false, posted_ = false;
};

}  // namespace

std::unique_ptr<Manager> make_manager(runtime::Executor& executor, client::Client& client,
                                      telemetry::Log log) {
  return std::make_unique<LocalManager>(executor, client, std::move(log));
}

}  // namespace keelway::reconcile
