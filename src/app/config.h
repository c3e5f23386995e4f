// What `keelway up` was asked for.
#pragma once

#include <cstdint>
#include <string>

#include "access/fairness.h"
#include "base/time.h"
#include "http/server.h"

namespace keelway::app {

enum class Pace {
  fast,  // clusters and nodes as soon as they can be
  real,  // EKS's minutes, to rehearse waiting
};

// Sizes that the simulator makes small. The defaults are production's.
struct Knobs {
  std::size_t watch_window = 10'000;  // events that a watch can be resumed from
  std::size_t store_page = 2'000;     // entries a read of the store at start
  std::size_t replayed = 1'000;       // revisions of the server before that can be resumed from
};

// What hostile or careless clients meet; docs/limits.md says what happens at each.
struct Limits {
  http::Limits http;  // of every server; `budget` is made from the next
  http::Budget::Bounds memory;
  access::FairnessLimits fairness;  // of every cluster
  int aws_requests_max = 1'000;     // of the AWS endpoint at once
  base::Duration request_timeout = std::chrono::seconds(60);
  // After SIGTERM: readyz fails while everything is still served.
  base::Duration shutdown_delay = std::chrono::seconds(0);
};

struct Config {
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 4566;
  std::string advertised_host = "127.0.0.1";  // in the endpoints that clients are told
  bool default_pools = true;                  // a cluster that asked for nothing gets a node pool
  Pace pace = Pace::fast;
  std::string default_region = "us-east-1";
  std::string default_account = "000000000000";
  bool test_credentials = false;  // the well-known key "test"/"test", loopback only
  std::string product_version;
  Knobs knobs = {};
  // Other servers may work on the same store: this one registers there under its name, runs the
  // loops of the clusters that name it, and serves the API of all. Off for a store of its own.
  bool shared_store = false;
  std::string server_name;  // empty: server_name_of(listen_host, port of the door)
  // Between renewals of the lease; another server takes over after five of them.
  base::Duration lease_interval = std::chrono::seconds(2);
  Limits limits;

  bool on_loopback() const {
    return listen_host == "::1" || listen_host == "localhost" || listen_host.starts_with("127.");
  }
};

}  // namespace keelway::app
