// A NodePool as the provisioner reads it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "placement/requirements.h"
#include "placement/resources.h"
#include "placement/taints.h"
#include "schema/object.h"

namespace keelway::provisioner {

struct ClassRef {
  std::string group, kind, name;
  value::Value to_value() const;
};

struct Budget {
  std::string nodes = "10%";      // "30%" or "5"
  std::set<std::string> reasons;  // empty: all
  // How many nodes of `total` may be disrupted at once.
  std::int64_t allowed(std::int64_t total) const;
};

struct NodePool {
  std::string name, uid;
  std::int64_t weight = 0;
  bool ready = false;
  bool deleting = false;
  placement::Requirements requirements;  // of the template, its labels included
  placement::Labels labels;
  value::Value annotations;
  std::vector<placement::Taint> taints;
  value::Value taint_documents, startup_taint_documents;  // lists
  ClassRef node_class;
  std::vector<std::pair<std::string, placement::Amount>> limits;  // of resources, by name
  std::optional<std::int64_t> node_limit;
  std::string expire_after = "720h";
  std::string termination_grace_period;             // empty: none
  std::optional<base::Duration> consolidate_after;  // nothing: Never
  bool only_when_empty = false;
  std::vector<Budget> budgets;

  // The smallest budget that applies to the reason.
  std::int64_t budget_for(std::string_view reason, std::int64_t total) const;
};

NodePool read_node_pool(const schema::Object& object);

}  // namespace keelway::provisioner
