#include "reconcile/event_correlator.h"

#include <algorithm>

namespace keelway::reconcile {
namespace {

using value::Value;

// An object is forgotten whole: what it has said is bounded by its tokens, but not for ever.
constexpr std::size_t said_max = 256;

void append(std::string& text, const Value& part) {
  text += part.as_string();
  text += '\0';
}

std::string object_key(const Value& event) {
  const Value& involved = event["involvedObject"];
  std::string key;
  append(key, event.at("source", "component"));
  for (const char* field : {"apiVersion", "kind", "namespace", "name", "uid"}) {
    append(key, involved[field]);
  }
  return key;
}

std::string similar_key(const Value& event) {
  std::string key;
  append(key, event["type"]);
  append(key, event["reason"]);
  return key;
}

client::Call count_up(const client::Call& create, const std::string& name, std::int64_t count) {
  Value patch = Value::object({{"count", count},
                               {"lastTimestamp", create.body["lastTimestamp"]},
                               {"message", create.body["message"]}});
  client::Call call =
      client::merge_patch_call(create.resource, create.name_space, name, std::move(patch));
  call.field_manager = create.field_manager;
  return call;
}

}  // namespace

EventCorrelator::Object& EventCorrelator::object_of(const Value& event, base::Instant now) {
  std::string key = object_key(event);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    objects_.splice(objects_.begin(), objects_, found->second);
    return objects_.front();
  }
  if (objects_.size() >= limits_.objects_max) {
    by_key_.erase(objects_.back().key);
    objects_.pop_back();
  }
  objects_.push_front(Object{key, static_cast<double>(limits_.burst), now, {}, {}});
  by_key_.emplace(std::move(key), objects_.begin());
  return objects_.front();
}

// True: the event now speaks for all that are alike.
bool EventCorrelator::combine(Object& object, Value& event, base::Instant now) const {
  Similar& similar = object.similar[similar_key(event)];
  if (now - similar.last > limits_.similar_for) similar.messages.clear();
  similar.last = now;
  const std::string& message = event["message"].as_string();
  if (similar.messages.contains(message)) return false;
  if (similar.messages.size() + 1 < limits_.similar_max) {
    similar.messages.insert(message);
    return false;
  }
  event.set("message", "(combined from similar events): " + message);
  return true;
}

bool EventCorrelator::spends_token(Object& object, base::Instant now) const {
  const double gained = std::chrono::duration<double>(now - object.filled) /
                        std::chrono::duration<double>(limits_.refill);
  object.tokens = std::min(static_cast<double>(limits_.burst), object.tokens + gained);
  object.filled = now;
  if (object.tokens < 1) return false;
  object.tokens -= 1;
  return true;
}

std::optional<client::Call> EventCorrelator::correlate(client::Call create, base::Instant now) {
  Object& object = object_of(create.body, now);
  if (!spends_token(object, now)) return std::nullopt;
  const bool combined = combine(object, create.body, now);
  std::string same = similar_key(create.body);
  if (!combined) append(same, create.body["message"]);
  if (object.said.size() >= said_max) object.said.clear();
  Said& said = object.said[same];
  if (said.count > 0 && now - said.first < limits_.kept_for) {
    return count_up(create, said.name, ++said.count);
  }
  said = Said{create.body.at("metadata", "name").as_string(), 1, now};
  return create;
}

void EventCorrelator::forget(const client::Call& create, const std::string& name) {
  const auto found = by_key_.find(object_key(create.body));
  if (found == by_key_.end()) return;
  std::erase_if(found->second->said,
                [&name](const auto& entry) { return entry.second.name == name; });
}

}  // namespace keelway::reconcile
