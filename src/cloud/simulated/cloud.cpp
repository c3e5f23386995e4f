#include "cloud/simulated/cloud.h"

#include <fmt/core.h>

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::cloud {
namespace {

namespace resources = client::resources;
using value::Value;

// As EC2 names instances: "i-" and 17 hexadecimal digits, here drawn from the token, so that the
// same token names the same machine.
std::string instance_id(const std::string& cluster, const std::string& token) {
  return "i-0" + base::hex_encode(base::sha256(cluster + "/" + token)).substr(0, 16);
}

// A private address of the VPC from the same digest.
std::string private_address(std::string_view id) {
  const std::uint64_t digest = base::hash64(id);
  return fmt::format("10.{}.{}.{}", digest >> 16 & 127, digest >> 8 & 255, digest % 253 + 1);
}

class SimulatedCloud final : public Cloud {
 public:
  SimulatedCloud(client::Client& hub, SimulatedOptions options)
      : hub_(hub), options_(std::move(options)) {}
  ~SimulatedCloud() override { *alive_ = false; }

  void launch(LaunchRequest request,
              std::move_only_function<void(base::Result<Machine>)> done) override {
    const InstanceType* type = options_.catalogue->find(request.instance_type);
    const Offering* offering =
        type != nullptr ? type->find(request.zone, request.capacity_type) : nullptr;
    if (offering == nullptr) {
      return done(base::fail(base::ErrorCode::invalid,
                             fmt::format("no offering of {} in {} as {}", request.instance_type,
                                         request.zone, request.capacity_type)));
    }
    if (!offering->available) {
      return done(base::fail(base::ErrorCode::exhausted,
                             fmt::format("no {} capacity for {} in {}", request.capacity_type,
                                         request.instance_type, request.zone)));
    }
    const std::string id = instance_id(options_.cluster, request.token);
    hub_.call(client::create_call(resources::machines, options_.name_space,
                                  document(request, *type, id, private_address(id))),
              [this, alive = alive_, id,
               done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (!*alive) return;
                if (answer) return done(machine_of(answer->object));
                if (answer.error().is("AlreadyExists")) return find(id, std::move(done));
                done(base::fail(base::ErrorCode::unavailable, answer.error().message));
              });
  }

  void terminate(std::string token,
                 std::move_only_function<void(base::Result<void>)> done) override {
    hub_.call(client::remove_call(resources::machines, options_.name_space,
                                  instance_id(options_.cluster, token)),
              [done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (answer || answer.error().is("NotFound")) return done({});
                done(base::fail(base::ErrorCode::unavailable, answer.error().message));
              });
  }

  void inspect(std::string token, std::move_only_function<void(base::Result<bool>)> done) override {
    hub_.call(client::get_call(resources::machines, options_.name_space,
                               instance_id(options_.cluster, token)),
              [done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (answer) return done(true);
                if (answer.error().is("NotFound")) return done(false);
                done(base::fail(base::ErrorCode::unavailable, answer.error().message));
              });
  }

  void list(std::move_only_function<void(base::Result<std::vector<std::string>>)> done) override {
    client::Call call =
        client::list_call(resources::machines, options_.name_space,
                          fmt::format("{}={}", resources::cluster_label, options_.cluster));
    hub_.call(std::move(call), [cluster = options_.cluster, done = std::move(done)](
                                   schema::Answer<client::Reply> answer) mutable {
      if (!answer) return done(base::fail(base::ErrorCode::unavailable, answer.error().message));
      std::vector<std::string> tokens;
      for (const Value& machine : answer->object["items"].items()) {
        if (machine.at("spec", "cluster").as_string() != cluster) continue;
        tokens.push_back(machine.at("spec", "token").as_string());
      }
      done(std::move(tokens));
    });
  }

 private:
  // A launch that was asked for before: the machine is what it was then.
  void find(const std::string& id, std::move_only_function<void(base::Result<Machine>)> done) {
    hub_.call(client::get_call(resources::machines, options_.name_space, id),
              [id, done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                if (!answer) {
                  return done(base::fail(base::ErrorCode::unavailable, answer.error().message));
                }
                if (!answer->object.at("metadata", "deletionTimestamp").is_null()) {
                  return done(base::fail(base::ErrorCode::unavailable, id + " is going away"));
                }
                done(machine_of(answer->object));
              });
  }

  static Machine machine_of(const Value& object) {
    const Value& spec = object["spec"];
    return {spec["providerID"].as_string(), spec["nodeName"].as_string(), "ami-simulated"};
  }

  // After the instance, as EC2's resource-based names are: addresses are drawn, and two machines
  // may draw the same one.
  std::string node_name(const std::string& id) const {
    return options_.region == "us-east-1"
               ? fmt::format("{}.ec2.internal", id)
               : fmt::format("{}.{}.compute.internal", id, options_.region);
  }

  Value document(const LaunchRequest& request, const InstanceType& type, const std::string& id,
                 const std::string& address) const {
    return Value::object(
        {{"apiVersion", "hub.keelway.dev/v1"},
         {"kind", "Machine"},
         {"metadata",
          Value::object({{"name", id},
                         {"labels", Value::object({{std::string(resources::cluster_label),
                                                    options_.cluster}})}})},
         {"spec", Value::object({{"cluster", options_.cluster},
                                 {"token", request.token},
                                 {"claimName", request.claim_name},
                                 {"instanceType", request.instance_type},
                                 {"zone", request.zone},
                                 {"capacityType", request.capacity_type},
                                 {"providerID", fmt::format("aws:///{}/{}", request.zone, id)},
                                 {"nodeName", node_name(id)},
                                 {"address", address},
                                 {"labels", request.labels},
                                 {"annotations", request.annotations},
                                 {"taints", request.taints},
                                 {"capacity", type.capacity.to_value()},
                                 {"allocatable", type.allocatable.to_value()},
                                 {"architecture", type.labels.get("kubernetes.io/arch")}})}});
  }

  client::Client& hub_;
  const SimulatedOptions options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Cloud> make_simulated_cloud(client::Client& hub, SimulatedOptions options) {
  return std::make_unique<SimulatedCloud>(hub, std::move(options));
}

}  // namespace keelway::cloud
