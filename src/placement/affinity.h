// What a pod asks of its node's labels, and of the other pods around it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "placement/labels.h"

namespace keelway::placement {

struct NodeTerm {
  std::vector<Requirement> expressions;  // over labels
  std::vector<Requirement> fields;       // metadata.name only
  // An empty term matches nothing.
  bool matches(const Labels& labels, std::string_view node_name) const;
};

struct PreferredNodeTerm {
  int weight = 1;
  NodeTerm term;
};

// nodeSelector together with nodeAffinity.
struct NodeAffinity {
  Labels node_selector;
  bool has_required = false;
  std::vector<NodeTerm> required;  // any of them
  std::vector<PreferredNodeTerm> preferred;
  // Equal demands (required ones) have equal text.
  std::string required_text;

  bool allows(const Labels& labels, std::string_view node_name) const;
  int preference(const Labels& labels, std::string_view node_name) const;  // sum of weights
  bool empty() const { return node_selector.empty() && !has_required && preferred.empty(); }
};
NodeAffinity read_node_affinity(const value::Value& pod_spec);

// A term of pod affinity or anti-affinity.
struct PodTerm {
  LabelSelector selector;
  std::vector<std::string> namespaces;  // sorted; the pod's own where it names none
  bool all_namespaces = false;          // an empty namespaceSelector
  std::string topology_key;
  int weight = 0;  // of preferred terms
  bool selects(std::string_view name_space, const Labels& labels) const;
  std::string text() const;
};

struct PodAffinity {
  std::vector<PodTerm> required, preferred;
  bool empty() const { return required.empty() && preferred.empty(); }
};
// `member`: "podAffinity" or "podAntiAffinity". A namespaceSelector that is not empty selects
// only the namespaces that `namespaces` names beside it: labels of namespaces are not known here.
PodAffinity read_pod_affinity(const value::Value& pod, std::string_view member);

}  // namespace keelway::placement
