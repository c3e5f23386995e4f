// A deployment and its replica sets as one plan changes them in thought: sizes are decided here,
// then written as actions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "client/client.h"

namespace keelway::controllers {

// One replica set of the deployment.
struct Revision {
  client::ObjectPtr object;
  value::Value document;
  std::int64_t replicas = 0;  // spec.replicas, as decided so far
  std::int64_t replicas_before = 0;
  std::int64_t total = 0, ready = 0, available = 0;  // of its status
  std::int64_t number = 0;                           // annotation deployment.kubernetes.io/revision
  base::WallTime created;
  bool resized() const { return replicas != replicas_before; }
  std::string annotation(std::string_view key) const;
  schema::Text name() const { return object->name(); }
};

struct Rollout {
  client::ObjectPtr object;
  value::Value document;
  std::int64_t replicas = 1, surge = 0, unavailable = 0;
  bool recreate = false, paused = false;
  std::int64_t progress_deadline = 0;  // seconds; 0: none
  std::vector<Revision> revisions;     // oldest first
  int current = -1;                    // index of the one with today's template; -1: none yet

  Revision* newest() { return current < 0 ? nullptr : &revisions[index()]; }
  const Revision* newest() const { return current < 0 ? nullptr : &revisions[index()]; }
  std::vector<Revision*> old();       // oldest first
  std::int64_t total_wanted() const;  // sum of spec.replicas
  std::int64_t total_available() const;
  std::int64_t size_max() const { return replicas > 0 ? replicas + surge : 0; }
  std::int64_t highest_old_number() const;
  bool resized() const;

 private:
  std::size_t index() const { return static_cast<std::size_t>(current); }
};

Rollout read_rollout(const client::ObjectPtr& deployment,
                     const std::vector<client::ObjectPtr>& replica_sets);

// Equal but for the label pod-template-hash.
bool same_template(const value::Value& a, const value::Value& b);
// Ten or so characters of the alphabet that never spells a word.
std::string template_hash(const value::Value& pod_template, std::int64_t collisions);

// How many replicas the set of today's template should have now (rolling update).
std::int64_t next_size_of_newest(const Rollout& rollout);
// Shrinks old sets as far as the availability that was promised allows.
void shrink_old(Rollout& rollout);
// The user changed spec.replicas, or the rollout is paused: keeps the proportions.
void scale_proportionally(Rollout& rollout);
// Whether some active set was last sized for another spec.replicas.
bool is_scaling(const Rollout& rollout);

}  // namespace keelway::controllers
