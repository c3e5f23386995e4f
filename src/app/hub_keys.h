// Makes sure that the hub has the access keys which a server needs to be used at all.
#pragma once

#include <functional>
#include <memory>

#include "app/config.h"
#include "app/key_directory.h"
#include "app/patience.h"
#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::app {

class HubKeys {
 public:
  HubKeys(runtime::Runtime& runtime, runtime::Executor& executor, client::Client& hub,
          const Config& config, telemetry::Log log)
      : runtime_(runtime), hub_(hub), config_(config), patience_(executor, std::move(log)) {}
  ~HubKeys() { *alive_ = false; }
  HubKeys(const HubKeys&) = delete;

  // A root key of the default account exists afterwards; the well-known test key does, too, or
  // no longer, as the configuration says. `known` shows the hub as it is.
  void ensure(const KeyDirectory& known,
              std::move_only_function<void(base::Result<aws::AccessKey>)> done);

 private:
  using Settled = std::move_only_function<void(base::Result<void>)>;
  using Done = std::move_only_function<void(base::Result<aws::AccessKey>)>;
  void settle_test_key(const KeyDirectory& known, Settled next);
  // Servers that came first together have each drawn one: the one that was stored first stays.
  void yield_to_first(aws::AccessKey own, Done done);
  // Until it is known to be so or refused for good: an answer may be lost, and a server may be
  // slow.
  void insist(client::Call call, std::string_view as_good, Settled done);

  runtime::Runtime& runtime_;
  client::Client& hub_;
  const Config& config_;
  Patience patience_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::app
