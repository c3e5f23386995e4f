// What the oracles at every look read of objects, parsed once a revision.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/client.h"
#include "placement/resources.h"

namespace keelway::sim {

struct PodFacts {
  std::string node, address;  // the address of a pod on its node's network is left out
  bool runs = false, finished = false;
  placement::ResourceList requests;
  std::vector<std::string> host_ports;  // "8080/TCP"; of any address
  std::string apart_from;               // "app" of the pods that it shares no node with
  std::string app;                      // its own
};

class Facts {
 public:
  const PodFacts& pod(const client::ObjectPtr& pod) { return read(pods_, pod, read_pod); }
  // Of a node, its allocatable; of a claim, its capacity.
  const placement::ResourceList& allocatable(const client::ObjectPtr& node) {
    return read(nodes_, node, read_node);
  }
  const placement::ResourceList& capacity(const client::ObjectPtr& claim) {
    return read(claims_, claim, read_claim);
  }

  // Nodes by their names, those that have gone too.
  void saw_node(std::string_view name) { nodes_ever_.emplace(name); }
  bool was_node(std::string_view name) const { return nodes_ever_.contains(name); }

 private:
  template <class Fact>
  using Known = std::map<std::string, std::pair<client::Revision, Fact>, std::less<>>;
  static PodFacts read_pod(const client::Object& pod);
  static placement::ResourceList read_node(const client::Object& node);
  static placement::ResourceList read_claim(const client::Object& claim);

  template <class Fact>
  static const Fact& read(Known<Fact>& known, const client::ObjectPtr& object,
                          Fact (*parse)(const client::Object&)) {
    constexpr std::size_t known_max = 5'000;
    auto found = known.find(object->uid());
    if (found != known.end() && found->second.first == object->revision()) {
      return found->second.second;
    }
    if (known.size() > known_max) known.clear();
    auto& entry = known[std::string(object->uid())];
    entry = {object->revision(), parse(*object)};
    return entry.second;
  }

  std::set<std::string, std::less<>> nodes_ever_;
  Known<PodFacts> pods_;
  Known<placement::ResourceList> nodes_, claims_;
};

}  // namespace keelway::sim
