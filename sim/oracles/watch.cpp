#include "sim/oracles/watch.h"

#include <fmt/core.h>

namespace keelway::sim {

void WatchOracle::begin_life() {
  begun_ = false;
}

void WatchOracle::complain(const client::Change& change, const std::string& what) {
  if (complaint_) return;
  const auto& named = change.object ? change.object : change.previous;
  complaint_ = fmt::format("feed of {}: {}/{}: {}", change.resource.resource, named->name_space(),
                           named->name(), what);
}

void WatchOracle::look(const client::ChangeBatch& batch, const client::LocalView& view) {
  if (batch.revision < highest_ && !complaint_) {
    complaint_ =
        fmt::format("a feed stands at revision {} after it stood at {}", batch.revision, highest_);
  }
  Earlier earlier;
  for (const client::Change& change : batch.changes) {
    if (begun_) {
      look_at(change, view, earlier);
    } else if (change.previous || !change.object) {
      complain(change, "a change before the state");
    }
    if (change.object && change.object->revision() > batch.revision) {
      complain(change, "a revision beyond its batch");
    }
  }
  begun_ = true;
  highest_ = std::max(highest_, batch.revision);
}

void WatchOracle::look_at(const client::Change& change, const client::LocalView& view,
                          Earlier& earlier) {
  const auto& named = change.object ? change.object : change.previous;
  if (!named) {
    if (!complaint_) complaint_ = "a change of nothing";
    return;
  }
  // A batch may hold several revisions of one object.
  const std::string key =
      fmt::format("{}/{}/{}", change.resource.resource, named->name_space(), named->name());
  const auto before = earlier.find(key);
  const client::ObjectPtr known =
      before != earlier.end() ? before->second
                              : view.get(change.resource, named->name_space(), named->name());
  earlier[key] = change.object;
  if ((known == nullptr) != (change.previous == nullptr)) {
    return complain(change, known ? "came although it was there" : "changed and was never there");
  }
  if (known && known->revision() != change.previous->revision()) {
    return complain(change, fmt::format("told as a change of revision {}, known at {}",
                                        change.previous->revision(), known->revision()));
  }
  if (known && change.object && change.object->revision() <= known->revision()) {
    return complain(change, fmt::format("revision {} told after {}", change.object->revision(),
                                        known->revision()));
  }
  if (change.object && change.object->revision() <= highest_) {
    complain(change, fmt::format("revision {} told after the feed stood at {}",
                                 change.object->revision(), highest_));
  }
}

Complaint view_equals_list(const client::View& view, const client::Resource& resource,
                           const value::Value& list) {
  const auto known = view.list(resource);
  const auto& items = list["items"];
  if (known.size() != items.size()) {
    return fmt::format("the feed of {} holds {} objects, a list {}", resource.resource,
                       known.size(), items.size());
  }
  for (const value::Value& item : items.items()) {
    const auto& metadata = item["metadata"];
    const auto object =
        view.get(resource, metadata["namespace"].as_string(), metadata["name"].as_string());
    if (!object) {
      return fmt::format("{} {} is in a list and not in the feed", resource.resource,
                         metadata["name"].as_string());
    }
    if (!(object->value()["metadata"] == metadata) || !(object->value()["spec"] == item["spec"]) ||
        !(object->value()["status"] == item["status"]) ||
        !(object->value()["data"] == item["data"])) {
      return fmt::format("{} {} reads otherwise in a list (revision {}) than in the feed ({})",
                         resource.resource, object->name(), metadata["resourceVersion"].as_string(),
                         object->revision());
    }
  }
  return std::nullopt;
}

}  // namespace keelway::sim
