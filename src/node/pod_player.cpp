#include "node/pod_player.h"

#include <cstdlib>

#include "client/resources.h"

namespace keelway::node {

namespace resources = client::resources;
using Kind = hollow::Step::Kind;
using value::Value;

namespace {

constexpr auto retry_delay = std::chrono::seconds(1);

client::Revision revision_of(const Value& object) {
  return std::atoll(object.at("metadata", "resourceVersion").as_string().c_str());
}

}  // namespace

PodPlayer::~PodPlayer() {
  *alive_ = false;
  for (const auto& [key, entry] : entries_) {
    if (entry.timer != 0) parts_.executor.cancel(entry.timer);
  }
}

client::ObjectPtr PodPlayer::pod_of_ours(const PodKey& key) const {
  const auto pod = parts_.view.get(resources::pods, key.name_space, key.name);
  if (!pod || pod->value().at("spec", "nodeName").as_string() != parts_.node_name) return nullptr;
  return pod;
}

void PodPlayer::look_at(const std::string& name_space, const std::string& name) {
  look_at(PodKey{name_space, name});
}

void PodPlayer::look_at(const PodKey& key) {
  const client::ObjectPtr pod = pod_of_ours(key);
  Entry& entry = entries_[key];
  if (entry.calling) {
    entry.changed = true;
    return;
  }
  if (!pod || entry.uid != pod->uid()) {
    if (entry.timer != 0) parts_.executor.cancel(entry.timer);
    if (!pod) {
      entries_.erase(key);
      return;
    }
    entry = Entry{};
    entry.uid = pod->uid();
  }
  if (pod->revision() < entry.written) return;
  wait(key, entry, hollow::next_step(pod->value(), parts_.stage, parts_.executor.wall_now()));
}

// A step that is waited for already keeps its time.
void PodPlayer::wait(const PodKey& key, Entry& entry, hollow::Step step) {
  if (entry.timer != 0 && entry.waiting == step.kind) return;
  if (entry.timer != 0) parts_.executor.cancel(entry.timer);
  entry.timer = 0;
  entry.waiting = step.kind;
  if (step.kind == Kind::none) return;
  entry.timer = parts_.executor.after(step.wait, [this, key, kind = step.kind] {
    entries_[key].timer = 0;
    perform(key, kind);
  });
}

void PodPlayer::perform(const PodKey& key, Kind kind) {
  const client::ObjectPtr object = pod_of_ours(key);
  if (!object) return look_at(key);
  const Value pod = object->value();
  const base::WallTime now = parts_.executor.wall_now();
  // The pod may have changed since the timer was set.
  const hollow::Step due = hollow::next_step(pod, parts_.stage, now);
  if (due.kind != kind || (kind == Kind::finish && due.wait > base::Duration(0))) {
    return look_at(key);
  }
  if (kind == Kind::start) return start(key, pod);
  if (kind == Kind::gates) return patch(key, hollow::ready_patch(pod, now));
  if (kind == Kind::finish) return patch(key, hollow::finished_patch(pod, now));
  Value options = client::delete_options(object->uid());
  options.set("gracePeriodSeconds", 0);
  call(key, client::remove_call(resources::pods, key.name_space, key.name, std::move(options)));
}

void PodPlayer::start(const PodKey& key, const Value& pod) {
  const auto address = pod.at("spec", "hostNetwork").as_bool()
                           ? std::optional(parts_.node_address)
                           : parts_.addresses.take(pod.at("metadata", "uid").as_string());
  if (!address) {
    parts_.log.error("no pod address is left", {{"pod", key.name_space + "/" + key.name}});
    return again_later(key, entries_[key]);
  }
  patch(key, hollow::running_patch(pod, *address, parts_.node_address, parts_.executor.wall_now()));
}

void PodPlayer::patch(const PodKey& key, Value patch) {
  call(key, client::merge_patch_call(resources::pods, key.name_space, key.name, std::move(patch),
                                     "status"));
}

void PodPlayer::call(const PodKey& key, client::Call call) {
  entries_[key].calling = true;
  call.brief = true;
  parts_.client.call(std::move(call),
                     [this, key, alive = alive_](schema::Answer<client::Reply> answer) {
                       if (*alive) answered(key, answer);
                     });
}

void PodPlayer::answered(const PodKey& key, const schema::Answer<client::Reply>& answer) {
  Entry& entry = entries_[key];
  entry.calling = false;
  const bool changed = std::exchange(entry.changed, false);
  if (answer) {
    entry.written = revision_of(answer->object);
    if (changed) look_at(key);
    return;
  }
  if (!answer.error().is("NotFound") && !answer.error().is("Conflict")) {
    parts_.log.warning("pod cannot be played",
                       {{"pod", key.name_space + "/" + key.name}, {"why", answer.error().message}});
  }
  again_later(key, entry);
}

// By then the view shows what stood in the way.
void PodPlayer::again_later(const PodKey& key, Entry& entry) {
  entry.waiting = Kind::none;
  entry.timer = parts_.executor.after(retry_delay, [this, key] {
    entries_[key].timer = 0;
    look_at(key);
  });
}

}  // namespace keelway::node
