#include "sim/lossy_client.h"

#include "client/resources.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

bool strikes(base::Random& random, std::int64_t of_a_thousand) {
  return of_a_thousand > 0 && random.below(1000) < static_cast<std::uint64_t>(of_a_thousand);
}

base::Duration draw(base::Random& random, base::Duration most) {
  if (most.count() == 0) return most;
  return base::Duration(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()))));
}

// What a caller hears when nothing came back: it cannot know whether the call took effect.
schema::Answer<client::Reply> silence() {
  return std::unexpected(schema::timeout("no answer came back", 1));
}

// Feeds keep their order, however late they are.
class LateFeed final : public client::Subscription {
 public:
  using Sink = std::move_only_function<void(const client::ChangeBatch&)>;
  LateFeed(runtime::Executor& executor, const Weather& weather, Sink sink)
      : executor_(executor), weather_(weather), sink_(std::make_shared<Sink>(std::move(sink))) {}
  ~LateFeed() override {
    inner.reset();
    if (timer_ != 0) executor_.cancel(timer_);
    *alive_ = false;
  }

  void take(const client::ChangeBatch& batch) {
    const auto sink = sink_;  // may end this feed
    if (waiting_.empty() && weather_.watch_late_max.count() == 0) return (*sink)(batch);
    waiting_.push_back(batch);
    if (waiting_.size() == 1) arm();
  }
  std::unique_ptr<client::Subscription> inner;

 private:
  void arm() {
    timer_ = executor_.after(draw(executor_.random(), weather_.watch_late_max), [this] {
      timer_ = 0;
      // A part of them: who hears it acts while more is under way.
      const bool in_part = weather_.watch_late_max.count() > 0;
      const std::size_t told =
          in_part ? 1 + executor_.random().below(waiting_.size()) : waiting_.size();
      const auto rest = waiting_.begin() + static_cast<std::ptrdiff_t>(told);
      const std::vector<client::ChangeBatch> batches(waiting_.begin(), rest);
      waiting_.erase(waiting_.begin(), rest);
      const auto alive = alive_;
      const auto sink = sink_;
      for (const client::ChangeBatch& batch : batches) {
        if (*alive) (*sink)(batch);
      }
      if (*alive && !waiting_.empty() && timer_ == 0) arm();
    });
  }

  runtime::Executor& executor_;
  const Weather& weather_;
  std::shared_ptr<Sink> sink_;
  std::vector<client::ChangeBatch> waiting_;
  runtime::TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Tells the oracle what a loop or node of one of several servers has written.
struct FencedWriter {
  FenceOracle* fences = nullptr;
  std::string server;
  FenceOracle::Where where = FenceOracle::Where::cluster;
  std::uint64_t client = 0;
};
using FencedWriterPtr = std::shared_ptr<const FencedWriter>;

FencedWriterPtr fenced_writer(const std::string& user, std::string server, FenceOracle* fences) {
  const bool of_cluster = user == "system:keelway:controller-manager" ||
                          user == "system:keelway:node-host" || user.starts_with("system:node:");
  const bool of_hub = user == "system:keelway:fleet" || user == "system:keelway:provisioner";
  if (fences == nullptr || (!of_cluster && !of_hub)) return nullptr;
  return std::make_shared<const FencedWriter>(FencedWriter{
      fences, std::move(server), of_hub ? FenceOracle::Where::hub : FenceOracle::Where::cluster,
      fences->new_client()});
}

class LossyClient final : public client::Client {
 public:
  LossyClient(std::unique_ptr<client::Client> inner, runtime::Executor& executor,
              const Weather& weather, std::string user, FencedWriterPtr writer)
      : inner_(std::move(inner)),
        executor_(executor),
        weather_(weather),
        user_(std::move(user)),
        writer_(std::move(writer)) {}
  ~LossyClient() override { *alive_ = false; }

  void call(client::Call call, client::ReplyCallback done) override {
    auto& random = executor_.random();
    const bool is_write = call.verb != client::Verb::get && call.verb != client::Verb::list;
    if (const auto trouble = weather_.nodes.find(user_); trouble != weather_.nodes.end()) {
      if (trouble->second.hangs > 0) {
        executor_.reached("sim.node_hangs");
        return later(std::move(done), silence());
      }
      lie(call, trouble->second.lie);
    }
    if (is_write && strikes(random, weather_.calls_doubled)) {
      inner_->call(call, [](schema::Answer<client::Reply>) {});
    }
    if (strikes(random, weather_.calls_lost)) return later(std::move(done), silence());
    const bool lost = strikes(random, weather_.answers_lost);
    auto answered = [this, lost, done = std::move(done),
                     alive = alive_](schema::Answer<client::Reply> answer) mutable {
      if (!*alive) return;
      later(std::move(done), lost ? silence() : std::move(answer));
    };
    // What a server's place is judged by has no fence.
    const bool fenced = writer_ != nullptr && is_write && call.resource.resource != "servers";
    if (!fenced) return inner_->call(std::move(call), std::move(answered));
    const base::Duration late = draw(random, weather_.call_late_max);
    if (late.count() == 0) return send(inner_, writer_, std::move(call), std::move(answered));
    // On its way, and arrives although the loop may have ended meanwhile.
    executor_.after(late, [inner = inner_, writer = writer_, call = std::move(call),
                           answered = std::move(answered)]() mutable {
      send(inner, writer, std::move(call), std::move(answered));
    });
  }

  std::unique_ptr<client::Subscription> subscribe(std::vector<client::Resource> resources,
                                                  LateFeed::Sink sink) override {
    // What an oracle looks through is not late.
    if (user_ == observer) return inner_->subscribe(std::move(resources), std::move(sink));
    auto feed = std::make_unique<LateFeed>(executor_, weather_, std::move(sink));
    feed->inner = inner_->subscribe(
        std::move(resources),
        [feed = feed.get()](const client::ChangeBatch& batch) { feed->take(batch); });
    return feed;
  }

 private:
  static void send(const std::shared_ptr<client::Client>& inner, const FencedWriterPtr& writer,
                   client::Call call, client::ReplyCallback answered) {
    const client::Revision before = writer->fences->head(writer->where);
    // Its client lives until the answer has come.
    inner->call(std::move(call), [inner, writer, before, answered = std::move(answered)](
                                     schema::Answer<client::Reply> answer) mutable {
      if (answer) {
        writer->fences->told(writer->where, writer->server, writer->client, before,
                             answer->revision);
      }
      answered(std::move(answer));
    });
  }
  static void lie(client::Call& call, base::Duration by) {
    if (by.count() == 0 || call.resource != resources::leases) return;
    const auto at = base::parse_rfc3339(call.body.at("spec", "renewTime").as_string());
    if (!at) return;
    call.body.mutate("spec").set("renewTime", base::format_rfc3339_micro(*at + by));
  }

  void later(client::ReplyCallback done, schema::Answer<client::Reply> answer) {
    executor_.after(draw(executor_.random(), weather_.answer_late_max),
                    [done = std::move(done), answer = std::move(answer), alive = alive_]() mutable {
                      if (*alive) done(std::move(answer));
                    });
  }

  const std::shared_ptr<client::Client> inner_;
  runtime::Executor& executor_;
  const Weather& weather_;
  const std::string user_;
  const FencedWriterPtr writer_;  // null: nobody else's
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<client::Client> make_lossy(std::unique_ptr<client::Client> inner,
                                           runtime::Executor& executor, const Weather& weather,
                                           std::string user, std::string server,
                                           FenceOracle* fences) {
  FencedWriterPtr writer = fenced_writer(user, std::move(server), fences);
  return std::make_unique<LossyClient>(std::move(inner), executor, weather, std::move(user),
                                       std::move(writer));
}

}  // namespace keelway::sim
