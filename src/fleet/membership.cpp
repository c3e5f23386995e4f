#include "fleet/membership.h"

#include <fmt/core.h>

#include "fleet/ownership.h"

namespace keelway::fleet {
namespace {

using value::Value;

client::Revision revision_of(const Value& object) {
  return std::atoll(object.at("metadata", "resourceVersion").as_string().c_str());
}

client::Call removal(const std::string& name, const std::string& uid, client::Revision revision) {
  Value preconditions = Value::object({{"uid", uid}});
  if (revision > 0) preconditions.set("resourceVersion", std::to_string(revision));
  return client::remove_call(servers, "", name,
                             Value::object({{"preconditions", std::move(preconditions)}}));
}

}  // namespace

Membership::Membership(MembershipParts parts, std::function<void(const Registration&)> gained,
                       std::function<void()> lost)
    : parts_(std::move(parts)), gained_(std::move(gained)), lost_(std::move(lost)) {}

Membership::~Membership() {
  *alive_ = false;
  if (timer_ != 0) parts_.executor.cancel(timer_);
}

void Membership::start() {
  feed_ = parts_.hub.subscribe(
      {servers}, [this](const client::ChangeBatch& batch) { watch_neighbours(batch); });
  tick();
}

void Membership::tick() {
  timer_ = parts_.executor.after(parts_.interval, [this] { tick(); });
  const base::Duration silent = parts_.executor.now() - last_good_;
  if (holding_ && silent >= give_up * parts_.interval) {
    parts_.executor.reached("fleet.lease_not_renewed");
    parts_.log.error("the lease of this server could not be renewed: its loops stop",
                     {{"server", parts_.name}, {"for", base::format_duration(silent)}});
    hold(false);
  }
  if (place_.uid.empty()) return enter();
  renew();
  if (holding_) remove_silent();
}

void Membership::enter() {
  if (entering_) return;
  entering_ = true;
  Value spec = parts_.spec.is_object() ? parts_.spec : Value::object();
  spec.set("incarnation", fmt::format("{}-{}", parts_.incarnation, entry_));
  const Value body = Value::object({{"apiVersion", servers.api_version()},
                                    {"kind", servers.kind},
                                    {"metadata", Value::object({{"name", parts_.name}})},
                                    {"spec", std::move(spec)}});
  parts_.hub.call(client::create_call(servers, "", body),
                  [this, alive = alive_](schema::Answer<client::Reply> answer) {
                    if (!*alive || leaving_) return;
                    entering_ = false;
                    if (answer) return entered(answer->object, answer->revision);
                    if (answer.error().is("AlreadyExists")) return meet_namesake();
                    parts_.log.warning("this server cannot be registered yet",
                                       {{"why", answer.error().message}});
                  });
}

// It may be ourselves: the answer to our entry was lost.
void Membership::meet_namesake() {
  entering_ = true;
  parts_.hub.call(
      client::get_call(servers, "", parts_.name),
      [this, alive = alive_](schema::Answer<client::Reply> answer) {
        if (!*alive || leaving_) return;
        entering_ = false;
        if (!answer) return;  // the next tick sees
        const Value& object = answer->object;
        const std::string mine = fmt::format("{}-{}", parts_.incarnation, entry_);
        if (object.at("spec", "incarnation").as_string() == mine) {
          return entered(object, revision_of(object));
        }
        if (!std::exchange(first_, false)) {
          parts_.log.error("another server runs under this name: give each a name of its own",
                           {{"server", parts_.name}});
          return;
        }
        entering_ = true;
        parts_.hub.call(removal(parts_.name, object.at("metadata", "uid").as_string(), 0),
                        [this, alive](schema::Answer<client::Reply>) {
                          if (!*alive || leaving_) return;
                          entering_ = false;
                          enter();
                        });
      });
}

void Membership::entered(const Value& object, client::Revision revision) {
  first_ = false;
  place_ = {parts_.name, object.at("metadata", "uid").as_string(), revision};
  last_good_ = parts_.executor.now();
  parts_.log.info("registered", {{"server", parts_.name}, {"uid", place_.uid}});
  hold(true);
}

void Membership::renew() {
  const base::Instant sent = parts_.executor.now();
  const Value patch = Value::object(
      {{"metadata", Value::object({{"uid", place_.uid}})},
       {"status",
        Value::object({{"renewTime", base::format_rfc3339_micro(parts_.executor.wall_now())}})}});
  parts_.hub.call(
      client::merge_patch_call(servers, "", parts_.name, patch, "status"),
      [this, sent, uid = place_.uid, alive = alive_](schema::Answer<client::Reply> answer) {
        if (*alive && !leaving_ && uid == place_.uid) renewed(sent, answer);
      });
}

void Membership::renewed(base::Instant sent, const schema::Answer<client::Reply>& answer) {
  if (!answer) {
    if (answer.error().is("NotFound") || answer.error().is("Conflict")) removed();
    return;
  }
  last_good_ = std::max(last_good_, sent);
  // An answer that was long under way says nothing of now.
  if (parts_.executor.now() - last_good_ < give_up * parts_.interval) hold(true);
}

void Membership::hold(bool holds) {
  if (std::exchange(holding_, holds) == holds) return;
  if (holds)
    gained_(place_);
  else
    lost_();
}

void Membership::removed() {
  parts_.executor.reached("fleet.registration_ended");
  parts_.log.error("another server has ended the registration of this one: it registers anew",
                   {{"server", parts_.name}});
  place_ = {};
  ++entry_;
  hold(false);
  enter();
}

void Membership::watch_neighbours(const client::ChangeBatch& batch) {
  for (const client::Change& change : batch.changes) {
    const auto& server = change.object ? change.object : change.previous;
    const std::string name(server->name());
    if (!change.object) {
      neighbours_.erase(name);
    } else if (name != parts_.name) {
      neighbours_[name] = {std::string(server->uid()), server->revision(), parts_.executor.now()};
    }
  }
}

// A renewal that this server has not seen yet makes the removal fail: it names the revision.
void Membership::remove_silent() {
  for (const auto& [name, neighbour] : neighbours_) {
    if (parts_.executor.now() - neighbour.seen < lease * parts_.interval) continue;
    parts_.executor.reached("fleet.server_missed");
    parts_.log.warning("a server is silent: its clusters are to be taken over", {{"server", name}});
    parts_.hub.call(removal(name, neighbour.uid, neighbour.revision),
                    [](schema::Answer<client::Reply>) {});
  }
}

void Membership::leave(runtime::Task done) {
  leaving_ = true;
  feed_.reset();
  if (timer_ != 0) parts_.executor.cancel(std::exchange(timer_, 0));
  if (place_.uid.empty()) return done();
  parts_.hub.call(removal(parts_.name, place_.uid, 0),
                  [done = std::move(done), alive = alive_](schema::Answer<client::Reply>) mutable {
                    if (*alive) done();
                  });
}

}  // namespace keelway::fleet
