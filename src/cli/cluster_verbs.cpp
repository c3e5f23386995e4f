#include <fmt/core.h>

#include <condition_variable>
#include <future>

#include "base/encoding.h"
#include "base/host.h"
#include "cli/http_call.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "runtime/files.h"
#include "value/json.h"
#include "value/yaml.h"

namespace keelway::cli {
namespace {

using value::Value;

constexpr auto poll_interval = std::chrono::milliseconds(50);
constexpr std::string_view cost_annotation = "cost.keelway.dev/usd-per-hour";
constexpr auto token_life = std::chrono::minutes(14);

std::string path_of(const std::string& cluster) {
  return "/clusters/" + base::percent_encode(cluster);
}

base::Result<Value> describe(const Session& session, const std::string& name) {
  auto answer = call_signed(session.runtime, session.context, "GET", path_of(name), "");
  if (!answer) return answer;
  return (*answer)["cluster"];
}

void pause(runtime::Runtime& runtime, base::Duration duration) {
  auto executor = runtime.make_executor("pause");
  std::promise<void> over;
  executor->post([&] { executor->after(duration, [&] { over.set_value(); }); });
  over.get_future().wait();
}

// The address and trust of a cluster's endpoint.
struct Endpoint {
  runtime::Address address;
  runtime::TlsClient tls;
};

base::Result<Endpoint> endpoint_of(const Value& cluster) {
  const std::string& url = cluster["endpoint"].as_string();
  const auto colon = url.rfind(':');
  const auto pem = base::base64_decode(cluster.at("certificateAuthority", "data").as_string());
  if (!url.starts_with("https://") || colon <= 7 || !pem) {
    return base::fail(base::ErrorCode::unavailable,
                      fmt::format("cluster {} has no endpoint yet; its status is {}",
                                  cluster["name"].as_string(), cluster["status"].as_string()));
  }
  Endpoint endpoint;
  endpoint.address = {std::string(base::without_brackets(url.substr(8, colon - 8))),
                      static_cast<std::uint16_t>(std::atoi(url.c_str() + colon + 1))};
  endpoint.tls.server_name = endpoint.address.host;
  endpoint.tls.ca_pem = *pem;
  return endpoint;
}

base::Result<Value> get_from_cluster(const Session& session, const std::string& name,
                                     const std::string& path) {
  const auto cluster = describe(session, name);
  if (!cluster) return cluster;
  const auto endpoint = endpoint_of(*cluster);
  if (!endpoint) return std::unexpected(endpoint.error());
  http::ClientRequest request;
  request.target = path;
  const std::string token = bearer_token(session.context, name, wall_now(session.runtime));
  request.headers = {{"authorization", "Bearer " + token}, {"accept", "application/json"}};
  auto response =
      call_and_wait(session.runtime, endpoint->address, endpoint->tls, std::move(request));
  if (!response) return std::unexpected(response.error());
  auto document = value::parse_json(response->body);
  if (document && response->status != 200) {
    return base::fail(base::ErrorCode::unauthorized, (*document)["message"].as_string());
  }
  return document;
}

void print_json(const Value& v) {
  fmt::print("{}\n", value::to_pretty_json(v));
}

}  // namespace

base::Result<void> create_cluster(const Session& session, const NewCluster& wanted) {
  Value body = Value::object(
      {{"name", wanted.name},
       {"roleArn", "arn:aws:iam::000000000000:role/keelway-cluster"},
       {"resourcesVpcConfig",
        Value::object({{"subnetIds", Value::array({"subnet-00000001", "subnet-00000002"})}})}});
  if (!wanted.version.empty()) body.set("version", wanted.version);
  auto answer =
      call_signed(session.runtime, session.context, "POST", "/clusters", value::to_json(body));
  if (!answer) return std::unexpected(answer.error());
  Value cluster = (*answer)["cluster"];
  while (wanted.wait && cluster["status"].as_string() == "CREATING") {
    pause(session.runtime, poll_interval);
    auto again = describe(session, wanted.name);
    if (!again) return std::unexpected(again.error());
    cluster = *again;
  }
  if (session.json) {
    print_json(cluster);
  } else {
    fmt::print("{}",
               format_table({"NAME", "VERSION", "STATUS", "ENDPOINT"},
                            {{cluster["name"].as_string(), cluster["version"].as_string(),
                              cluster["status"].as_string(), cluster["endpoint"].as_string()}}));
  }
  const std::string& status = cluster["status"].as_string();
  if (wanted.wait && status != "ACTIVE") {
    return base::fail(base::ErrorCode::unavailable,
                      fmt::format("cluster {} is {}, not ACTIVE", wanted.name, status));
  }
  return {};
}

base::Result<void> list_clusters(const Session& session) {
  Value clusters = Value::array();
  std::string next;
  do {
    const std::string query = next.empty() ? "" : "?nextToken=" + base::percent_encode(next);
    auto page = call_signed(session.runtime, session.context, "GET", "/clusters" + query, "");
    if (!page) return std::unexpected(page.error());
    for (const Value& name : (*page)["clusters"].items()) {
      auto cluster = describe(session, name.as_string());
      if (cluster) clusters.push(*cluster);
    }
    next = (*page)["nextToken"].as_string();
  } while (!next.empty());
  if (session.json) {
    print_json(clusters);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const Value& cluster : clusters.items()) {
    rows.push_back({cluster["name"].as_string(), cluster["version"].as_string(),
                    cluster["status"].as_string(), cluster["endpoint"].as_string()});
  }
  fmt::print("{}", format_table({"NAME", "VERSION", "STATUS", "ENDPOINT"}, rows));
  return {};
}

base::Result<void> delete_cluster(const Session& session, const std::string& name, bool wait) {
  auto answer = call_signed(session.runtime, session.context, "DELETE", path_of(name), "");
  if (!answer) return std::unexpected(answer.error());
  while (wait) {
    const auto left = describe(session, name);
    if (!left && left.error().code == base::ErrorCode::not_found) break;
    if (!left) return std::unexpected(left.error());
    pause(session.runtime, poll_interval);
  }
  if (session.json)
    print_json((*answer)["cluster"]);
  else
    fmt::print("cluster {} {}\n", name, wait ? "deleted" : "is being deleted");
  return {};
}

base::Result<void> list_nodes(const Session& session, const std::string& cluster) {
  const auto answer = get_from_cluster(session, cluster, "/api/v1/nodes");
  if (!answer) return std::unexpected(answer.error());
  std::vector<std::vector<std::string>> rows;
  Value list = Value::array();
  double sum = 0;
  for (const Value& node : (*answer)["items"].items()) {
    const Value& metadata = node["metadata"];
    const Value& labels = metadata["labels"];
    const std::string& cost = metadata.at("annotations", cost_annotation).as_string();
    sum += std::atof(cost.c_str());
    const std::vector<std::string> row = {metadata["name"].as_string(),
                                          labels["node.kubernetes.io/instance-type"].as_string(),
                                          labels["karpenter.sh/capacity-type"].as_string(),
                                          labels["topology.kubernetes.io/zone"].as_string(), cost};
    list.push(Value::object({{"name", row[0]},
                             {"instanceType", row[1]},
                             {"capacityType", row[2]},
                             {"zone", row[3]},
                             {"usdPerHour", std::atof(cost.c_str())}}));
    rows.push_back(row);
  }
  if (session.json) {
    print_json(Value::object({{"nodes", list}, {"usdPerHour", sum}}));
    return {};
  }
  fmt::print("{}", format_table({"NAME", "TYPE", "CAPACITY", "ZONE", "USD/HOUR"}, rows));
  fmt::print("{} node{}, {:.4f} USD an hour\n", rows.size(), rows.size() == 1 ? "" : "s", sum);
  return {};
}

base::Result<void> print_token(const Session& session, const std::string& cluster) {
  const base::WallTime now = wall_now(session.runtime);
  print_json(Value::object(
      {{"apiVersion", "client.authentication.k8s.io/v1beta1"},
       {"kind", "ExecCredential"},
       {"spec", Value::object()},
       {"status", Value::object({{"expirationTimestamp", base::format_rfc3339(now + token_life)},
                                 {"token", bearer_token(session.context, cluster, now)}})}}));
  return {};
}

namespace {

// How kubectl gets its tokens: from the data folder, whatever the shell holds then; or, where the
// server was found by the environment, from there, with the keys of the shell that runs kubectl.
Value token_command(const Session& session, const std::string& cluster,
                    const std::string& program) {
  const Context& context = session.context;
  Value arguments = Value::array({"cluster", "token"});
  Value environment;
  if (context.from_environment) {
    const auto set = [&environment](const char* name, const std::string& value) {
      environment.push(Value::object({{"name", name}, {"value", value}}));
    };
    environment = Value::array();
    set("AWS_ENDPOINT_URL", context.endpoint());
    if (!context.ca_file.empty()) set("AWS_CA_BUNDLE", context.ca_file);
  } else {
    arguments.push("--data");
    arguments.push(session.data_folder);
  }
  for (const std::string& word : {std::string("--region"), context.region, cluster}) {
    arguments.push(word);
  }
  return Value::object({{"apiVersion", "client.authentication.k8s.io/v1beta1"},
                        {"command", program},
                        {"args", std::move(arguments)},
                        {"env", std::move(environment)},
                        {"interactiveMode", "Never"},
                        {"provideClusterInfo", false}});
}

}  // namespace

base::Result<void> print_kubeconfig(const Session& session, const std::string& cluster,
                                    const std::string& program, const std::string& file) {
  const auto found = describe(session, cluster);
  if (!found) return std::unexpected(found.error());
  if (const auto endpoint = endpoint_of(*found); !endpoint) {
    return std::unexpected(endpoint.error());
  }
  const Value& name = (*found)["arn"];
  const Value exec = token_command(session, cluster, program);
  const Value config = Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Config"},
       {"preferences", Value::object()},
       {"current-context", name},
       {"clusters",
        Value::array({Value::object(
            {{"name", name},
             {"cluster", Value::object({{"server", (*found)["endpoint"]},
                                        {"certificate-authority-data",
                                         found->at("certificateAuthority", "data")}})}})})},
       {"contexts",
        Value::array({Value::object(
            {{"name", name}, {"context", Value::object({{"cluster", name}, {"user", name}})}})})},
       {"users", Value::array({Value::object(
                     {{"name", name}, {"user", Value::object({{"exec", exec}})}})})}});
  const std::string text = value::to_yaml(config);
  if (file.empty()) {
    fmt::print("{}", text);
    return {};
  }
  return session.runtime.files().write_private(file, text);
}

}  // namespace keelway::cli
