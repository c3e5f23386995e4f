// The algebra of node requirements, as node pools and claims use it: per label key a set of
// values, finite or "all but", perhaps with bounds; sets intersect.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "placement/affinity.h"
#include "placement/labels.h"
#include "value/value.h"

namespace keelway::placement {

// What one key may be.
class ValueSet {
 public:
  ValueSet() = default;  // anything: Exists
  static ValueSet of(const Requirement& requirement);
  static ValueSet any() { return {}; }
  static ValueSet none();                                 // DoesNotExist
  static ValueSet only(std::vector<std::string> values);  // In

  bool has(std::string_view text) const;
  bool is_empty() const;  // no value at all: contradiction or DoesNotExist
  bool is_finite() const { return !complement_; }
  // Of a finite set: its values within the bounds, sorted.
  std::vector<std::string> values() const;
  // The size of a finite set; for others INT64_MAX.
  std::int64_t size() const;
  void intersect(const ValueSet& other);
  bool intersects(const ValueSet& other) const;
  // NotIn and DoesNotExist are satisfied by an absent label.
  bool allows_absence() const;
  // Some value that is allowed, where one is known: the least of a finite set, or a bound's
  // neighbour of a numeric range; "" where anything goes.
  std::string any_value() const;

  std::optional<std::int64_t> min_values;  // at least so many distinct values must stay

  // Operators and values as NodeSelectorRequirements say them (one, or two for ranges).
  std::vector<Requirement> to_expressions(const std::string& key) const;

 private:
  bool within_bounds(std::string_view text) const;
  bool complement_ = true;  // values_ are the excluded ones
  std::set<std::string, std::less<>> values_;
  std::optional<std::int64_t> greater_than_, less_than_;
};

// By label key; an absent key allows everything.
class Requirements {
 public:
  Requirements() = default;
  // NodePool and NodeClaim: [{key, operator, values, minValues}].
  static Requirements read(const value::Value& array);
  static Requirements of_labels(const Labels& labels);
  static Requirements of_expressions(const std::vector<Requirement>& expressions);
  // nodeSelector plus the first required term (or the term asked for).
  static Requirements of_pod(const NodeAffinity& affinity, std::size_t term = 0);

  void add(const std::string& key, const ValueSet& set);  // intersects
  void add(const Requirements& other);
  bool has(std::string_view key) const;
  const ValueSet& get(std::string_view key) const;  // any() where absent
  const std::map<std::string, ValueSet, std::less<>>& sets() const { return sets_; }
  bool erase(std::string_view key);

  // Every key of both leaves a value.
  bool intersects(const Requirements& other) const;
  // What `wanted` (a pod) asks is possible here (a pool): sets intersect, and a custom label
  // that is unknown here must not be demanded. `well_known` keys may be unknown here.
  bool compatible(const Requirements& wanted,
                  const std::set<std::string, std::less<>>& well_known) const;
  // "" where compatible; else why not, for people.
  std::string incompatibility(const Requirements& wanted,
                              const std::set<std::string, std::less<>>& well_known) const;
  // Concrete labels satisfy every set.
  bool allows(const Labels& labels) const;
  // The labels that a node of these requirements has for sure (single values).
  Labels fixed_labels() const;
  bool is_contradiction() const;
  // [{key, operator, values, minValues}] in key order.
  value::Value to_value() const;

 private:
  std::map<std::string, ValueSet, std::less<>> sets_;
};

}  // namespace keelway::placement
