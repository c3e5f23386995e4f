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
  Series make_series(std::string_view verb, std::string_view group, std::string_view version,
                     std::string_view resource, int code);
  std::unordered_map<std::string, Series> known_;  // never iterated
  std::string key_;                                // kept for its memory
};

}  // namespace keelway::apiserver
