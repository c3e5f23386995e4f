#include "sim/users/holder.h"

#include <fmt/core.h>

#include "client/resources.h"
#include "sim/documents.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

Value named(const std::string& name) {
  return Value::object({{"metadata", Value::object({{"name", name}})}});
}

}  // namespace

void Holder::complain(const std::string& what) {
  if (!complaint_) complaint_ = fmt::format("owned-{}: {}", pair_, what);
}

client::Call Holder::call_of(Step step) const {
  const std::string owner = fmt::format("owner-{}", pair_), owned = fmt::format("owned-{}", pair_);
  switch (step) {
    case Step::make_owner:
      return client::create_call(resources::config_maps, wire_namespace, named(owner));
    case Step::read_owner:
      return client::get_call(resources::config_maps, wire_namespace, owner);
    case Step::make_owned: {
      Value document = named(owned);
      document.mutate("metadata")
          .set("finalizers", Value::array({"sim.example.com/hold"}))
          .set("ownerReferences", Value::array({Value::object({{"apiVersion", "v1"},
                                                               {"kind", "ConfigMap"},
                                                               {"name", owner},
                                                               {"uid", owner_uid_}})}));
      return client::create_call(resources::config_maps, wire_namespace, std::move(document));
    }
    case Step::remove_owner:
      return client::remove_call(resources::config_maps, wire_namespace, owner);
    case Step::release:
      return client::merge_patch_call(
          resources::config_maps, wire_namespace, owned,
          Value::object({{"metadata", Value::object({{"finalizers", nullptr}})}}));
    default:
      return client::get_call(resources::config_maps, wire_namespace, owned);
  }
}

// Every step is asked for until it is known to have been done.
void Holder::go() {
  busy_ = true;
  wire_.call(call_of(step_), [this, alive = alive_](Answer answer) {
    if (!*alive) return;
    busy_ = false;
    take(answer);
  });
}

void Holder::take(const Answer& answer) {
  const bool absent = !answer && answer.error().is("NotFound");
  switch (step_) {
    case Step::make_owner:
      if (answer || answer.error().is("AlreadyExists")) step_ = Step::read_owner;
      return;
    case Step::read_owner:
      if (absent) return complain("its owner was made and is not there");
      if (!answer) return;
      owner_uid_ = answer->object.at("metadata", "uid").as_string();
      step_ = Step::make_owned;
      return;
    case Step::make_owned:
      looks_ = 3;
      if (answer || answer.error().is("AlreadyExists")) step_ = Step::look_at_owned;
      return;
    case Step::remove_owner:
      if (answer || absent) step_ = Step::see_owned_deleted;
      return;
    case Step::release:
      if (absent && !asked_to_release_) {
        return complain("went without its finalizer having been removed");
      }
      // Where the answer was lost, the finalizer may be gone and the object with it.
      asked_to_release_ = !answer;
      if (answer || absent) step_ = Step::see_owned_gone;
      return;
    default:
      return take_owned(answer);
  }
}

void Holder::take_owned(const Answer& answer) {
  const bool absent = !answer && answer.error().is("NotFound");
  if (!answer && !absent) return;
  const bool deleting = answer && !answer->object.at("metadata", "deletionTimestamp").is_null();
  switch (step_) {
    case Step::look_at_owned:
      if (absent || deleting) return complain("was collected while its owner was there");
      if (--looks_ == 0) step_ = Step::remove_owner;
      return;
    case Step::see_owned_deleted:
      if (absent) return complain("went although a finalizer held it");
      if (deleting) step_ = Step::release;
      return;
    case Step::see_owned_gone:
      if (absent) step_ = Step::look_again;
      return;
    default:
      if (answer) return complain("came back");
      wire_.executor().reached("sim.owned_collected");
      step_ = Step::make_owner;
      asked_to_release_ = false;
      ++pair_;
  }
}

void Holder::act(base::Random&) {
  if (wire_.ready() && !busy_) go();
}

void Holder::conclude(base::Random& random) {
  if (!done()) act(random);
}

}  // namespace keelway::sim
