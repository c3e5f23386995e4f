#include "sim/users/writer.h"

#include "client/resources.h"

namespace keelway::sim {

void Writer::act(base::Random& random) {
  if (!wire_.ready() || busy_) return;
  auto call = writes_.next(random);
  if (!call) return;
  busy_ = true;
  wire_.call(std::move(*call), [this, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    busy_ = false;
    writes_.answered(answer);
  });
}

void Writer::conclude(base::Random&) {
  if (!wire_.ready() || busy_ || done_) return;
  busy_ = true;
  auto list = client::list_call(client::resources::config_maps, writes_.name_space());
  wire_.call(std::move(list), [this, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    busy_ = false;
    if (!answer) return;
    complaint_ = writes_.check(answer->object);
    if (!complaint_ && acknowledged() == 0) complaint_ = "none of its writes was ever acknowledged";
    done_ = true;
  });
}

}  // namespace keelway::sim
