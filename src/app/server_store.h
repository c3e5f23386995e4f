// Where a server's state lies: a file in its data folder, or an etcd that several servers share.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/runtime.h"
#include "store/etcd/load.h"
#include "store/sealed/sealed.h"
#include "store/store.h"
#include "telemetry/metrics.h"

namespace keelway::app {

struct StoreChoice {
  std::string url = "sqlite";  // or etcd://HOST:PORT[,HOST:PORT...][/PREFIX]
  // etcd alone. The first three are PEM files; one of them or all turn TLS on.
  std::string ca_file, certificate_file, key_file;
  std::string login_file;  // "USER:PASSWORD" on its first line

  bool shared() const { return url.starts_with("etcd://"); }
};

// What is wrong with the choice, before anything is opened.
base::Result<void> check_choice(const StoreChoice& choice);

// Unsealed. Etcd is connected to in the background; `load` says how it goes.
base::Result<std::unique_ptr<store::Engine>> open_unsealed(
    runtime::Runtime& runtime, const std::string& data_folder, const StoreChoice& choice,
    std::shared_ptr<store::EtcdLoad> load = nullptr);
// As gauges and counters; safe to call again and again.
void show_load(const store::EtcdLoad& load, telemetry::Metrics& metrics);

// Every server of a shared store must have the same sealing key. The first one leaves a mark that
// tells the key from others; fails where the mark is of another key. Blocks.
base::Result<void> check_shared_key(runtime::Runtime& runtime, store::Engine& unsealed,
                                    const store::KeyRing& ring, const std::string& data_folder);

}  // namespace keelway::app
