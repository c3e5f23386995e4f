#include "cli/http_call.h"

#include <fmt/core.h>

#include <future>

#include "base/encoding.h"
#include "base/host.h"
#include "value/json.h"
#include "wire/sigv4.h"

namespace keelway::cli {
namespace {

// How long a presigned token address says it holds; the server accepts it for 15 minutes.
constexpr auto token_expiry = std::chrono::seconds(60);

base::Result<std::optional<runtime::TlsClient>> trust(runtime::Runtime& runtime,
                                                      const Context& context) {
  if (!context.tls) return std::nullopt;
  runtime::TlsClient tls;
  tls.server_name = context.host;
  if (!context.ca_file.empty()) {
    auto pem = runtime.files().read(context.ca_file);
    if (!pem) return std::unexpected(pem.error());
    tls.ca_pem = std::move(*pem);
  }
  return tls;
}

std::string message_of(const http::Response& response) {
  const auto document = value::parse_json(response.body);
  if (document && (*document)["message"].is_string()) return (*document)["message"].as_string();
  return fmt::format("the server answered {}: {}", response.status, response.body.substr(0, 200));
}

}  // namespace

base::WallTime wall_now(runtime::Runtime& runtime) {
  auto executor = runtime.make_executor("clock");
  std::promise<base::WallTime> now;
  executor->post([&] { now.set_value(executor->wall_now()); });
  return now.get_future().get();
}

base::Result<http::Response> call_and_wait(runtime::Runtime& runtime, runtime::Address origin,
                                           std::optional<runtime::TlsClient> tls,
                                           http::ClientRequest request) {
  auto executor = runtime.make_executor("call");
  std::promise<base::Result<http::Response>> answered;
  std::promise<void> closed;
  std::unique_ptr<http::Client> client;
  executor->post([&] {
    client = http::make_client(runtime, *executor, std::move(origin), std::move(tls));
    client->request(std::move(request), [&](base::Result<http::Response> response) {
      answered.set_value(std::move(response));
    });
  });
  auto response = answered.get_future().get();
  executor->post([&] {
    client.reset();
    closed.set_value();
  });
  closed.get_future().wait();
  return response;
}

base::Result<value::Value> call_signed(runtime::Runtime& runtime, const Context& context,
                                       std::string method, std::string target, std::string body,
                                       std::string_view service) {
  http::ClientRequest request;
  request.headers = {{"host", base::host_and_port(context.host, context.port)}};
  if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
  wire::sigv4::sign_headers(method, target, request.headers, body,
                            {context.access_key, context.secret_key, context.session_token},
                            {context.region, std::string(service)}, wall_now(runtime));
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  auto tls = trust(runtime, context);
  if (!tls) return std::unexpected(tls.error());
  auto response =
      call_and_wait(runtime, {context.host, context.port}, std::move(*tls), std::move(request));
  if (!response) {
    return base::fail(response.error().code,
                      fmt::format("{} cannot be reached: {}; is `keelway up` running?",
                                  context.endpoint(), response.error().message));
  }
  if (response->status / 100 != 2) {
    const bool missing = response->status == 404;
    return base::fail(missing ? base::ErrorCode::not_found : base::ErrorCode::invalid,
                      message_of(*response));
  }
  if (response->body.empty()) return value::Value::object();
  return value::parse_json(response->body);
}

std::string bearer_token(const Context& context, const std::string& cluster, base::WallTime now) {
  const std::string host = fmt::format("sts.{}.amazonaws.com", context.region);
  const std::string target =
      wire::sigv4::presign("GET", "/?Action=GetCallerIdentity&Version=2011-06-15",
                           {{"host", host}, {"x-k8s-aws-id", cluster}},
                           {context.access_key, context.secret_key, context.session_token},
                           {context.region, "sts"}, now, token_expiry);
  return "k8s-aws-v1." + base::base64url_encode(fmt::format("https://{}{}", host, target));
}

}  // namespace keelway::cli
