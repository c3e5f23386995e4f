// A user who writes config maps one after another and remembers what it was told: what was
// acknowledged is there whatever happens, and nothing is there that was not asked for.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/random.h"
#include "client/client.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

class AcknowledgedWrites {
 public:
  explicit AcknowledgedWrites(std::string name_space) : name_space_(std::move(name_space)) {}
  const std::string& name_space() const { return name_space_; }

  // The next write; nothing while one is under way.
  std::optional<client::Call> next(base::Random& random);
  void answered(const schema::Answer<client::Reply>& answer);
  void server_died();  // nobody knows about the write that was under way

  // `list`: all config maps of the namespace. No write is under way.
  Complaint check(const value::Value& list) const;
  std::size_t acknowledged() const { return acknowledged_; }
  const Complaint& complaint() const { return complaint_; }
  bool under_way() const { return under_way_.has_value(); }

 private:
  struct Write {
    client::Verb verb = client::Verb::create;
    std::string name, value;  // empty: it goes
  };
  void unknown();

  const std::string name_space_;
  std::map<std::string, std::set<std::string>> possible_;  // by name; "": absent
  std::optional<Write> under_way_;
  std::size_t asked_ = 0, acknowledged_ = 0;
  Complaint complaint_;
};

}  // namespace keelway::sim
