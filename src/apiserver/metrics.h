// The server's own metrics under upstream's names.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "telemetry/metrics.h"

namespace keelway::apiserver {

class ApiMetrics {
 public:
  explicit ApiMetrics(telemetry::Metrics& registry);
  // Verbs beyond those of the API count as "other". The rest is of kinds that are served, or empty.
  void answered(std::string_view verb, std::string_view group, std::string_view version,
                std::string_view resource, int code, double seconds);
  telemetry::Metrics& all;
  telemetry::Gauge& watches;

 private:
  // The series of one kind of answer, looked up once.
  struct Series {
    telemetry::Histogram& seconds;
    telemetry::Counter& count;
  };
  // What was answered last: the next answer is mostly of its kind.
  struct Last {
    Series* series = nullptr;  // in known_
    std::string_view verb;     // a constant
    std::string group, version, resource;
    int code = 0;
    bool is(std::string_view v, std::string_view g, std::string_view of, std::string_view r,
            int c) const {
      return code == c && resource == r && verb == v && group == g && version == of;
    }
  };
  Series* find(std::string_view verb, std::string_view group, std::string_view version,
               std::string_view resource, int code);
  Series make_series(std::string_view verb, std::string_view group, std::string_view version,
                     std::string_view resource, int code);
  Last last_;
  std::unordered_map<std::string, Series> known_;  // never iterated
  std::string key_;                                // kept for its memory
};

}  // namespace keelway::apiserver
