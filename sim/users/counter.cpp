#include "sim/users/counter.h"

#include <fmt/core.h>

#include <cstdlib>

#include "client/resources.h"
#include "sim/documents.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr const char* object_name = "counter";

std::int64_t count_of(const Value& document) {
  return std::strtoll(document.at("data", "count").as_string().c_str(), nullptr, 10);
}

}  // namespace

void Counter::read(Heard heard) {
  busy_ = true;
  const std::int64_t least = tally_.acknowledged;
  wire_.call(client::get_call(resources::config_maps, wire_namespace, object_name),
             [this, least, heard = std::move(heard),
              alive = alive_](schema::Answer<client::Reply> answer) mutable {
               if (!*alive) return;
               busy_ = false;
               if (!answer) {
                 if (answer.error().is("NotFound") && least > 0) {
                   complaint_ = "the counter is gone";
                 } else if (answer.error().is("NotFound")) {
                   create();
                 }
                 return;
               }
               const std::int64_t count = count_of(answer->object);
               if (count < least) {
                 complaint_ = fmt::format("{} additions were acknowledged before a read of {}",
                                          least, count);
               }
               heard(answer->object);
             });
}

void Counter::create() {
  busy_ = true;
  wire_.call(
      client::create_call(resources::config_maps, wire_namespace,
                          Value::object({{"metadata", Value::object({{"name", object_name}})},
                                         {"data", Value::object({{"count", "0"}})}})),
      [this, alive = alive_](schema::Answer<client::Reply>) {
        if (*alive) busy_ = false;
      });
}

void Counter::write(const Value& document) {
  Value changed = document;
  changed.mutate("data").set("count", fmt::format("{}", count_of(document) + 1));
  busy_ = true;
  ++tally_.unknown;
  wire_.call(client::update_call(resources::config_maps, std::move(changed)),
             [this, alive = alive_](schema::Answer<client::Reply> answer) {
               if (!*alive) return;
               busy_ = false;
               if (!answer && answer.error().code >= 500) return;
               --tally_.unknown;
               if (answer)
                 ++tally_.acknowledged;
               else if (answer.error().is("Conflict"))
                 wire_.executor().reached("sim.counter_conflict");
             });
}

void Counter::act(base::Random& random) {
  if (!wire_.ready() || busy_) return;
  const bool adds = random.chance(0.7);
  read([this, adds](const Value& document) {
    if (adds) write(document);
  });
}

void Counter::conclude(base::Random&) {
  if (!wire_.ready() || busy_ || done_) return;
  read([this](const Value& document) {
    const std::int64_t count = count_of(document);
    const std::int64_t most = tally_.acknowledged + tally_.unknown;
    if (count > most) {
      complaint_ = fmt::format("the counter stands at {}, asked for were {}", count, most);
    }
    done_ = true;
  });
}

}  // namespace keelway::sim
