// Makes sure that the hub has the access keys which a server needs to be used at all.
#pragma once

#include <functional>
#include <memory>

#include "app/config.h"
#include "app/key_directory.h"
#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::app {

class HubKeys {
 public:
  HubKeys(runtime::Runtime& runtime, client::Client& hub, const Config& config)
      : runtime_(runtime), hub_(hub), config_(config) {}

  // A root key of the default account exists afterwards; the well-known test key does, too, or
  // no longer, as the configuration says. `known` shows the hub as it is.
  void ensure(const KeyDirectory& known,
              std::move_only_function<void(base::Result<aws::AccessKey>)> done);

 private:
  void settle_test_key(const KeyDirectory& known, runtime::Task next);
  runtime::Runtime& runtime_;
  client::Client& hub_;
  const Config& config_;
};

}  // namespace keelway::app
