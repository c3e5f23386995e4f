// What a start asks of the hub: an answer that may become another one is waited for, and the
// operator hears once that it is; every other refusal is final.
#pragma once

#include <memory>
#include <string>

#include "runtime/runtime.h"
#include "schema/status.h"
#include "telemetry/log.h"

namespace keelway::app {

class Patience {
 public:
  Patience(runtime::Executor& executor, telemetry::Log log)
      : executor_(executor), log_(std::move(log)) {}

  // Too busy, not ready, too slow. A fault of what is stored (500) stays one.
  static bool passes(const schema::Status& refusal) {
    return refusal.code == 429 || refusal.code > 500;
  }
  // Runs `task` a little later. `subject`: what cannot be had yet.
  void again(std::string_view subject, const schema::Status& refusal, runtime::Task task) {
    if (!std::exchange(told_, true)) {
      log_.warning("the start waits for the hub and tries again every second",
                   {{"for", std::string(subject)}, {"why", refusal.message}});
    }
    executor_.after(std::chrono::seconds(1), std::move(task));
  }

 private:
  runtime::Executor& executor_;
  const telemetry::Log log_;
  bool told_ = false;
};

}  // namespace keelway::app
