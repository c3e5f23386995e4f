#include "sim/users/watcher.h"

#include <fmt/core.h>

#include <cstdlib>

#include "value/json.h"

namespace keelway::sim {
namespace {

using value::Value;

std::int64_t revision_of(const Value& object) {
  return std::strtoll(object.at("metadata", "resourceVersion").as_string().c_str(), nullptr, 10);
}

// A server that has nothing to tell sends a bookmark each minute: this one is gone without a word.
constexpr auto silence_max = std::chrono::seconds(75);
// How long the last comparison is tried: the watch may be one that a dead server left half open,
// and whoever lists meanwhile asks another server. Then events are on their way.
constexpr auto comparing_max = silence_max + std::chrono::seconds(40);

}  // namespace

Watcher::Watcher(WireClient& wire, client::Resource resource)
    : wire_(wire), resource_(std::move(resource)) {
  client::Call call;
  call.resource = resource_;
  path_ = WireClient::path_of(call);
}

void Watcher::complain(const std::string& what) {
  if (complaint_) return;
  complaint_ =
      fmt::format("a watcher of {} at revision {}: {}", resource_.resource, revision_, what);
}

void Watcher::act(base::Random& random) {
  if (!wire_.ready() || busy_) return;
  drop_if_silent();
  if (revision_ == 0) return list(&Watcher::take_list);
  if (watch_over_) return open_watch();
  // Tools are closed and started again.
  if (random.chance(0.02)) {
    watch_.reset();
    watch_over_ = true;
  }
}

void Watcher::drop_if_silent() {
  if (watch_over_ || wire_.executor().now() - last_heard_ < silence_max) return;
  wire_.executor().reached("sim.watch_silent");
  watch_.reset();
  watch_over_ = true;
}

Watcher::Objects Watcher::read(const Value& list) {
  Objects objects;
  for (const Value& item : list["items"].items()) {
    const Value& metadata = item["metadata"];
    objects[metadata["namespace"].as_string() + "/" + metadata["name"].as_string()] = {
        metadata["uid"].as_string(), revision_of(item)};
  }
  return objects;
}

void Watcher::list(void (Watcher::*then)(const Value& list)) {
  busy_ = true;
  wire_.call(client::list_call(resource_),
             [this, then, alive = alive_](schema::Answer<client::Reply> answer) {
               if (!*alive) return;
               busy_ = false;
               if (answer) (this->*then)(answer->object);
             });
}

void Watcher::take_list(const Value& list) {
  const std::int64_t revision = revision_of(list);
  if (revision <= 0) return complain("a list without a revision");
  objects_ = read(list);
  for (const auto& [name, known] : objects_) {
    if (known.revision > revision) complain(name + " is newer than its list");
  }
  revision_ = revision;
  watch_over_ = true;
}

void Watcher::open_watch() {
  const std::uint64_t id = ++watches_;
  const auto current = [this, id, alive = alive_] { return *alive && id == watches_; };
  line_.clear();
  http::ResponseEvents events;
  events.on_head = [this, current](int status, const std::vector<http::Header>&) {
    if (!current()) return;
    if (status == 410) revision_ = 0;
    if (status != 200) watch_over_ = true;
  };
  events.on_data = [this, current](std::string_view bytes) {
    if (!current() || watch_over_) return;
    last_heard_ = wire_.executor().now();
    hear(bytes);
  };
  events.on_end = [this, current](std::optional<base::Error>) {
    if (current()) watch_over_ = true;
  };
  watch_over_ = false;
  last_heard_ = wire_.executor().now();
  watch_ = wire_.watch(
      fmt::format("{}?watch=1&allowWatchBookmarks=true&resourceVersion={}", path_, revision_),
      std::move(events));
  if (!watch_) watch_over_ = true;
}

void Watcher::hear(std::string_view bytes) {
  line_ += bytes;
  for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
    const auto event = value::parse_json(std::string_view(line_).substr(0, end));
    line_.erase(0, end + 1);
    if (!event) return complain("a line that is no JSON");
    take_event(*event);
    if (watch_over_) return;
  }
}

void Watcher::take_event(const Value& event) {
  const std::string& type = event["type"].as_string();
  const Value& object = event["object"];
  if (type == "ERROR") {
    watch_over_ = true;
    if (object["code"].as_int() == 410) {
      wire_.executor().reached("sim.watcher_expired");
      revision_ = 0;
    }
    return;
  }
  const std::int64_t revision = revision_of(object);
  if (type == "BOOKMARK") {
    if (revision < revision_) complain(fmt::format("a bookmark at {}", revision));
    wire_.executor().reached("sim.bookmark");
    revision_ = std::max(revision_, revision);
    return;
  }
  if (revision <= revision_) return complain(fmt::format("an event of revision {}", revision));
  revision_ = revision;
  take_object(type, object);
}

void Watcher::take_object(const std::string& type, const Value& object) {
  const Value& metadata = object["metadata"];
  const std::string name = metadata["namespace"].as_string() + "/" + metadata["name"].as_string();
  const auto known = objects_.find(name);
  if (type == "ADDED") {
    if (known != objects_.end()) return complain(name + " was added and was there");
  } else if (known == objects_.end()) {
    return complain(name + " came as " + type + " and was not there");
  } else if (known->second.uid != metadata["uid"].as_string()) {
    return complain(name + " is another object and did not go");
  }
  if (type == "DELETED")
    objects_.erase(known);
  else
    objects_[name] = {metadata["uid"].as_string(), revision_};
}

// Everything that was told is what a list says, once the last event has come.
void Watcher::compare(const Value& list) {
  const Objects now = read(list);
  std::string difference;
  for (const auto& [name, object] : now) {
    const auto known = objects_.find(name);
    if (known == objects_.end()) {
      difference = name + " is in a list and was never told";
    } else if (known->second.revision != object.revision) {
      difference = fmt::format("{} is at revision {} in a list and was told at {}", name,
                               object.revision, known->second.revision);
    }
  }
  for (const auto& [name, object] : objects_) {
    if (!now.contains(name)) difference = name + " is in no list and was not told to go";
  }
  const base::Instant now_is = wire_.executor().now();
  if (difference.empty()) {
    done_ = true;
  } else if (!differs_since_) {
    differs_since_ = now_is;
  } else if (now_is - *differs_since_ > comparing_max) {
    complain(difference);
  }
}

void Watcher::conclude(base::Random&) {
  if (!wire_.ready() || busy_ || done_) return;
  drop_if_silent();
  if (revision_ == 0) return list(&Watcher::take_list);
  if (watch_over_) return open_watch();
  list(&Watcher::compare);
}

}  // namespace keelway::sim
