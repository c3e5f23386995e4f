// Everything that is not deterministic, as app::House takes it: production passes Linux, the
// simulator a seeded world.
#pragma once

#include <functional>
#include <memory>

#include "access/identity.h"
#include "client/client.h"
#include "cloud/cloud.h"
#include "runtime/runtime.h"
#include "store/store.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace keelway::app {

struct Seams {
  runtime::Runtime& runtime;
  store::Engine& engine;
  telemetry::Log log;
  telemetry::Log audit = {};  // one line for each mutating call of every cluster and the hub
  // Where `audit` keeps lines back: makes them leave. Any thread.
  std::function<void()> flush_audit = {};
  // Wraps each in-process client of a loop or node; the simulator loses and doubles answers here.
  std::function<std::unique_ptr<client::Client>(std::unique_ptr<client::Client>, runtime::Executor&,
                                                const access::Identity& who)>
      decorate = {};
  // Wraps each cluster's cloud; the simulator runs out of capacity here.
  std::function<std::unique_ptr<cloud::Cloud>(std::unique_ptr<cloud::Cloud>, runtime::Executor&)>
      decorate_cloud = {};
  // False shows what the fences of several servers prevent.
  bool fenced = true;

  // Called before a cluster's metrics are told: what all of them share goes in. Any thread.
  std::function<void(telemetry::Metrics&)> show_process = {};

  std::unique_ptr<client::Client> decorated(std::unique_ptr<client::Client> client,
                                            runtime::Executor& executor,
                                            const access::Identity& who) const {
    return decorate ? decorate(std::move(client), executor, who) : std::move(client);
  }
};

}  // namespace keelway::app
