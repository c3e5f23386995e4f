#include "sim/users/wire_client.h"

#include <fmt/core.h>

#include "value/json.h"

namespace keelway::sim {
namespace {

using client::Verb;

// A user does not wait for ever.
constexpr auto patience = std::chrono::seconds(20);

const char* method_of(Verb verb) {
  switch (verb) {
    case Verb::create:
      return "POST";
    case Verb::update:
      return "PUT";
    case Verb::patch:
      return "PATCH";
    case Verb::remove:
    case Verb::remove_collection:
      return "DELETE";
    default:
      return "GET";
  }
}

schema::Answer<client::Reply> read_answer(const base::Result<http::Response>& response) {
  if (!response) return std::unexpected(schema::timeout(response.error().message, 1));
  const auto body = value::parse_json(response->body);
  if (response->status >= 400) {
    schema::Status status = body ? schema::Status::from_value(*body) : schema::Status{};
    status.code = response->status;
    if (status.message.empty()) status.message = response->body;
    return std::unexpected(status);
  }
  if (!body) {
    return std::unexpected(schema::internal_error("an answer that is no JSON: " + response->body));
  }
  return client::Reply{*body, 0};
}

}  // namespace

void WireClient::aim(const runtime::Address& server) {
  if (http_ && server.host == server_.host && server.port == server_.port) return;
  server_ = server;
  auto& way = ways_[{server_.host, server_.port}];
  if (!way) way = http::make_client(runtime_, executor_, server_, runtime::TlsClient{});
  http_ = way.get();
}

std::string WireClient::path_of(const client::Call& call) {
  const client::Resource& resource = call.resource;
  std::string path = resource.group.empty()
                         ? "/api/" + resource.version
                         : fmt::format("/apis/{}/{}", resource.group, resource.version);
  if (resource.namespaced && !call.name_space.empty()) path += "/namespaces/" + call.name_space;
  path += "/" + resource.resource;
  if (!call.name.empty() && (call.verb != Verb::create || !call.subresource.empty())) {
    path += "/" + call.name;
  }
  if (!call.subresource.empty()) path += "/" + call.subresource;
  return path;
}

std::vector<http::Header> WireClient::headers(const std::string& token) const {
  std::vector<http::Header> headers = {{"accept", "application/json"}, {"user-agent", "sim"}};
  if (!token.empty()) headers.emplace_back("authorization", "Bearer " + token);
  return headers;
}

void WireClient::call(client::Call call, client::ReplyCallback done) {
  if (!ready()) {
    executor_.post([done = std::move(done), alive = alive_]() mutable {
      if (*alive) done(std::unexpected(schema::timeout("the way to the cluster is not known", 1)));
    });
    return;
  }
  http::ClientRequest request;
  request.method = method_of(call.verb);
  request.target = path_of(call);
  request.headers = headers(token_);
  request.timeout = patience;
  if (!call.body.is_null()) {
    if (call.verb == Verb::create || call.verb == Verb::update) {
      if (!call.body.contains("kind") && call.subresource.empty()) {
        call.body.set("kind", call.resource.kind);
        call.body.set("apiVersion", call.resource.api_version());
      }
    }
    request.body = value::to_json(call.body);
    request.headers.emplace_back("content-type",
                                 call.verb == Verb::patch ? call.patch_type : "application/json");
  }
  http_->request(std::move(request), [done = std::move(done), alive = alive_](
                                         base::Result<http::Response> response) mutable {
    if (*alive) done(read_answer(response));
  });
}

void WireClient::get_as(const std::string& token, const std::string& target, Heard done) {
  if (http_ == nullptr) {
    executor_.post([done = std::move(done), alive = alive_]() mutable {
      if (*alive) done(0, "");
    });
    return;
  }
  http::ClientRequest request;
  request.target = target;
  request.headers = headers(token);
  request.timeout = patience;
  http_->request(std::move(request), [done = std::move(done), alive = alive_](
                                         base::Result<http::Response> response) mutable {
    if (!*alive) return;
    if (!response) return done(0, "");
    done(response->status, std::move(response->body));
  });
}

std::unique_ptr<http::PendingRequest> WireClient::watch(const std::string& target,
                                                        http::ResponseEvents events) {
  if (!ready()) return nullptr;
  http::ClientRequest request;
  request.target = target;
  request.headers = headers(token_);
  request.timeout = patience;
  return http_->stream(std::move(request), std::move(events));
}

}  // namespace keelway::sim
