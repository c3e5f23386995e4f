#include "reconcile/events.h"

#include "base/encoding.h"
#include "base/random.h"
#include "client/resources.h"

namespace keelway::reconcile {
namespace {

constexpr std::size_t kMessageMax = 1024;  // bytes, upstream's limit

// Cuts without splitting a UTF-8 sequence.
std::string cut(std::string text) {
  if (text.size() <= kMessageMax) return text;
  std::size_t end = kMessageMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

// `metadata`: of the object.
Action event_about(const client::Resource& resource, const value::Value& metadata,
                   std::string_view component, EventText text, base::WallTime now, Seed seed) {
  const std::string& name = metadata["name"].as_string();
  const std::string name_space(metadata["namespace"].string_or("default"));
  // Several events of one plan about one object must not share a name.
  base::Random random(seed ^ base::hash64(name + '\0' + text.reason + '\0' + text.message));
  value::Value involved = value::Value::object(
      {{"apiVersion", resource.api_version()}, {"kind", resource.kind}, {"name", name}});
  for (const char* field : {"namespace", "uid", "resourceVersion"}) {
    if (metadata.contains(field)) involved.set(field, metadata[field]);
  }
  const std::string at = base::format_rfc3339(now);
  value::Value event = value::Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Event"},
       {"metadata", value::Value::object({{"name", name + "." + base::make_hex(random, 16)},
                                          {"namespace", name_space}})},
       {"involvedObject", std::move(involved)},
       {"reason", text.reason},
       {"message", cut(std::move(text.message))},
       {"type", text.warning ? "Warning" : "Normal"},
       {"source", value::Value::object({{"component", component}})},
       {"firstTimestamp", at},
       {"lastTimestamp", at},
       {"count", 1},
       {"reportingComponent", component},
       {"reportingInstance", ""}});
  // Nothing depends on an event.
  return {client::create_call(client::resources::events, name_space, std::move(event)), {"*"}, ""};
}

}  // namespace

Action event_action(const client::Resource& resource, const value::Value& object,
                    std::string_view component, EventText text, base::WallTime now, Seed seed) {
  return event_about(resource, object["metadata"], component, std::move(text), now, seed);
}

Action event_action(const client::Resource& resource, const client::Object& object,
                    std::string_view component, EventText text, base::WallTime now, Seed seed) {
  value::Value metadata =
      value::Value::object({{"name", object.name()},
                            {"uid", object.uid()},
                            {"resourceVersion", std::to_string(object.revision())}});
  if (!object.name_space().empty()) metadata.set("namespace", object.name_space());
  return event_about(resource, metadata, component, std::move(text), now, seed);
}

}  // namespace keelway::reconcile
