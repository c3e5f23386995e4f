#include "telemetry/metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keelway::telemetry {
namespace {

enum Type { counter_type, gauge_type, histogram_type };
constexpr const char* kTypeNames[] = {"counter", "gauge", "histogram"};

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
}

// {a="b",c="d"}; empty where there is no label.
std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? "{" : ",";
    out += name + "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out.empty() ? out : out + '}';
}

std::string with_bound(const std::string& labels, const std::string& bound) {
  const std::string le = "le=\"" + bound + "\"}";
  return labels.empty() ? '{' + le : labels.substr(0, labels.size() - 1) + ',' + le;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
  KEELWAY_INVARIANT(std::is_sorted(bounds_.begin(), bounds_.end()), "histogram bounds ascend");
}

void Histogram::observe(double value) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::in_bucket(std::size_t index) const {
  return buckets_[index].load(std::memory_order_relaxed);
}

struct Metrics::Series {
  Counter counter;
  Gauge gauge;
  std::unique_ptr<Histogram> histogram;
};

struct Metrics::Family {
  std::string help;
  int type = counter_type;
  std::vector<double> bounds;
  std::map<std::string, Series> series;  // by label text
};

Metrics::Metrics(std::size_t series_max) : series_max_(series_max) {}
Metrics::~Metrics() = default;

// Under the lock.
Metrics::Series& Metrics::series(std::string_view name, std::string_view help, int type,
                                 const Labels& labels) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    auto family = std::make_unique<Family>();
    family->help = help;
    family->type = type;
    found = families_.emplace(std::string(name), std::move(family)).first;
  }
  Family& family = *found->second;
  KEELWAY_INVARIANT(family.type == type, "one metric has one type: " + std::string(name));
  auto key = label_text(labels);
  if (!family.series.contains(key) && family.series.size() >= series_max_) {
    Labels overflow = labels;
    for (auto& [label, value] : overflow) value = "overflow";
    key = label_text(overflow);
  }
  return family.series[key];
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, counter_type, labels).counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return series(name, help, gauge_type, labels).gauge;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              const std::vector<double>& bounds, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Series& one = series(name, help, histogram_type, labels);
  Family& family = *families_.find(name)->second;
  if (family.bounds.empty()) family.bounds = bounds;
  if (!one.histogram) one.histogram = std::make_unique<Histogram>(family.bounds);
  return *one.histogram;
}

std::string Metrics::prometheus_text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ';
    append_escaped(out, family->help, false);
    out += "\n# TYPE " + name + ' ' + kTypeNames[family->type] + '\n';
    for (const auto& [labels, one] : family->series) {
      if (family->type != histogram_type) {
        const double value = family->type == counter_type ? one.counter.value() : one.gauge.value();
        out += name + labels + ' ' + number(value) + '\n';
        continue;
      }
      std::uint64_t count = 0;
      for (std::size_t i = 0; i <= family->bounds.size(); ++i) {
        count += one.histogram->in_bucket(i);
        const auto bound = i < family->bounds.size() ? number(family->bounds[i]) : "+Inf";
        out += name + "_bucket" + with_bound(labels, bound) + ' ' + std::to_string(count) + '\n';
      }
      out += name + "_sum" + labels + ' ' + number(one.histogram->sum()) + '\n';
      out += name + "_count" + labels + ' ' + std::to_string(count) + '\n';
    }
  }
  return out;
}

}  // namespace keelway::telemetry
