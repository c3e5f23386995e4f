// The entries of metadata.managedFields as sets, and their text form.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "schema/field_set.h"
#include "value/value.h"

namespace keelway::schema {

// Who an entry belongs to. An applier is one and the same in every version.
struct ManagerId {
  std::string manager;
  bool apply = false;
  std::string api_version;  // of updates
  std::string subresource;
  auto operator<=>(const ManagerId&) const = default;
};

struct Owned {
  FieldSet fields;
  std::string api_version;
  std::string time;  // RFC 3339; may be empty
};

using Owners = std::map<ManagerId, Owned>;

// nullopt if the list is not one of managed fields, so that the caller takes the old one.
std::optional<Owners> read_owners(const value::Value& managed_fields);
// Entries without fields are left out. Appliers first, then by time and name, as upstream.
value::Value write_owner(const ManagerId& id, const Owned& owned);
value::Value write_owners(const Owners& owners);
// Into that order.
void sort_entries(value::Array& entries);

// True for [] and [{}], by which a client asks to forget all owners.
bool is_reset(const value::Value& managed_fields);

// Folds the oldest updaters into "ancient-changes" until no more than ten are left.
void cap_updaters(Owners& owners);

}  // namespace keelway::schema
