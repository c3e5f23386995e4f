#include "apiserver/metrics.h"

#include <algorithm>

namespace keelway::apiserver {
namespace {

constexpr std::size_t kKnownMax = 4096;  // kinds of answer; then all are looked up anew

const std::vector<double>& latency_bounds() {
  static const std::vector<double> bounds = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8,
                                             1,     1.25,  1.5,  2,   3,   4,   5,   6,
                                             8,     10,    15,   20,  30,  45,  60};
  return bounds;
}

bool same_word(std::string_view lower, std::string_view word) {
  return std::equal(lower.begin(), lower.end(), word.begin(), word.end(), [](char a, char b) {
    return a == b || (b >= 'A' && b <= 'Z' && a == static_cast<char>(b - 'A' + 'a'));
  });
}

// A method is the client's to choose; its label is not.
std::string_view verb_label(std::string_view verb) {
  static constexpr std::string_view known[] = {
      "get",  "list",    "watch", "create", "update", "patch", "delete", "deletecollection",
      "head", "options", "post",  "put",    "proxy"};
  for (const std::string_view one : known) {
    if (same_word(one, verb)) return one;
  }
  return verb.empty() ? "" : "other";
}

}  // namespace

ApiMetrics::ApiMetrics(telemetry::Metrics& registry)
    : all(registry),
      watches(registry.gauge("apiserver_longrunning_requests", "Watches that are open.",
                             {{"verb", "WATCH"}})) {}

void ApiMetrics::answered(std::string_view verb, std::string_view group, std::string_view version,
                          std::string_view resource, int code, double seconds) {
  verb = verb_label(verb);
  key_.clear();
  for (const std::string_view part : {verb, group, version, resource}) {
    key_ += part;
    key_ += '/';
  }
  key_ += std::to_string(code);
  auto found = known_.find(key_);
  if (found == known_.end()) {
    if (known_.size() >= kKnownMax) known_.clear();
    found = known_.emplace(key_, make_series(verb, group, version, resource, code)).first;
  }
  found->second.seconds.observe(seconds);
  found->second.count.add();
}

ApiMetrics::Series ApiMetrics::make_series(std::string_view verb, std::string_view group,
                                           std::string_view version, std::string_view resource,
                                           int code) {
  std::string upper(verb);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  telemetry::Labels labels{{"verb", std::move(upper)},
                           {"group", std::string(group)},
                           {"version", std::string(version)},
                           {"resource", std::string(resource)}};
  telemetry::Histogram& seconds =
      all.histogram("apiserver_request_duration_seconds", "Time from request to answer.",
                    latency_bounds(), labels);
  labels.emplace_back("code", std::to_string(code));
  return {seconds, all.counter("apiserver_request_total", "Answered requests.", labels)};
}

}  // namespace keelway::apiserver
