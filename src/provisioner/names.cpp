#include "provisioner/names.h"

namespace keelway::provisioner {

const std::set<std::string, std::less<>>& well_known_labels() {
  static const std::set<std::string, std::less<>> labels = {
      "karpenter.sh/capacity-type",
      "karpenter.sh/nodepool",
      "kubernetes.io/arch",
      "kubernetes.io/os",
      "node.kubernetes.io/instance-type",
      "node.kubernetes.io/windows-build",
      "topology.kubernetes.io/region",
      "topology.kubernetes.io/zone",
      "karpenter.k8s.aws/instance-accelerator-count",
      "karpenter.k8s.aws/instance-accelerator-manufacturer",
      "karpenter.k8s.aws/instance-accelerator-name",
      "karpenter.k8s.aws/instance-capability-flex",
      "karpenter.k8s.aws/instance-category",
      "karpenter.k8s.aws/instance-cpu",
      "karpenter.k8s.aws/instance-cpu-manufacturer",
      "karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz",
      "karpenter.k8s.aws/instance-ebs-bandwidth",
      "karpenter.k8s.aws/instance-encryption-in-transit-supported",
      "karpenter.k8s.aws/instance-family",
      "karpenter.k8s.aws/instance-generation",
      "karpenter.k8s.aws/instance-gpu-count",
      "karpenter.k8s.aws/instance-gpu-manufacturer",
      "karpenter.k8s.aws/instance-gpu-memory",
      "karpenter.k8s.aws/instance-gpu-name",
      "karpenter.k8s.aws/instance-hypervisor",
      "karpenter.k8s.aws/instance-local-nvme",
      "karpenter.k8s.aws/instance-memory",
      "karpenter.k8s.aws/instance-network-bandwidth",
      "karpenter.k8s.aws/instance-size",
      "karpenter.k8s.aws/instance-tenancy",
  };
  return labels;
}

}  // namespace keelway::provisioner
