#include "sim/users/aws_caller.h"

#include <fmt/core.h>

#include "value/json.h"
#include "wire/sigv4.h"

namespace keelway::sim {
namespace {

using value::Value;

constexpr int tries_max = 20;

}  // namespace

void AwsCaller::aim(const runtime::Address& door, aws::AccessKey key) {
  key_ = std::move(key);
  if (http_ && door.host == door_.host && door.port == door_.port) return;
  door_ = door;
  auto& way = ways_[door_.host];
  if (!way) way = http::make_client(runtime_, executor_, door_, std::nullopt);
  http_ = way.get();
}

void AwsCaller::ask(bool last) {
  http::ClientRequest request;
  request.target = "/clusters/sim";
  request.timeout = std::chrono::seconds(20);
  request.headers = {{"host", fmt::format("{}:{}", door_.host, door_.port)}};
  wire::sigv4::sign_headers("GET", request.target, request.headers, "",
                            {key_.access_key_id, key_.secret_access_key, ""}, {"us-east-1", "eks"},
                            executor_.wall_now());
  busy_ = true;
  http_->request(std::move(request), [this, last, host = door_.host,
                                      alive = alive_](base::Result<http::Response> response) {
    if (!*alive) return;
    busy_ = false;
    if (response) take(*response, host, last);
  });
}

void AwsCaller::take(const http::Response& response, const std::string& host, bool last) {
  const auto body = value::parse_json(response.body);
  if (response.status != 200) {
    if (response.status == 404 && was_active_) complaint_ = "EKS knows the cluster no longer";
    if (last && ++tries_ > tries_max) {
      complaint_ = fmt::format("EKS answers {}: {}", response.status, response.body);
    }
    return;
  }
  if (!body) {
    complaint_ = "EKS answered what is no JSON";
    return;
  }
  const Value cluster = (*body)["cluster"];
  const std::string status = cluster["status"].as_string();
  if (was_active_ && status != "ACTIVE" && status != "UPDATING") {
    complaint_ = "EKS called the cluster ACTIVE and now " + status;
  }
  was_active_ = was_active_ || status == "ACTIVE";
  executor_.reached("sim.eks_answered");
  if (!last) return;
  const Value object = object_();
  // Each server has an endpoint of its own for a cluster that it serves.
  const std::string own = fmt::format("https://{}:{}", host, object.at("status", "port").as_int());
  const bool found = cluster["endpoint"] == object.at("status", "endpoint") ||
                     cluster["endpoint"].as_string() == own;
  const bool agrees = found && cluster["status"] == object.at("status", "status") &&
                      cluster["version"] == object.at("spec", "version") &&
                      cluster["arn"] == object.at("spec", "arn");
  if (agrees)
    done_ = true;
  else if (++tries_ > tries_max)
    complaint_ = "EKS and the object differ: " + response.body;
}

void AwsCaller::act(base::Random& random) {
  if (http_ != nullptr && !busy_ && random.chance(0.3)) ask(false);
}

void AwsCaller::conclude(base::Random&) {
  if (http_ != nullptr && !busy_ && !done_) ask(true);
}

}  // namespace keelway::sim
