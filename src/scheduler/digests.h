// Pods and nodes of a view as placement sees them. What was read once is kept by uid and
// revision, so a plan reads only what changed since the last one. What the view no longer has is
// forgotten.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/view.h"
#include "placement/node_state.h"

namespace keelway::scheduler {

struct PodDigest {
  client::ObjectPtr object;
  placement::PodInfoPtr info;
  // Pods of one class fit or fail alike, as long as no rule between pods is involved; empty for
  // pods that have such rules.
  std::string fit_class;
};

class Digests {
 public:
  // In (namespace, name) order.
  std::vector<const PodDigest*> pods(const client::View& view);
  // In name order, without pods.
  std::vector<placement::NodeState> nodes(const client::View& view);

 private:
  struct Node {
    client::Revision revision = 0;
    placement::NodeState state;
  };
  std::unordered_map<std::string, std::unique_ptr<PodDigest>> pods_;  // by uid
  std::unordered_map<std::string, Node> nodes_;                       // by uid
};

}  // namespace keelway::scheduler
