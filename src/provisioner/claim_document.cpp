#include "provisioner/claim_document.h"

#include "base/random.h"
#include "provisioner/names.h"

namespace keelway::provisioner {

using value::Value;

Value claim_document(const PlannedNode& planned, const NodePool& pool, reconcile::Seed seed) {
  base::Random random(seed);
  Value labels = Value::object();
  for (const auto& [key, text] : pool.labels.pairs()) labels.set(key, text);
  Value spec =
      Value::object({{"requirements", planned.requirements.to_value()},
                     {"nodeClassRef", pool.node_class.to_value()},
                     {"expireAfter", pool.expire_after},
                     {"resources", Value::object({{"requests", planned.requests.to_value()}})}});
  if (!pool.taint_documents.empty()) spec.set("taints", pool.taint_documents);
  if (!pool.startup_taint_documents.empty()) {
    spec.set("startupTaints", pool.startup_taint_documents);
  }
  if (!pool.termination_grace_period.empty()) {
    spec.set("terminationGracePeriod", pool.termination_grace_period);
  }
  const Value owner = Value::object({{"apiVersion", "karpenter.sh/v1"},
                                     {"kind", "NodePool"},
                                     {"name", pool.name},
                                     {"uid", pool.uid},
                                     {"blockOwnerDeletion", true}});
  Value metadata = Value::object({{"name", pool.name + "-" + base::make_name_suffix(random, 5)},
                                  {"labels", labels},
                                  {"finalizers", Value::array({termination_finalizer})},
                                  {"ownerReferences", Value::array({owner})}});
  if (pool.annotations.is_object()) metadata.set("annotations", pool.annotations);
  return Value::object({{"apiVersion", "karpenter.sh/v1"},
                        {"kind", "NodeClaim"},
                        {"metadata", metadata},
                        {"spec", spec}});
}

}  // namespace keelway::provisioner
