// Several who add one to the same number, each by reading it and writing it back under the
// revision that was read. No addition that was acknowledged is lost, and nobody who reads
// afterwards sees less.
#pragma once

#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

// What all who count know together.
struct Tally {
  std::int64_t acknowledged = 0;  // additions
  std::int64_t unknown = 0;       // whose answer was lost or is still to come
};

class Counter final : public User {
 public:
  Counter(WireClient& wire, Tally& tally) : wire_(wire), tally_(tally) {}
  ~Counter() override { *alive_ = false; }

  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return done_; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "counter"; }

 private:
  using Heard = std::move_only_function<void(const value::Value&)>;
  void read(Heard heard);
  void create();
  void write(const value::Value& document);

  WireClient& wire_;
  Tally& tally_;
  bool busy_ = false, done_ = false;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
