// Somebody who writes over the network and remembers what was acknowledged.
#pragma once

#include "sim/oracles/acknowledged.h"
#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

class Writer final : public User {
 public:
  Writer(WireClient& wire, std::string name_space) : wire_(wire), writes_(std::move(name_space)) {}
  ~Writer() override { *alive_ = false; }

  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return done_; }
  const Complaint& complaint() const override {
    return complaint_ ? complaint_ : writes_.complaint();
  }
  const char* name() const override { return "writer"; }
  std::size_t acknowledged() const { return writes_.acknowledged(); }

 private:
  WireClient& wire_;
  AcknowledgedWrites writes_;
  bool busy_ = false, done_ = false;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
