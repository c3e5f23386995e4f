// The server's own metrics under upstream's names.
#pragma once

#include <string>
#include <string_view>

#include "telemetry/metrics.h"

namespace keelway::apiserver {

struct ApiMetrics {
  explicit ApiMetrics(telemetry::Metrics& registry);
  void answered(std::string_view verb, std::string_view group, std::string_view version,
                std::string_view resource, int code, double seconds);
  telemetry::Metrics& all;
  telemetry::Gauge& watches;
};

}  // namespace keelway::apiserver
