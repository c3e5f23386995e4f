#include "app/server_store.h"

#include <future>

#include "base/encoding.h"
#include "runtime/files.h"
#include "runtime/linux/linux_runtime.h"
#include "store/etcd/etcd.h"
#include "store/sqlite/sqlite.h"

namespace keelway::app {
namespace {

// An engine of etcd lives on an executor; this one may be used and destroyed anywhere.
class HostedEtcd final : public store::Engine {
 public:
  HostedEtcd(runtime::Runtime& runtime, store::EtcdOptions options)
      : executor_(runtime.make_executor("store-etcd")) {
    runtime::run_and_wait(
        *executor_, [&] { engine_ = store::make_etcd(runtime, *executor_, std::move(options)); });
  }
  ~HostedEtcd() override {
    runtime::run_and_wait(*executor_, [&] { engine_.reset(); });
  }
  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    return engine_->open(keyspace, executor);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    engine_->drop(keyspace, executor, std::move(done));
  }

 private:
  const std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<store::Engine> engine_;
};

base::Result<void> read_login(runtime::Files& files, const std::string& path,
                              store::EtcdOptions& options) {
  auto text = files.read(path);
  if (!text) return std::unexpected(text.error());
  text->resize(std::min(text->find('\n'), text->size()));
  const auto colon = text->find(':');
  if (colon == std::string::npos || colon == 0) {
    return base::fail(base::ErrorCode::invalid,
                      path + ": the first line must be USER:PASSWORD of an etcd user");
  }
  options.user = text->substr(0, colon);
  options.password = text->substr(colon + 1);
  return {};
}

base::Result<store::EtcdOptions> etcd_options(runtime::Files& files, const StoreChoice& choice) {
  auto options = store::parse_etcd_url(choice.url);
  if (!options) return options;
  if (!choice.ca_file.empty() || !choice.certificate_file.empty()) {
    runtime::TlsClient tls;
    struct Part {
      const std::string& path;
      std::string& text;
    };
    for (const Part& part : {Part{choice.ca_file, tls.ca_pem},
                             Part{choice.certificate_file, tls.certificate_chain_pem},
                             Part{choice.key_file, tls.private_key_pem}}) {
      if (part.path.empty()) continue;
      auto text = files.read(part.path);
      if (!text) return std::unexpected(text.error());
      part.text = std::move(*text);
    }
    options->tls = std::move(tls);
  }
  if (choice.login_file.empty()) return options;
  if (auto read = read_login(files, choice.login_file, *options); !read) {
    return std::unexpected(read.error());
  }
  return options;
}

}  // namespace

base::Result<void> check_choice(const StoreChoice& choice) {
  using base::ErrorCode;
  const bool details = !choice.ca_file.empty() || !choice.certificate_file.empty() ||
                       !choice.key_file.empty() || !choice.login_file.empty();
  if (choice.shared()) {
    if (choice.certificate_file.empty() != choice.key_file.empty()) {
      return base::fail(ErrorCode::invalid, "--store-cert and --store-key belong together");
    }
    const auto parsed = store::parse_etcd_url(choice.url);
    return parsed ? base::Result<void>() : std::unexpected(parsed.error());
  }
  if (choice.url != "sqlite") {
    return base::fail(ErrorCode::invalid,
                      "--store is sqlite or etcd://HOST:PORT[,HOST:PORT...][/PREFIX], not \"" +
                          choice.url + "\"");
  }
  if (details) return base::fail(ErrorCode::invalid, "--store-... options are for etcd alone");
  return {};
}

base::Result<std::unique_ptr<store::Engine>> open_unsealed(runtime::Runtime& runtime,
                                                           const std::string& data_folder,
                                                           const StoreChoice& choice,
                                                           std::shared_ptr<store::EtcdLoad> load) {
  if (!choice.shared()) {
    const std::string path = data_folder + "/keelway.db";
    // SQLite would let others read it: values are sealed, but keys are not.
    const auto made = runtime.files().open(path, runtime::FileAccess::create);
    if (!made) return std::unexpected(made.error());
    return store::open_sqlite(runtime, {.path = path});
  }
  auto options = etcd_options(runtime.files(), choice);
  if (!options) return std::unexpected(options.error());
  options->load = std::move(load);
  return std::make_unique<HostedEtcd>(runtime, std::move(*options));
}

void show_load(const store::EtcdLoad& load, telemetry::Metrics& metrics) {
  const auto gauge = [&metrics](const char* name, const char* help, double value) {
    metrics.gauge(name, help).set(value);
  };
  gauge("keelway_etcd_connected", "Whether a member of etcd is connected to.",
        load.connected ? 1 : 0);
  gauge("keelway_etcd_waiting_requests", "Calls to etcd that are not answered yet.",
        static_cast<double>(load.waiting_calls));
  gauge("keelway_etcd_waiting_bytes", "Of the messages of calls that are not answered yet.",
        static_cast<double>(load.waiting_bytes));
  // Counted elsewhere: the series grows by what came since it was last shown.
  const auto count = [&metrics](const char* name, const char* help, std::uint64_t value) {
    telemetry::Counter& counter = metrics.counter(name, help);
    counter.add(static_cast<double>(value) - counter.value());
  };
  count("keelway_etcd_refused_total", "Calls refused because too many bytes wait.", load.refused);
  count("keelway_etcd_connections_lost_total", "Connections to members of etcd that broke.",
        load.connections_lost);
}

base::Result<void> check_shared_key(runtime::Runtime& runtime, store::Engine& unsealed,
                                    const store::KeyRing& ring, const std::string& data_folder) {
  const std::string mark = base::hex_encode(
      base::hmac_sha256(ring.keys.at(ring.current), "keelway: which sealing key is it?"));
  const auto executor = runtime.make_executor("seal-check");
  std::unique_ptr<store::Keyspace> keyspace;
  std::promise<base::Result<store::TransactionResult>> answered;
  executor->post([&] {
    keyspace = unsealed.open("seal", *executor);
    store::Transaction transaction;
    transaction.compares.push_back({"mark", 0});
    transaction.puts.push_back({"mark", std::make_shared<const std::string>(mark), {}});
    keyspace->transact(std::move(transaction),
                       [&](auto result) { answered.set_value(std::move(result)); });
  });
  const auto result = answered.get_future().get();
  runtime::run_and_wait(*executor, [&] { keyspace.reset(); });
  if (!result) return std::unexpected(result.error());
  if (result->committed || *result->conflicts.at(0).value == mark) return {};
  return base::fail(base::ErrorCode::conflict,
                    "what lies in this etcd is sealed with another key than " + data_folder +
                        "/seal.key; copy that file from a server that is at work there, or give "
                        "this one a prefix of its own (etcd://.../PREFIX)");
}

}  // namespace keelway::app
