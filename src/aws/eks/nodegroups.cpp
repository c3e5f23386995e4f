// ListNodegroups.
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"

namespace keelway::aws::eks {

using value::Value;

// No operation makes a node group, so the list of every cluster is empty.
void list_nodegroups(ServicePtr service, Invocation invocation, Done done) {
  auto page = paginate(invocation.query, "nodegroups", {}, [](std::size_t) { return Value(); });
  if (!page) return done(std::unexpected(page.error()));
  find_cluster(
      service, invocation.caller, invocation.label("name"),
      [names = std::move(page->items), done = std::move(done)](Outcome<Value> cluster) mutable {
        if (!cluster) return done(std::unexpected(cluster.error()));
        done(Value::object({{"nodegroups", std::move(names)}}));
      });
}

}  // namespace keelway::aws::eks
