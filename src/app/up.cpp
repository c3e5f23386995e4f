#include "app/up.h"

#include <fmt/core.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "app/house.h"
#include "app/seal_key.h"
#include "base/host.h"
#include "cli/context.h"
#include "runtime/linux/linux_runtime.h"
#include "store/sealed/sealed.h"
#include "telemetry/sinks.h"

namespace keelway::app {
namespace {

base::Result<void> check(const UpOptions& options) {
  if (const auto checked = check_choice(options.store); !checked) return checked;
  const Config& config = options.config;
  if (config.on_loopback()) return {};
  if (config.test_credentials) {
    return base::fail(
        base::ErrorCode::invalid,
        "--test-credentials is for loopback only; --listen names " + config.listen_host);
  }
  return {};
}

void stop_and_wait(House& house) {
  std::promise<void> stopped;
  house.stop([&] { stopped.set_value(); });
  stopped.get_future().wait();
}

// Drains; whoever signals again does not want to wait. What was acknowledged is on disk already.
void stop_or_leave(runtime::LinuxRuntime& runtime, House& house) {
  std::atomic<bool> stopped = false;
  house.stop([&] {
    stopped = true;
    runtime.request_stop();
  });
  // The end of a start that was given up wakes it, too.
  while (runtime.wait_for_signal() == 0) {
    if (stopped) return;
  }
  fmt::print(stderr, "keelway: stopping at once\n");
  std::_Exit(1);
}

base::Result<void> leave_credentials(runtime::Files& files, const UpOptions& options,
                                     const HouseFacts& facts) {
  cli::Context context;
  context.host = options.config.advertised_host;
  context.port = facts.port;
  context.access_key = facts.root.access_key_id;
  context.secret_key = facts.root.secret_access_key;
  context.region = options.config.default_region;
  // Readers elsewhere need not know where the server was started.
  const std::string ca_file = std::filesystem::absolute(options.data_folder) / "ca.pem";
  if (!options.config.on_loopback()) context.ca_file = ca_file;
  if (const auto written = cli::write_credentials(files, options.data_folder, context); !written) {
    return written;
  }
  return files.write_private(ca_file, facts.authority_pem);
}

void greet(const UpOptions& options, const HouseFacts& facts) {
  if (options.config.test_credentials) {
    fmt::print("WARNING: anyone on this machine may use the test key (test / test)\n");
  }
  const bool loopback = options.config.on_loopback();
  fmt::print("Keelway is ready on {}://{}{}, data in {}\n", loopback ? "http" : "https",
             base::host_and_port(options.config.listen_host, facts.port),
             loopback ? " (and https)" : "", options.data_folder);
  if (options.store.shared()) fmt::print("  state in {}\n", options.store.url);
  fmt::print("  eval \"$(keelway env --data {})\"   points AWS tools here\n", options.data_folder);
  std::fflush(stdout);
}

}  // namespace

base::Result<void> up(UpOptions options) {
  if (const auto checked = check(options); !checked) return checked;
  auto runtime =
      runtime::make_linux_runtime({.core_threads = options.core_threads, .take_signals = true});
  runtime::Files& files = runtime->files();
  if (const auto made = files.make_folders(options.data_folder); !made) return made;
  auto lock = files.lock_folder(options.data_folder);
  if (!lock) return std::unexpected(lock.error());
  auto ring = read_or_make_seal_key(*runtime, options.data_folder);
  if (!ring) return std::unexpected(ring.error());
  const auto load = std::make_shared<store::EtcdLoad>();
  auto database = open_unsealed(*runtime, options.data_folder, options.store, load);
  if (!database) return std::unexpected(database.error());
  if (options.store.shared()) {
    const auto same = check_shared_key(*runtime, **database, *ring, options.data_folder);
    if (!same) return same;
  }
  const auto level = options.verbose ? telemetry::Level::info : telemetry::Level::warning;
  const telemetry::Log log("keelway", telemetry::make_stderr_sink(level));
  auto engine = store::make_sealed(
      std::move(*database), *runtime, std::move(*ring),
      [log = log.with("store")](const auto&, const std::string&, const base::Error& error) {
        log.error("a stored value does not open", {{"error", error.message}});
      });
  if (!engine) return std::unexpected(engine.error());

  auto audit =
      telemetry::make_file_sink(options.data_folder + "/audit.log", telemetry::Level::info);
  if (!audit) return std::unexpected(audit.error());
  Seams seams{.runtime = *runtime,
              .engine = **engine,
              .log = log,
              .audit = telemetry::Log("audit", std::move(audit->sink)),
              .flush_audit = std::move(audit->flush)};
  if (options.store.shared()) {
    seams.show_process = [load](telemetry::Metrics& metrics) { show_load(*load, metrics); };
  }
  std::promise<base::Result<HouseFacts>> started;
  auto house = assemble(seams, options.config);
  house->start([&](base::Result<HouseFacts> told) {
    started.set_value(std::move(told));
    runtime->request_stop();
  });
  if (runtime->wait_for_signal() != 0) {
    stop_or_leave(*runtime, *house);
    return {};
  }
  const auto facts = started.get_future().get();
  if (!facts) {
    stop_and_wait(*house);
    return std::unexpected(facts.error());
  }
  if (const auto left = leave_credentials(files, options, *facts); !left) {
    stop_and_wait(*house);
    return left;
  }
  greet(options, *facts);
  runtime->wait_for_signal();
  stop_or_leave(*runtime, *house);
  return {};
}

}  // namespace keelway::app
