#include "sim/documents.h"

#include "sim/life.h"

namespace keelway::sim {

using value::Value;

Value cluster_document() {
  return Value::object(
      {{"metadata", Value::object({{"name", cluster_object}, {"namespace", hub_namespace}})},
       {"spec", Value::object({{"name", "sim"},
                               {"arn", cluster_arn},
                               {"accountId", "000000000000"},
                               {"region", "us-east-1"},
                               {"version", "1.33"},
                               {"creatorArn", "arn:aws:iam::000000000000:root"}})},
       {"status", Value::object({{"status", "CREATING"}})}});
}

namespace {

// On no node where a pod with the labels is.
Value apart_from(const Value& labels) {
  const Value term = Value::object({{"labelSelector", Value::object({{"matchLabels", labels}})},
                                    {"topologyKey", "kubernetes.io/hostname"}});
  return Value::object(
      {{"podAntiAffinity", Value::object({{"requiredDuringSchedulingIgnoredDuringExecution",
                                           Value::array({term})}})}});
}

}  // namespace

Value deployment_document(const Workload& workload) {
  const Value labels = Value::object({{"app", workload.name}});
  const Value requests = Value::object({{"cpu", workload.cpu}, {"memory", workload.memory}});
  Value container = Value::object({{"name", "main"},
                                   {"image", "example.com/app:1"},
                                   {"resources", Value::object({{"requests", requests}})}});
  Value spec = Value::object();
  if (workload.apart == Apart::host_port) {
    const Value port = Value::object({{"containerPort", 80}, {"hostPort", 8080}});
    container.set("ports", Value::array({port}));
  } else if (workload.apart == Apart::anti_affinity) {
    spec.set("affinity", apart_from(labels));
  }
  spec.set("containers", Value::array({container}));
  const Value pod =
      Value::object({{"metadata", Value::object({{"labels", labels}})}, {"spec", spec}});
  return Value::object(
      {{"metadata", Value::object({{"name", workload.name}, {"namespace", "default"}})},
       {"spec", Value::object({{"replicas", workload.replicas},
                               {"selector", Value::object({{"matchLabels", labels}})},
                               {"template", pod}})}});
}

Value limited_pool_document(int cpu) {
  const Value node_class =
      Value::object({{"group", "eks.amazonaws.com"}, {"kind", "NodeClass"}, {"name", "default"}});
  const Value architecture = Value::object({{"key", "kubernetes.io/arch"},
                                            {"operator", "In"},
                                            {"values", Value::array({Value("amd64")})}});
  const Value spec =
      Value::object({{"requirements", Value::array({architecture})}, {"nodeClassRef", node_class}});
  return Value::object({{"metadata", Value::object({{"name", "limited"}})},
                        {"spec", Value::object({{"template", Value::object({{"spec", spec}})},
                                                {"weight", 50},
                                                {"limits", Value::object({{"cpu", cpu}})}})}});
}

Value named_document(const char* name) {
  return Value::object({{"metadata", Value::object({{"name", name}})}});
}

Value admin_binding_document() {
  return Value::object(
      {{"metadata", Value::object({{"name", "wire-admin"}})},
       {"roleRef", Value::object({{"apiGroup", "rbac.authorization.k8s.io"},
                                  {"kind", "ClusterRole"},
                                  {"name", "cluster-admin"}})},
       {"subjects",
        Value::array({Value::object(
            {{"kind", "ServiceAccount"}, {"name", "admin"}, {"namespace", wire_namespace}})})}});
}

Value token_request_document() {
  return Value::object({{"apiVersion", "authentication.k8s.io/v1"},
                        {"kind", "TokenRequest"},
                        {"spec", Value::object({{"expirationSeconds", 86400}})}});
}

}  // namespace keelway::sim
