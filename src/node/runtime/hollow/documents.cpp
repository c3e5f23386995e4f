#include "node/runtime/hollow/documents.h"

#include "base/encoding.h"

namespace keelway::node::hollow {
namespace {

using value::Value;

Value condition(std::string_view type, std::string_view status, std::string_view reason,
                std::string_view message, const std::string& now) {
  return Value::object({{"type", type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastHeartbeatTime", now},
                        {"lastTransitionTime", now}});
}

Value node_conditions(const std::string& now) {
  return Value::array(
      {condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                 "kubelet has sufficient memory available", now),
       condition("DiskPressure", "False", "KubeletHasNoDiskPressure",
                 "kubelet has no disk pressure", now),
       condition("PIDPressure", "False", "KubeletHasSufficientPID",
                 "kubelet has sufficient PID available", now),
       condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", now)});
}

Value node_info(const NodeFacts& facts) {
  const std::string digest = base::hex_encode(base::sha256(facts.provider_id));
  return Value::object({{"architecture", facts.architecture},
                        {"bootID", digest.substr(0, 32)},
                        {"containerRuntimeVersion", "hollow://1.0"},
                        {"kernelVersion", "6.1.0-keelway"},
                        {"kubeProxyVersion", facts.kubelet_version},
                        {"kubeletVersion", facts.kubelet_version},
                        {"machineID", digest.substr(32, 32)},
                        {"operatingSystem", "linux"},
                        {"osImage", "Keelway hollow node"},
                        {"systemUUID", digest.substr(16, 32)}});
}

}  // namespace

NodeFacts read_facts(const value::Value& machine) {
  const Value& spec = machine["spec"];
  NodeFacts facts;
  facts.name = spec["nodeName"].as_string();
  facts.provider_id = spec["providerID"].as_string();
  facts.address = spec["address"].as_string();
  facts.architecture = spec["architecture"].string_or("amd64");
  facts.labels = spec["labels"];
  facts.annotations = spec["annotations"];
  facts.taints = spec["taints"];
  facts.capacity = spec["capacity"];
  facts.allocatable = spec["allocatable"];
  return facts;
}

value::Value node_object(const NodeFacts& facts, base::WallTime now) {
  Value labels = facts.labels.is_object() ? facts.labels : Value::object();
  labels.set("kubernetes.io/hostname", facts.name);
  labels.set("kubernetes.io/os", "linux");
  labels.set("kubernetes.io/arch", facts.architecture);
  Value metadata = Value::object({{"name", facts.name}, {"labels", labels}});
  if (facts.annotations.is_object()) metadata.set("annotations", facts.annotations);
  Value spec = Value::object({{"providerID", facts.provider_id}});
  if (!facts.taints.empty()) spec.set("taints", facts.taints);
  const Value addresses =
      Value::array({Value::object({{"type", "InternalIP"}, {"address", facts.address}}),
                    Value::object({{"type", "InternalDNS"}, {"address", facts.name}}),
                    Value::object({{"type", "Hostname"}, {"address", facts.name}})});
  return Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Node"},
       {"metadata", metadata},
       {"spec", spec},
       {"status", Value::object({{"capacity", facts.capacity},
                                 {"allocatable", facts.allocatable},
                                 {"conditions", node_conditions(base::format_rfc3339(now))},
                                 {"addresses", addresses},
                                 {"nodeInfo", node_info(facts)}})}});
}

value::Value node_status_patch(const value::Value& old, base::WallTime now) {
  Value conditions = Value::array();
  const Value current = node_conditions(base::format_rfc3339(now));
  for (Value fresh : current.items()) {
    for (const Value& c : old["conditions"].items()) {
      if (c["type"] == fresh["type"] && c["status"] == fresh["status"]) {
        fresh.set("lastTransitionTime", c["lastTransitionTime"]);
      }
    }
    conditions.push(std::move(fresh));
  }
  for (const Value& c : old["conditions"].items()) {
    bool ours = false;
    for (const Value& fresh : conditions.items()) ours = ours || fresh["type"] == c["type"];
    if (!ours) conditions.push(c);
  }
  return Value::object({{"status", Value::object({{"conditions", conditions}})}});
}

value::Value lease_object(const std::string& node_name, std::string_view node_uid,
                          base::WallTime now) {
  Value metadata = Value::object({{"name", node_name}, {"namespace", "kube-node-lease"}});
  if (!node_uid.empty()) {
    metadata.set(
        "ownerReferences",
        Value::array({Value::object(
            {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node_name}, {"uid", node_uid}})}));
  }
  return Value::object({{"apiVersion", "coordination.k8s.io/v1"},
                        {"kind", "Lease"},
                        {"metadata", metadata},
                        {"spec", Value::object({{"holderIdentity", node_name},
                                                {"leaseDurationSeconds", 40},
                                                {"renewTime", base::format_rfc3339_micro(now)}})}});
}

value::Value lease_patch(base::WallTime now) {
  return Value::object({{"spec", Value::object({{"renewTime", base::format_rfc3339_micro(now)}})}});
}

}  // namespace keelway::node::hollow
