// Somebody who makes owners and what they own, one pair after another: what has an owner stays
// while the owner is there, goes when the owner has gone, waits for its finalizer before, and does
// not come back.
#pragma once

#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

class Holder final : public User {
 public:
  explicit Holder(WireClient& wire) : wire_(wire) {}
  ~Holder() override { *alive_ = false; }

  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return step_ == Step::make_owner; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "holder"; }

 private:
  enum class Step {
    make_owner,
    read_owner,
    make_owned,
    look_at_owned,
    remove_owner,
    see_owned_deleted,
    release,
    see_owned_gone,
    look_again
  };
  using Answer = schema::Answer<client::Reply>;

  void go();
  client::Call call_of(Step step) const;
  void take(const Answer& answer);
  void take_owned(const Answer& answer);
  void complain(const std::string& what);

  WireClient& wire_;
  Step step_ = Step::make_owner;
  int pair_ = 1;
  int looks_ = 0;  // at what is owned, while its owner lives
  std::string owner_uid_, owned_uid_;
  bool asked_to_release_ = false;  // and did not hear what came of it
  bool busy_ = false;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
