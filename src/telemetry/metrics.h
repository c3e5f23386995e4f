// Counters, gauges and histograms of one cluster, handed down, in Prometheus' text form. All calls
// from any thread. Label values are bounded: above `series_max` of one name, further label sets
// share one series whose labels all say "overflow".
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelway::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  std::uint64_t in_bucket(std::size_t index) const;  // index bounds().size(): above the last bound
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;  // ascending upper bounds, inclusive
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::atomic<double> sum_ = 0;
};

// The returned references live as long as the registry; keep them where the path is hot.
class Metrics {
 public:
  explicit Metrics(std::size_t series_max = 2000);
  ~Metrics();
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  // The bounds of the first call for a name hold.
  Histogram& histogram(std::string_view name, std::string_view help,
                       const std::vector<double>& bounds, const Labels& labels = {});
  std::string prometheus_text() const;

 private:
  struct Series;
  struct Family;
  Series& series(std::string_view name, std::string_view help, int type, const Labels& labels);

  const std::size_t series_max_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;  // guarded by mutex_
};

}  // namespace keelway::telemetry
