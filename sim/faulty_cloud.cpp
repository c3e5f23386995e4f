#include "sim/faulty_cloud.h"

#include "base/encoding.h"

namespace keelway::sim {
namespace {

class FaultyCloud final : public cloud::Cloud {
 public:
  FaultyCloud(std::unique_ptr<cloud::Cloud> inner, runtime::Executor& executor,
              const Weather& weather)
      : inner_(std::move(inner)), executor_(executor), weather_(weather) {}
  ~FaultyCloud() override { *alive_ = false; }

  void launch(cloud::LaunchRequest request,
              std::move_only_function<void(base::Result<cloud::Machine>)> done) override {
    if (strikes(weather_.throttled)) {
      executor_.reached("sim.cloud_throttled");
      return refuse(std::move(done), base::ErrorCode::unavailable, "request limit exceeded");
    }
    const std::string offering =
        request.instance_type + "/" + request.zone + "/" + request.capacity_type;
    const auto draw = (base::hash64(offering) ^ weather_.sold_out_salt) % 1000;
    if (draw < static_cast<std::uint64_t>(weather_.sold_out)) {
      executor_.reached("sim.cloud_sold_out");
      return refuse(std::move(done), base::ErrorCode::exhausted, offering + " is sold out");
    }
    const bool lost = strikes(weather_.launches_lost);
    inner_->launch(std::move(request), [this, lost, done = std::move(done), alive = alive_](
                                           base::Result<cloud::Machine> machine) mutable {
      if (!*alive) return;
      if (!lost) return done(std::move(machine));
      executor_.reached("sim.cloud_launch_lost");
      done(base::fail(base::ErrorCode::unavailable, "no answer came back"));
    });
  }

  void terminate(std::string token,
                 std::move_only_function<void(base::Result<void>)> done) override {
    if (strikes(weather_.throttled)) {
      return refuse(std::move(done), base::ErrorCode::unavailable, "request limit exceeded");
    }
    inner_->terminate(std::move(token), std::move(done));
  }

  void inspect(std::string token, std::move_only_function<void(base::Result<bool>)> done) override {
    if (strikes(weather_.throttled)) {
      return refuse(std::move(done), base::ErrorCode::unavailable, "request limit exceeded");
    }
    inner_->inspect(std::move(token), std::move(done));
  }

  void list(std::move_only_function<void(base::Result<std::vector<std::string>>)> done) override {
    if (strikes(weather_.throttled)) {
      return refuse(std::move(done), base::ErrorCode::unavailable, "request limit exceeded");
    }
    inner_->list(std::move(done));
  }

 private:
  bool strikes(std::int64_t of_a_thousand) {
    return of_a_thousand > 0 &&
           executor_.random().below(1000) < static_cast<std::uint64_t>(of_a_thousand);
  }

  template <class Done>
  void refuse(Done done, base::ErrorCode code, std::string why) {
    executor_.post([done = std::move(done), code, why = std::move(why), alive = alive_]() mutable {
      if (*alive) done(base::fail(code, std::move(why)));
    });
  }

  std::unique_ptr<cloud::Cloud> inner_;
  runtime::Executor& executor_;
  const Weather& weather_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<cloud::Cloud> make_faulty_cloud(std::unique_ptr<cloud::Cloud> inner,
                                                runtime::Executor& executor,
                                                const Weather& weather) {
  return std::make_unique<FaultyCloud>(std::move(inner), executor, weather);
}

}  // namespace keelway::sim
