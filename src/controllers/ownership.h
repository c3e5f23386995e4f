// ownerReferences: making, adopting, releasing.
#pragma once

#include <string_view>
#include <vector>

#include "client/client.h"
#include "reconcile/loop.h"

namespace keelway::controllers {

// A controller reference that blocks foreground deletion.
value::Value controller_reference(const client::Resource& resource, const client::Object& owner);

// Adds `owner` as the controller; refused by the server if the object was replaced meanwhile.
reconcile::Action adopt(const client::Resource& resource, const client::Object& object,
                        const client::Resource& owner_resource, const client::Object& owner);

// Takes the owners with these uids away, of the owners as they are in `object`.
reconcile::Action release(const client::Resource& resource, const client::Object& object,
                          const std::vector<std::string_view>& uids);

// A delete of exactly this object; "gone already" and "replaced already" are fine.
reconcile::Action remove_exactly(const client::Resource& resource, const client::Object& object,
                                 std::string_view propagation = "");

}  // namespace keelway::controllers
