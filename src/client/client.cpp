#include "client/client.h"

namespace keelway::client {
namespace {

Call call_of(Verb verb, const Resource& r, std::string name_space) {
  Call call;
  call.verb = verb;
  call.resource = r;
  call.name_space = std::move(name_space);
  return call;
}

}  // namespace

Call get_call(const Resource& r, std::string name_space, std::string name) {
  Call call = call_of(Verb::get, r, std::move(name_space));
  call.name = std::move(name);
  return call;
}

Call create_call(const Resource& r, std::string name_space, value::Value body) {
  Call call = call_of(Verb::create, r, std::move(name_space));
  call.body = std::move(body);
  return call;
}

Call list_call(const Resource& r, std::string name_space, std::string label_selector) {
  Call call = call_of(Verb::list, r, std::move(name_space));
  call.label_selector = std::move(label_selector);
  return call;
}

Call list_one_call(const Resource& r, std::string name_space, std::string label_selector) {
  Call call = list_call(r, std::move(name_space), std::move(label_selector));
  call.limit = 1;
  return call;
}

Call update_call(const Resource& r, value::Value body, std::string subresource) {
  Call call = call_of(Verb::update, r, body.at("metadata", "namespace").as_string());
  call.name = body.at("metadata", "name").as_string();
  call.subresource = std::move(subresource);
  call.body = std::move(body);
  return call;
}

Call merge_patch_call(const Resource& r, std::string name_space, std::string name,
                      value::Value patch, std::string subresource) {
  Call call = call_of(Verb::patch, r, std::move(name_space));
  call.name = std::move(name);
  call.subresource = std::move(subresource);
  call.patch_type = "application/merge-patch+json";
  call.body = std::move(patch);
  return call;
}

Call remove_call(const Resource& r, std::string name_space, std::string name,
                 value::Value delete_options) {
  Call call = call_of(Verb::remove, r, std::move(name_space));
  call.name = std::move(name);
  call.body = std::move(delete_options);
  return call;
}

value::Value delete_options(std::string_view uid, std::string_view propagation) {
  value::Value options = value::Value::object({{"kind", "DeleteOptions"}, {"apiVersion", "v1"}});
  if (!uid.empty()) options.mutate("preconditions").set("uid", uid);
  if (!propagation.empty()) options.set("propagationPolicy", propagation);
  return options;
}

}  // namespace keelway::client
