#include "sim/lossy_client.h"

namespace keelway::sim {
namespace {

// What a caller hears when nothing came back: it cannot know whether the call took effect.
schema::Answer<client::Reply> silence() {
  return std::unexpected(schema::timeout("no answer came back", 1));
}

class LossyClient final : public client::Client {
 public:
  LossyClient(std::unique_ptr<client::Client> inner, runtime::Executor& executor,
              const Losses& losses)
      : inner_(std::move(inner)), executor_(executor), losses_(losses) {}
  ~LossyClient() override { *alive_ = false; }

  void call(client::Call call, client::ReplyCallback done) override {
    auto& random = executor_.random();
    const bool is_write = call.verb != client::Verb::get && call.verb != client::Verb::list;
    if (is_write && random.chance(losses_.doubled)) {
      inner_->call(call, [](schema::Answer<client::Reply>) {});
    }
    if (random.chance(losses_.call_lost)) return later(std::move(done), silence());
    const bool lost = random.chance(losses_.answer_lost);
    inner_->call(std::move(call), [this, lost, done = std::move(done),
                                   alive = alive_](schema::Answer<client::Reply> answer) mutable {
      if (!*alive) return;
      later(std::move(done), lost ? silence() : std::move(answer));
    });
  }

  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const client::ChangeBatch&)> sink) override {
    return inner_->subscribe(std::move(resources), std::move(sink));
  }

 private:
  void later(client::ReplyCallback done, schema::Answer<client::Reply> answer) {
    const auto most = static_cast<std::uint64_t>(losses_.delay_max.count());
    const base::Duration delay(
        most == 0 ? 0 : static_cast<std::int64_t>(executor_.random().below(most)));
    executor_.after(delay,
                    [done = std::move(done), answer = std::move(answer), alive = alive_]() mutable {
                      if (*alive) done(std::move(answer));
                    });
  }

  std::unique_ptr<client::Client> inner_;
  runtime::Executor& executor_;
  const Losses& losses_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<client::Client> make_lossy(std::unique_ptr<client::Client> inner,
                                           runtime::Executor& executor, const Losses& losses) {
  return std::make_unique<LossyClient>(std::move(inner), executor, losses);
}

}  // namespace keelway::sim
