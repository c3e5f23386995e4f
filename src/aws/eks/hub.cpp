#include "aws/eks/hub.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::aws::eks {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr int page_size_max = 100;

std::string_view partition_of(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  return "aws";
}

Outcome<std::size_t> page_size(const Query& query) {
  if (!query.has("maxResults")) return page_size_max;
  const std::string text = query.first("maxResults");
  int size = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || size < 1) {
    return refuse(constraint("maxResults", text, "have value greater than or equal to 1"));
  }
  if (size > page_size_max) {
    return refuse(constraint("maxResults", text, "have value less than or equal to 100"));
  }
  return static_cast<std::size_t>(size);
}

bool missing_namespace(const schema::Answer<client::Reply>& answer) {
  return !answer && answer.error().code == 404 && answer.error().kind == "namespaces";
}

}  // namespace

std::string hub_namespace(const Caller& caller) {
  return caller.account_id + "-" + caller.region;
}

std::string cluster_arn(const Caller& caller, std::string_view name) {
  return fmt::format("arn:{}:eks:{}:{}:cluster/{}", partition_of(caller.region), caller.region,
                     caller.account_id, name);
}

std::string cluster_object_name(std::string_view arn) {
  return "c-" + base::hex_encode(base::sha256(arn)).substr(0, 20);
}

std::string token_label(std::string_view client_request_token) {
  return base::hex_encode(base::sha256(client_request_token)).substr(0, 40);
}

void find_cluster(const ServicePtr& service, const Caller& caller, const std::string& name,
                  Found done) {
  const std::string object = cluster_object_name(cluster_arn(caller, name));
  service->hub.call(
      client::get_call(resources::clusters, hub_namespace(caller), object),
      [name, done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
        if (answer) return done(std::move(answer->object));
        if (answer.error().code != 404) return done(refuse(from_status(answer.error())));
        done(refuse(resource_not_found(fmt::format("No cluster found for name: {}.", name), name)));
      });
}

void create_on_hub(const ServicePtr& service, const Caller& caller,
                   const client::Resource& resource, Value body, client::ReplyCallback done) {
  client::Call create = client::create_call(resource, hub_namespace(caller), body);
  service->hub.call(create, [service, caller, create,
                             done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
    if (!missing_namespace(answer)) return done(std::move(answer));
    Value name_space =
        Value::object({{"metadata", Value::object({{"name", hub_namespace(caller)}})}});
    service->hub.call(client::create_call(resources::namespaces, "", std::move(name_space)),
                      [service, create = std::move(create),
                       done = std::move(done)](schema::Answer<client::Reply> made) mutable {
                        if (!made && !made.error().is("AlreadyExists"))
                          return done(std::move(made));
                        service->hub.call(std::move(create), std::move(done));
                      });
  });
}

Outcome<Page> paginate(const Query& query, std::string_view kind,
                       const std::vector<std::string>& sorted_keys,
                       const std::function<Value(std::size_t)>& item) {
  const auto size = page_size(query);
  if (!size) return std::unexpected(size.error());
  const std::string prefix = std::string(kind) + ":";
  std::size_t at = 0;
  if (query.has("nextToken")) {
    const auto token = base::base64url_decode(query.first("nextToken"));
    if (!token || !token->starts_with(prefix)) {
      return refuse(invalid_parameter("The nextToken parameter is invalid."));
    }
    const std::string after = token->substr(prefix.size());
    at = static_cast<std::size_t>(std::upper_bound(sorted_keys.begin(), sorted_keys.end(), after) -
                                  sorted_keys.begin());
  }
  Page page{Value::array(), ""};
  const std::size_t end = std::min(sorted_keys.size(), at + *size);
  for (; at < end; ++at) page.items.push(item(at));
  if (end < sorted_keys.size()) {
    page.next_token = base::base64url_encode(prefix + sorted_keys[end - 1]);
  }
  return page;
}

}  // namespace keelway::aws::eks
