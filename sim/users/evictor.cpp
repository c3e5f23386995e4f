#include "sim/users/evictor.h"

#include "client/resources.h"

namespace keelway::sim {

namespace resources = client::resources;
using value::Value;

void Evictor::make_budget() {
  busy_ = true;
  const Value selector = Value::object({{"matchLabels", Value::object({{"app", app_}})}});
  wire_.call(
      client::create_call(resources::disruption_budgets, "default",
                          Value::object({{"metadata", Value::object({{"name", budget_name}})},
                                         {"spec", Value::object({{"minAvailable", available_min_},
                                                                 {"selector", selector}})}})),
      [this, alive = alive_](schema::Answer<client::Reply> answer) {
        if (!*alive) return;
        busy_ = false;
        guarded_ = answer || answer.error().is("AlreadyExists");
      });
}

void Evictor::list_pods() {
  busy_ = true;
  wire_.call(client::list_call(resources::pods, "default"),
             [this, alive = alive_](schema::Answer<client::Reply> answer) {
               if (!*alive) return;
               busy_ = false;
               if (!answer) return;
               const Value list = answer->object["items"];
               for (const Value& pod : list.items()) {
                 if (pod.at("metadata", "labels", "app").as_string() != app_) continue;
                 pods_.push_back(pod.at("metadata", "name").as_string());
               }
             });
}

void Evictor::evict(const std::string& pod) {
  busy_ = true;
  client::Call call = client::create_call(
      resources::pods, "default",
      Value::object({{"apiVersion", "policy/v1"},
                     {"kind", "Eviction"},
                     {"metadata", Value::object({{"name", pod}, {"namespace", "default"}})}}));
  call.name = pod;
  call.subresource = "eviction";
  wire_.call(std::move(call), [this, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    busy_ = false;
    if (answer)
      wire_.executor().reached("sim.evicted");
    else if (answer.error().code == 429)
      wire_.executor().reached("sim.eviction_refused");
  });
}

void Evictor::act(base::Random& random) {
  if (!wire_.ready() || busy_) return;
  if (!guarded_) return make_budget();
  if (random.chance(0.5)) return;
  if (pods_.empty()) return list_pods();
  const std::string pod = pods_[random.below(pods_.size())];
  std::erase(pods_, pod);
  evict(pod);
}

}  // namespace keelway::sim
