// Keeps the events of one manager few, with client-go's rules: an event that says the same again
// counts up the one before, many alike become one "(combined from similar events)", and a source
// that goes on about one object is silenced for a while (client-go tools/record/events_cache.go).
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/time.h"
#include "client/client.h"

namespace keelway::reconcile {

struct CorrelatorLimits {
  std::size_t similar_max = 10;  // messages of one source, object and reason before they combine
  base::Duration similar_for = std::chrono::minutes(10);
  int burst = 25;                                   // events of one source about one object
  base::Duration refill = std::chrono::minutes(5);  // each gives one more
  base::Duration kept_for = std::chrono::hours(1);  // as long as the server keeps an event
  std::size_t objects_max = 4096;                   // the least recently used is forgotten
};

class EventCorrelator {
 public:
  explicit EventCorrelator(CorrelatorLimits limits = {}) : limits_(limits) {}
  // The call to make in place of `create`, the creation of an event; nothing: say nothing.
  std::optional<client::Call> correlate(client::Call create, base::Instant now);
  // The event of that name is not there any more: the next that says the same is created.
  void forget(const client::Call& create, const std::string& name);
  std::size_t size() const { return objects_.size(); }

 private:
  struct Said {
    std::string name;
    std::int64_t count = 0;
    base::Instant first;
  };
  struct Similar {
    std::set<std::string> messages;  // at most similar_max
    base::Instant last;
  };
  // What one source has said about one object.
  struct Object {
    std::string key;
    double tokens = 0;
    base::Instant filled;
    std::unordered_map<std::string, Similar> similar;  // by type and reason
    std::unordered_map<std::string, Said> said;        // by what makes events the same
  };
  Object& object_of(const value::Value& event, base::Instant now);
  bool combine(Object& object, value::Value& event, base::Instant now) const;
  bool spends_token(Object& object, base::Instant now) const;

  const CorrelatorLimits limits_;
  std::list<Object> objects_;  // most recently used first
  std::unordered_map<std::string, std::list<Object>::iterator> by_key_;
};

}  // namespace keelway::reconcile
