// Change or refuse a write before it is stored. Plugins are a plain ordered list, read top to
// bottom: all mutate, then all validate.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/identity.h"
#include "base/random.h"
#include "base/time.h"
#include "client/view.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::admission {

enum class Operation { create, update, remove, connect };

struct Request {
  Operation operation = Operation::create;
  client::Resource resource;  // group, version, resource, kind
  std::string subresource;
  std::string name_space, name;       // name may be empty on a create with generateName
  value::Value object;                // in and out; null on remove
  const value::Value* old = nullptr;  // update and remove
  const access::Identity* identity = nullptr;
  bool dry_run = false;

  bool is(const client::Resource& r) const {
    return resource.resource == r.resource && resource.group == r.group;
  }
};

// What plugins may look at: one snapshot of the cluster, and randomness that is handed in. The
// view holds namespaces, service accounts, pods, nodes and priority classes.
struct Context {
  const client::View& view;
  base::Random& random;
  base::WallTime now;
};

class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual std::string_view name() const = 0;
  virtual schema::Answer<void> mutate(Request&, const Context&) const { return {}; }
  virtual schema::Answer<void> validate(const Request&, const Context&) const { return {}; }
};

struct Options {
  // NodeLifecycle's defaults, seconds a pod stays on a node that is not ready or unreachable.
  std::int64_t not_ready_toleration_seconds = 300;
  std::int64_t unreachable_toleration_seconds = 300;
  bool service_accounts = true;  // off on a hub: it runs no pods
};

// Constant after construction; any number of requests, one executor.
class Chain {
 public:
  explicit Chain(std::vector<std::unique_ptr<Plugin>> plugins) : plugins_(std::move(plugins)) {}
  schema::Answer<void> admit(Request& request, const Context& context) const;

 private:
  std::vector<std::unique_ptr<Plugin>> plugins_;
};

// The built-in plugins in upstream's order.
Chain default_chain(const Options& options = {});

}  // namespace keelway::admission
