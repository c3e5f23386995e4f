#include "sim/oracles/acknowledged.h"

#include <fmt/core.h>

#include "client/resources.h"

namespace keelway::sim {

namespace resources = client::resources;
using client::Verb;
using value::Value;

std::optional<client::Call> AcknowledgedWrites::next(base::Random& random) {
  if (under_way_) return std::nullopt;
  Write write;
  write.value = fmt::format("value-{}", ++asked_);
  std::vector<std::string> there;  // known to exist
  for (const auto& [name, values] : possible_) {
    if (values.size() == 1 && !values.begin()->empty()) there.push_back(name);
  }
  if (there.size() > 3 && random.chance(0.5)) {
    write.name = there[random.below(there.size())];
    write.verb = random.chance(0.3) ? Verb::remove : Verb::patch;
    if (write.verb == Verb::remove) write.value.clear();
  } else {
    write.name = fmt::format("ack-{}", asked_);
    possible_[write.name] = {""};
  }
  under_way_ = write;
  const Value data = Value::object({{"value", write.value}});
  switch (write.verb) {
    case Verb::create:
      return client::create_call(
          resources::config_maps, name_space_,
          Value::object({{"metadata", Value::object({{"name", write.name}})}, {"data", data}}));
    case Verb::patch:
      return client::merge_patch_call(resources::config_maps, name_space_, write.name,
                                      Value::object({{"data", data}}));
    default:
      return client::remove_call(resources::config_maps, name_space_, write.name);
  }
}

void AcknowledgedWrites::answered(const schema::Answer<client::Reply>& answer) {
  if (!under_way_) return;
  const Write& write = *under_way_;
  // Names are used once, so these say that an earlier copy of the same call has done it.
  const bool done_twice =
      !answer && ((write.verb == Verb::create && answer.error().is("AlreadyExists")) ||
                  (write.verb == Verb::remove && answer.error().is("NotFound")));
  if (answer || done_twice) {
    possible_[write.name] = {write.value};
    ++acknowledged_;
  } else if (answer.error().code >= 500 || answer.error().is("Timeout")) {
    return unknown();
  } else if (write.verb == Verb::patch && answer.error().is("NotFound")) {
    complaint_ = fmt::format("config map {} was acknowledged and is not there", write.name);
  }
  under_way_.reset();
}

void AcknowledgedWrites::unknown() {
  if (under_way_) possible_[under_way_->name].insert(under_way_->value);
  under_way_.reset();
}

void AcknowledgedWrites::server_died() {
  unknown();
}

Complaint AcknowledgedWrites::check(const Value& list) const {
  std::map<std::string, std::string> found;
  for (const Value& item : list["items"].items()) {
    const std::string& name = item.at("metadata", "name").as_string();
    if (!name.starts_with("ack-")) continue;
    found[name] = item.at("data", "value").as_string();
    if (!possible_.contains(name)) return fmt::format("nobody asked for config map {}", name);
  }
  for (const auto& [name, values] : possible_) {
    const auto at = found.find(name);
    const std::string is = at != found.end() ? at->second : "";
    if (values.contains(is)) continue;
    return fmt::format("config map {} holds '{}', acknowledged was '{}'", name, is,
                       *values.begin());
  }
  return std::nullopt;
}

}  // namespace keelway::sim
