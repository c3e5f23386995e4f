#include "apiserver/metrics.h"

namespace keelway::apiserver {
namespace {

const std::vector<double>& latency_bounds() {
  static const std::vector<double> bounds = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8,
                                             1,     1.25,  1.5,  2,   3,   4,   5,   6,
                                             8,     10,    15,   20,  30,  45,  60};
  return bounds;
}

}  // namespace

ApiMetrics::ApiMetrics(telemetry::Metrics& registry)
    : all(registry),
      watches(registry.gauge("apiserver_longrunning_requests", "Watches that are open.",
                             {{"verb", "WATCH"}})) {}

void ApiMetrics::answered(std::string_view verb, std::string_view group, std::string_view version,
                          std::string_view resource, int code, double seconds) {
  std::string upper(verb);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  telemetry::Labels labels{{"verb", std::move(upper)},
                           {"group", std::string(group)},
                           {"version", std::string(version)},
                           {"resource", std::string(resource)}};
  all.histogram("apiserver_request_duration_seconds", "Time from request to answer.",
                latency_bounds(), labels)
      .observe(seconds);
  labels.emplace_back("code", std::to_string(code));
  all.counter("apiserver_request_total", "Answered requests.", labels).add();
}

}  // namespace keelway::apiserver
