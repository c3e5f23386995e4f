#include "cloud/simulated/catalogue.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/encoding.h"
#include "base/error.h"

namespace keelway::cloud {

std::string_view instance_type_rows();  // the compiled-in CSV

namespace {

using placement::Labels;
using placement::ResourceList;

constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t gibibyte = 1 << 30;
// The root volume of a node, less 1 GiB for the system and 10 % before pods are evicted.
constexpr std::int64_t disk_capacity = 20 * gibibyte;
constexpr std::int64_t disk_allocatable = 17 * gibibyte + gibibyte / 10;
constexpr std::int64_t reserved_memory_base_mib = 255, reserved_memory_per_pod_mib = 11,
                       eviction_memory_mib = 100;

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = line.find(separator);
    parts.push_back(line.substr(0, at));
    if (at == std::string_view::npos) return parts;
    line.remove_prefix(at + 1);
  }
}

// One row, by column name.
class Row {
 public:
  Row(const std::map<std::string_view, std::size_t>& columns, std::string_view line)
      : columns_(columns), cells_(split(line, ',')) {}
  std::string_view text(std::string_view column) const { return cells_[columns_.at(column)]; }
  std::int64_t number(std::string_view column) const {
    return std::atoll(std::string(text(column)).c_str());
  }
  bool flag(std::string_view column) const { return text(column) == "true"; }
  std::int64_t micro_usd(std::string_view column) const {
    return std::llround(std::atof(std::string(text(column)).c_str()) * 1e6);
  }

 private:
  const std::map<std::string_view, std::size_t>& columns_;
  std::vector<std::string_view> cells_;
};

Labels labels_of(const Row& row, std::string_view region) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto add = [&pairs](std::string_view key, std::string_view text) {
    pairs.emplace_back(key, text);
  };
  const auto karpenter = [&add](std::string_view key, std::string_view text) {
    add(fmt::format("karpenter.k8s.aws/instance-{}", key), text);
  };
  add("node.kubernetes.io/instance-type", row.text("instance_type"));
  add("kubernetes.io/arch", row.text("arch"));
  add("kubernetes.io/os", "linux");
  add("topology.kubernetes.io/region", region);
  karpenter("category", row.text("category"));
  karpenter("family", row.text("family"));
  karpenter("generation", row.text("generation"));
  karpenter("size", row.text("size"));
  karpenter("cpu", row.text("vcpu"));
  karpenter("cpu-manufacturer", row.text("cpu_manufacturer"));
  if (row.number("cpu_sustained_clock_mhz") > 0) {
    karpenter("cpu-sustained-clock-speed-mhz", row.text("cpu_sustained_clock_mhz"));
  }
  karpenter("memory", row.text("memory_mib"));
  karpenter("ebs-bandwidth", row.text("ebs_bandwidth_mbps"));
  karpenter("network-bandwidth", row.text("network_bandwidth_mbps"));
  if (!row.text("hypervisor").empty()) karpenter("hypervisor", row.text("hypervisor"));
  karpenter("encryption-in-transit-supported", row.text("encryption_in_transit"));
  karpenter("capability-flex", row.text("flex"));
  karpenter("tenancy", "default");
  if (row.number("local_nvme_gb") > 0) karpenter("local-nvme", row.text("local_nvme_gb"));
  if (row.number("gpu_count") > 0) {
    karpenter("gpu-name", row.text("gpu_name"));
    karpenter("gpu-manufacturer", row.text("gpu_manufacturer"));
    karpenter("gpu-count", row.text("gpu_count"));
    karpenter("gpu-memory", row.text("gpu_memory_mib_each"));
  }
  if (row.number("accelerator_count") > 0) {
    karpenter("accelerator-name", row.text("accelerator_name"));
    karpenter("accelerator-manufacturer", row.text("accelerator_manufacturer"));
    karpenter("accelerator-count", row.text("accelerator_count"));
  }
  return Labels(std::move(pairs));
}

ResourceList devices_of(const Row& row) {
  ResourceList list;
  const std::int64_t gpus = row.number("gpu_count");
  const std::string_view maker = row.text("gpu_manufacturer");
  if (gpus > 0 && maker == "nvidia") list.set("nvidia.com/gpu", gpus);
  if (gpus > 0 && maker == "amd") list.set("amd.com/gpu", gpus);
  if (gpus > 0 && maker == "habana") list.set("habana.ai/gaudi", gpus);
  if (row.text("accelerator_manufacturer") == "aws") {
    list.set("aws.amazon.com/neuron", row.number("accelerator_count"));
    list.set("aws.amazon.com/neuroncore", row.number("neuron_cores"));
  }
  if (row.number("efa_interfaces") > 0)
    list.set("vpc.amazonaws.com/efa", row.number("efa_interfaces"));
  return list;
}

// Spot costs 25 to 44 % of on-demand, fixed by type and zone: the real prices are not published
// with the catalogue, and a rehearsal wants them to stand still.
std::int64_t spot_price(std::int64_t on_demand, std::string_view type, std::string_view zone) {
  const std::uint64_t percent = 25 + base::hash64(fmt::format("{}/{}", type, zone)) % 20;
  return on_demand * static_cast<std::int64_t>(percent) / 100;
}

InstanceType read_type(const Row& row, std::string_view region) {
  InstanceType type;
  type.name = row.text("instance_type");
  type.labels = labels_of(row, region);
  const std::int64_t pods = row.number("max_pods_eni");
  // 7.5 % of the memory that EC2 states never reaches the guest; 64 MiB more on arm64.
  const std::int64_t stated = row.number("memory_mib") - (row.text("arch") == "arm64" ? 64 : 0);
  const std::int64_t memory_mib = stated * 925 / 1000;
  type.capacity = devices_of(row);
  type.capacity.milli_cpu = row.number("vcpu") * 1000;
  type.capacity.memory = memory_mib * mebibyte;
  type.capacity.ephemeral_storage = disk_capacity;
  type.capacity.pods = pods;
  type.allocatable = type.capacity;
  type.allocatable.milli_cpu = row.number("allocatable_cpu_millicores");
  type.allocatable.memory = (memory_mib - reserved_memory_base_mib -
                             reserved_memory_per_pod_mib * pods - eviction_memory_mib) *
                            mebibyte;
  type.allocatable.ephemeral_storage = disk_allocatable;
  const std::int64_t on_demand = row.micro_usd("on_demand_usd_per_hour");
  for (const char zone : {'a', 'b', 'c'}) {
    const std::string name = fmt::format("{}{}", region, zone);
    type.offerings.push_back({name, "on-demand", on_demand, true});
    type.offerings.push_back({name, "spot", spot_price(on_demand, type.name, name), true});
  }
  std::stable_sort(
      type.offerings.begin(), type.offerings.end(),
      [](const Offering& a, const Offering& b) { return a.price_micro_usd < b.price_micro_usd; });
  return type;
}

class CompiledCatalogue final : public Catalogue {
 public:
  explicit CompiledCatalogue(std::string_view region) {
    const auto lines = split(instance_type_rows(), '\n');
    std::map<std::string_view, std::size_t> columns;
    for (const std::string_view name : split(lines[0], ',')) columns.emplace(name, columns.size());
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (lines[i].empty()) continue;
      InstanceType type = read_type(Row(columns, lines[i]), region);
      // A type without a list price cannot be weighed against others.
      if (type.offerings.front().price_micro_usd > 0) types_.push_back(std::move(type));
    }
    std::sort(types_.begin(), types_.end(), by_name);
  }

  const std::vector<InstanceType>& types() const override { return types_; }
  const InstanceType* find(std::string_view name) const override {
    const auto found = std::lower_bound(
        types_.begin(), types_.end(), name,
        [](const InstanceType& type, std::string_view wanted) { return type.name < wanted; });
    return found != types_.end() && found->name == name ? &*found : nullptr;
  }

 private:
  static bool by_name(const InstanceType& a, const InstanceType& b) { return a.name < b.name; }
  std::vector<InstanceType> types_;
};

}  // namespace

const Offering* InstanceType::find(std::string_view zone, std::string_view capacity_type) const {
  for (const Offering& offering : offerings) {
    if (offering.zone == zone && offering.capacity_type == capacity_type) return &offering;
  }
  return nullptr;
}

CataloguePtr make_catalogue(std::string_view region) {
  return std::make_shared<CompiledCatalogue>(region);
}

}  // namespace keelway::cloud
