// The first line of a request of the Kubernetes API and its negotiation: method, target, Accept,
// Content-Type, a line each.
#include "apiserver/media.h"
#include "apiserver/request_info.h"
#include "base/encoding.h"
#include "fuzz/input.h"

namespace {

namespace apiserver = keelway::apiserver;
namespace base = keelway::base;

// A name or namespace is one segment of the path: what is checked is what is stored.
void check_names(const apiserver::RequestInfo& info, std::string_view method) {
  if (!info.resource_request || info.resource == "watch") return;  // also the prefix of watches
  KEELWAY_INVARIANT(!info.resource.empty(), "a resource request without a resource");
  const apiserver::Query none;
  std::string path = "/api/" + base::percent_encode(info.version);
  if (!info.group.empty()) {
    path = "/apis/" + base::percent_encode(info.group) + "/" + base::percent_encode(info.version);
  }
  const bool of_namespace =
      info.resource == "namespaces" && info.name_space == info.name &&
      (info.subresource.empty() || info.subresource == "status" || info.subresource == "finalize");
  if (!info.name_space.empty() && !of_namespace) {
    path += "/namespaces/" + base::percent_encode(info.name_space);
  }
  for (const std::string& part : {info.resource, info.name, info.subresource}) {
    if (part.empty()) break;
    path += "/" + base::percent_encode(part);
  }
  const auto again = apiserver::read_request_info(method, path, none);
  KEELWAY_INVARIANT(again.has_value(), "our own path does not read: " + path);
  // An escaped slash stays inside of its segment: routing and authorization see one name.
  KEELWAY_INVARIANT(again->resource == info.resource && again->name == info.name &&
                        again->subresource == info.subresource &&
                        again->name_space == info.name_space && again->group == info.group,
                    "the path means another object: " + path);
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::string_view method = input.line();
  const std::string_view target = input.line();
  const std::string_view accept = input.line();
  const std::string_view type = input.line();
  const auto mark = target.find('?');
  const auto query = apiserver::Query::parse(
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
  for (const char* name : {"watch", "fieldSelector", "limit", "timeoutSeconds"}) {
    if (!query.has(name)) {
      KEELWAY_INVARIANT(query.all(name).empty() && !query.flag(name), "an absent parameter");
    }
  }
  static_cast<void>(apiserver::name_of_field_selector(query.get("fieldSelector")));
  const auto info = apiserver::read_request_info(method, target.substr(0, mark), query);
  if (info) check_names(*info, method);
  for (const bool protobuf : {false, true}) {
    const apiserver::Offer offer{.protobuf = protobuf, .transform = true};
    const auto media = apiserver::negotiate(accept, offer);
    KEELWAY_INVARIANT(!media || protobuf || media->encoding != apiserver::Encoding::protobuf,
                      "a form that was not offered");
  }
  static_cast<void>(apiserver::parse_accept(accept));
  static_cast<void>(apiserver::body_encoding(type));
  return 0;
}
