#include "schema/managed_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "schema/ownership.h"
#include "schema/typed_fields.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::string_view kBeforeApply = "before-first-apply";
constexpr std::size_t kEntriesCapped = 10;  // cap_updaters() may have to fold some

// Nobody owns these: the server sets them.
const FieldSet& system_fields() {
  static const FieldSet system = [] {
    FieldSet fields;
    fields.insert("f:apiVersion");
    fields.insert("f:kind");
    fields.insert("f:metadata");
    for (const std::string_view name :
         {"f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:clusterName",
          "f:generation", "f:managedFields", "f:resourceVersion"}) {
      fields.at("f:metadata").insert(name);
    }
    return fields;
  }();
  return system;
}

void strip_system_fields(FieldSet& set) {
  set.subtract(system_fields());
}

// What this kind of write does not change, whatever the client sent.
void strip_reset_fields(const Kind& kind, std::string_view subresource, FieldSet& set) {
  if (subresource == "status" || subresource == "approval") {
    set.erase_tree({"f:spec"});
    if (kind.custom) set.erase_tree({"f:metadata"});
    if (kind.group == "apps" && kind.kind == "Deployment") {
      set.erase_tree({"f:metadata", "f:labels"});
    }
  } else if (kind.has_status) {
    set.erase_tree({"f:status"});
  }
}

Comparison compare_writes(const Kind& kind, const Shape& root, const Value& before,
                          const Value& after, std::string_view subresource) {
  Comparison result = compare(&root, before, after, !kind.custom);
  for (FieldSet* set : {&result.added, &result.modified, &result.removed}) {
    strip_reset_fields(kind, subresource, *set);
  }
  return result;
}

Value without_managed_fields(const Value& object) {
  if (object["metadata"].find("managedFields") == nullptr) return object;
  Value copy = object;
  copy.mutate("metadata").erase("managedFields");
  return copy;
}

void set_managed_fields(Value& object, const Owners& owners) {
  Value entries = write_owners(owners);
  if (!entries.empty())
    object.mutate("metadata").set("managedFields", std::move(entries));
  else if (object["metadata"].is_object())
    object.mutate("metadata").erase("managedFields");
}

Value empty_object(const Value& like) {
  return Value::object({{"apiVersion", like["apiVersion"]}, {"kind", like["kind"]}});
}

void drop_empty(Owners& owners) {
  std::erase_if(owners, [](const auto& entry) { return entry.second.fields.empty(); });
}

// Records an update: what changed now belongs to `id`, and to nobody else.
void record_update(Owners& owners, const ManagerId& id, Comparison change,
                   const std::string& api_version, base::WallTime now) {
  FieldSet taken = std::move(change.added);
  taken.unite(change.modified);
  for (auto& [other, owned] : owners) {
    owned.fields.subtract(taken);
    owned.fields.subtract(change.removed);
  }
  strip_system_fields(taken);
  if (!taken.empty()) {
    Owned& mine = owners[id];
    if (mine.fields.empty())
      mine.fields = std::move(taken);
    else
      mine.fields.unite(taken);
    mine.api_version = api_version;
    mine.time = base::format_rfc3339(now);
  }
  drop_empty(owners);
}

// --- apply ---------------------------------------------------------------------------------

struct Conflict {
  const ManagerId* owner;
  std::string path;
};

std::string owner_text(const ManagerId& id) {
  std::string text = value::to_json(Value(id.manager));
  if (!id.subresource.empty()) {
    text += " with subresource " + value::to_json(Value(id.subresource));
  }
  if (!id.apply) text += " using " + id.api_version;
  return text;
}

Status conflict_status(const std::vector<Conflict>& conflicts) {
  Status status;
  status.code = 409;
  status.reason = "Conflict";
  for (const Conflict& conflict : conflicts) {
    status.causes.push_back(
        {"FieldManagerConflict", "conflict with " + owner_text(*conflict.owner), conflict.path});
  }
  if (conflicts.size() == 1) {
    status.message = fmt::format("Apply failed with 1 conflict: conflict with {}: {}",
                                 owner_text(*conflicts[0].owner), conflicts[0].path);
    return status;
  }
  status.message = fmt::format("Apply failed with {} conflicts: ", conflicts.size());
  const ManagerId* last = nullptr;
  for (const Conflict& conflict : conflicts) {
    if (last == nullptr || !(*last == *conflict.owner)) {
      status.message += fmt::format("{}conflicts with {}:", last == nullptr ? "" : "\n",
                                    owner_text(*conflict.owner));
      last = conflict.owner;
    }
    status.message += "\n- " + conflict.path;
  }
  return status;
}

Status typing_status(const Kind& kind, const Value& config, std::string_view why) {
  Status status;
  status.code = 500;
  status.message = fmt::format("failed to create typed patch object ({}/{}; {}/{}, Kind={}): {}",
                               config.at("metadata", "namespace").as_string(),
                               config.at("metadata", "name").as_string(), kind.group, kind.version,
                               kind.kind, why);
  return status;
}

// Takes away what `last` had, nobody owns any more, and nothing owned lies in.
Value prune(const Shape& root, const Value& merged, const Owners& owners, const FieldSet& last) {
  const FieldSet last_named = with_named_fields(&root, last);
  const FieldSet all = with_named_fields(&root, to_field_set(&root, merged));
  FieldSet keep =
      with_named_fields(&root, to_field_set(&root, remove_items(&root, merged, last_named)));
  for (const auto& [id, owned] : owners) keep.unite(with_named_fields(&root, owned.fields));
  FieldSet unowned = all;
  unowned.subtract(keep);
  const FieldSet remaining =
      with_named_fields(&root, to_field_set(&root, remove_items(&root, merged, unowned)));
  FieldSet gone = all;
  gone.subtract(remaining);
  return remove_items(&root, merged, gone.intersect(last_named));
}

// Fields that `kubectl apply` on the client's side wrote and that still stand as it wrote them:
// going over to server-side apply takes them without conflict.
FieldSet last_applied_fields(const Shape& root, const Value& live) {
  const Value& text = live.at("metadata", "annotations", kLastApplied);
  const auto applied = value::parse_json(text.as_string());
  if (!text.is_string() || !applied || !applied->is_object()) return {};
  FieldSet fields = to_field_set(&root, *applied);
  const Comparison change = compare(&root, *applied, live, false);
  fields.subtract(change.modified);
  fields.subtract(change.added);
  fields.subtract(change.removed);
  return fields;
}

// One apply: holds what its steps share.
class Applier {
 public:
  Applier(const Kind& kind, const Value* live, const Value& config, const ManagerContext& context)
      : kind_(kind),
        root_(root_shape(kind)),
        context_(context),
        config_(config),
        live_(live != nullptr ? without_managed_fields(*live) : empty_object(config)),
        id_{context.manager, true, "", context.subresource} {
    if (live != nullptr) {
      owners_ = read_owners(live->at("metadata", "managedFields")).value_or(Owners());
      before_ = owners_;
      if (owners_.empty()) record_first(*live);
    }
  }

  Answer<Value> run(bool force) {
    Value merged = merge_typed(&root_, live_, config_);
    const FieldSet last = owners_[id_].fields;
    FieldSet set = to_field_set(&root_, config_);
    strip_reset_fields(kind_, context_.subresource, set);
    owners_[id_].fields = set;
    owners_[id_].api_version = kind_.api_version();
    if (!set.contains(last)) {
      merged = prune(root_, merged, owners_, last);
      if (!merged.is_object()) merged = empty_object(config_);
    }
    const Comparison change = compare_writes(kind_, root_, live_, merged, context_.subresource);
    if (auto status = take_over(change, force)) return std::unexpected(std::move(*status));
    strip_system_fields(owners_[id_].fields);
    drop_empty(owners_);
    sync_last_applied(merged);
    const bool changed = !(merged == live_);
    const auto mine = owners_.find(id_);
    if (mine != owners_.end() && (changed || !same_fields())) {
      mine->second.time = base::format_rfc3339(context_.now);
    }
    cap_updaters(owners_);
    set_managed_fields(merged, owners_);
    return merged;
  }

 private:
  // An object that nobody tracked: all of it belongs to who came before.
  void record_first(const Value& live) {
    Comparison change =
        compare_writes(kind_, root_, empty_object(live), live_, context_.subresource);
    const ManagerId id{std::string(kBeforeApply), false, kind_.api_version(), context_.subresource};
    record_update(owners_, id, std::move(change), kind_.api_version(), context_.now);
  }

  bool same_fields() const {
    if (before_.size() != owners_.size()) return false;
    return std::equal(before_.begin(), before_.end(), owners_.begin(),
                      [](const auto& a, const auto& b) {
                        return a.first == b.first && a.second.fields == b.second.fields &&
                               a.second.api_version == b.second.api_version;
                      });
  }

  // Fields that change and belong to others: conflicts, or taken with force.
  std::optional<Status> take_over(const Comparison& change, bool force) {
    FieldSet changed = change.modified;
    changed.unite(change.added);
    std::vector<Conflict> conflicts;
    FieldSet allowed;
    const bool from_kubectl = context_.manager == "kubectl";
    if (!force && from_kubectl) allowed = last_applied_fields(root_, live_);
    for (const auto& [id, owned] : owners_) {
      if (id == id_ || force) continue;
      FieldSet theirs = owned.fields.intersect(changed);
      theirs.subtract(allowed);
      for (std::string& path : theirs.paths()) conflicts.push_back({&id, std::move(path)});
    }
    if (!conflicts.empty()) return conflict_status(conflicts);
    for (auto& [id, owned] : owners_) {
      if (id == id_) continue;
      owned.fields.subtract(changed);
      owned.fields.subtract(change.removed);
    }
    return std::nullopt;
  }

  // Keeps the annotation of client-side apply in step, so that going back works, too.
  void sync_last_applied(Value& merged) const {
    if (context_.manager != "kubectl") return;
    if (!merged.at("metadata", "annotations", kLastApplied).is_string()) return;
    Value applied = without_managed_fields(config_);
    if (applied.at("metadata", "annotations").contains(kLastApplied)) {
      applied.mutate("metadata", "annotations").erase(kLastApplied);
    }
    merged.mutate("metadata", "annotations").set(kLastApplied, value::to_json(applied) + "\n");
  }

  const Kind& kind_;
  const Shape root_;
  const ManagerContext& context_;
  const Value& config_;
  const Value live_;
  const ManagerId id_;
  Owners owners_, before_;
};

// Whether some path is in both: in a set, and in an entry's fields, which are in our own text.
bool meets(const Value& fields, const FieldSet& set) {
  for (const auto& [element, child] : set.children) {
    const Value* mine = fields.find(element);
    if (mine == nullptr) continue;
    const bool is_member = mine->empty() || mine->contains(".");
    if ((is_member && child.member) || meets(*mine, child)) return true;
  }
  return false;
}

bool is_of(const Value& entry, const ManagerId& id) {
  return entry["operation"].as_string() == "Update" && entry["manager"].as_string() == id.manager &&
         entry["apiVersion"].as_string() == id.api_version &&
         entry["subresource"].as_string() == id.subresource;
}

// What record_update says, for entries as this program writes them: those that the change does not
// touch are not read and stay as they are, shared with the object before.
Value record_in_entries(const Value& entries, const ManagerId& id, const Comparison& change,
                        base::WallTime now) {
  FieldSet taken = change.added;
  taken.unite(change.modified);
  FieldSet gained = taken;
  strip_system_fields(gained);
  Owned mine{{}, id.api_version, base::format_rfc3339(now)};
  if (taken.empty() && change.removed.empty()) return entries;
  value::Array kept;
  for (const Value& entry : entries.items()) {
    const bool is_mine = !gained.empty() && is_of(entry, id);
    const Value& fields = entry["fieldsV1"];
    if (!is_mine && !meets(fields, taken) && !meets(fields, change.removed)) {
      kept.push_back(entry);
      continue;
    }
    FieldSet left = FieldSet::from_fields_v1(fields);
    left.subtract(taken);
    left.subtract(change.removed);
    if (is_mine) {
      mine.fields = std::move(left);
    } else if (!left.empty()) {
      Value shorter = entry;
      shorter.set("fieldsV1", left.to_fields_v1());
      kept.push_back(std::move(shorter));
    }
  }
  if (!gained.empty()) {
    mine.fields.unite(gained);
    kept.push_back(write_owner(id, mine));
  }
  sort_entries(kept);
  return Value(std::move(kept));
}

Value track_in_entries(const Kind& kind, const Value& old, const Value& entries, Value updated,
                       const ManagerContext& context) {
  if (updated["metadata"].find("managedFields") != nullptr) {
    updated.mutate("metadata").erase("managedFields");
  }
  const Shape root = root_shape(kind);
  const Comparison change =
      compare_writes(kind, root, without_managed_fields(old), updated, context.subresource);
  const ManagerId id{context.manager, false, kind.api_version(), context.subresource};
  Value recorded = record_in_entries(entries, id, change, context.now);
  if (!recorded.empty()) updated.mutate("metadata").set("managedFields", std::move(recorded));
  return updated;
}

Value without_times(const Value& object) {
  value::Array entries = object.at("metadata", "managedFields").items();
  for (Value& entry : entries) entry.erase("time");
  std::vector<std::string> texts;
  for (const Value& entry : entries) texts.push_back(value::to_json(entry));
  std::sort(texts.begin(), texts.end());  // their order follows the times
  Value result = Value::array();
  for (std::string& text : texts) result.push(std::move(text));
  return result;
}

}  // namespace

Answer<Value> apply(const Kind& kind, const Value* live, const Value& config,
                    const ManagerContext& context, bool force) {
  const Value& sent = config.at("metadata", "managedFields");
  if (sent.is_array() && !sent.empty()) {
    return std::unexpected(bad_request("metadata.managedFields must be nil"));
  }
  const Shape root = root_shape(kind);
  if (const auto why = typing_error(&root, config)) {
    return std::unexpected(typing_status(kind, config, *why));
  }
  const Value clean = without_managed_fields(config);
  return Applier(kind, live, clean, context).run(force);
}

Value track_update(const Kind& kind, const Value* old, Value updated,
                   const ManagerContext& context) {
  // Writes of subresources carry stale lists.
  const bool is_main = context.subresource.empty();
  const Value sent = is_main ? updated.at("metadata", "managedFields") : Value();
  if (old != nullptr) {
    const Value& entries = old->at("metadata", "managedFields");
    const bool as_before = sent.is_null() || sent == entries;
    if (as_before && !entries.empty() && entries.size() < kEntriesCapped) {
      return track_in_entries(kind, *old, entries, std::move(updated), context);
    }
  }
  Owners owners;
  if (!is_reset(sent)) {
    const auto read = read_owners(sent);
    if (read && !read->empty())
      owners = *read;
    else if (old != nullptr) {
      owners = read_owners(old->at("metadata", "managedFields")).value_or(Owners());
    }
  }
  if (updated["metadata"].find("managedFields") != nullptr) {
    updated.mutate("metadata").erase("managedFields");
  }
  if (owners.empty() && old != nullptr) return updated;  // untracked objects stay so
  const Shape root = root_shape(kind);
  const Value before = old != nullptr ? without_managed_fields(*old) : empty_object(updated);
  const ManagerId id{context.manager, false, kind.api_version(), context.subresource};
  if (owners.empty()) {  // a create: all there is belongs to its one writer
    Owned mine{changed_fields(&root, before, updated, !kind.custom, system_fields()),
               id.api_version, base::format_rfc3339(context.now)};
    strip_reset_fields(kind, context.subresource, mine.fields);
    if (!mine.fields.empty()) {
      updated.mutate("metadata").set("managedFields", Value::array({write_owner(id, mine)}));
    }
    return updated;
  }
  Comparison change = compare_writes(kind, root, before, updated, context.subresource);
  record_update(owners, id, std::move(change), kind.api_version(), context.now);
  cap_updaters(owners);
  set_managed_fields(updated, owners);
  return updated;
}

Value keep_times_if_unchanged(const Value& old, Value updated) {
  Value before = without_managed_fields(old), after = without_managed_fields(updated);
  for (Value* v : {&before, &after}) {
    if ((*v)["metadata"].contains("resourceVersion"))
      v->mutate("metadata").erase("resourceVersion");
  }
  if (!(before == after)) return updated;
  if (!(without_times(old) == without_times(updated))) return updated;
  return old;
}

}  // namespace keelway::schema
