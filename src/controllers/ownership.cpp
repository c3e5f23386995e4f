#include "controllers/ownership.h"

#include <algorithm>

namespace keelway::controllers {
namespace {

// uid and resourceVersion in a patch are preconditions.
reconcile::Action patch_owners(const client::Resource& resource, const client::Object& object,
                               value::Array owners) {
  value::Value metadata =
      value::Value::object({{"uid", object.uid()},
                            {"resourceVersion", std::to_string(object.revision())},
                            {"ownerReferences", value::Value(std::move(owners))}});
  return {client::merge_patch_call(resource, object.name_space(), object.name(),
                                   value::Value::object({{"metadata", std::move(metadata)}})),
          {"NotFound"},
          ""};
}

}  // namespace

value::Value controller_reference(const client::Resource& resource, const client::Object& owner) {
  return value::Value::object({{"apiVersion", resource.api_version()},
                               {"kind", resource.kind},
                               {"name", owner.name()},
                               {"uid", owner.uid()},
                               {"controller", true},
                               {"blockOwnerDeletion", true}});
}

reconcile::Action adopt(const client::Resource& resource, const client::Object& object,
                        const client::Resource& owner_resource, const client::Object& owner) {
  value::Array owners = object.value().at("metadata", "ownerReferences").items();
  owners.push_back(controller_reference(owner_resource, owner));
  return patch_owners(resource, object, std::move(owners));
}

reconcile::Action release(const client::Resource& resource, const client::Object& object,
                          const std::vector<std::string_view>& uids) {
  value::Array kept;
  const value::Value document = object.value();
  for (const value::Value& owner : document.at("metadata", "ownerReferences").items()) {
    if (std::find(uids.begin(), uids.end(), owner["uid"].as_string()) == uids.end()) {
      kept.push_back(owner);
    }
  }
  return patch_owners(resource, object, std::move(kept));
}

reconcile::Action remove_exactly(const client::Resource& resource, const client::Object& object,
                                 std::string_view propagation) {
  return {client::remove_call(resource, object.name_space(), object.name(),
                              client::delete_options(object.uid(), propagation)),
          {"NotFound", "Conflict"},
          ""};
}

}  // namespace keelway::controllers
