// Somebody with a service account of no rights: is refused and learns no body, and is nobody as
// soon as the account has gone, also where another of the same name has come.
#pragma once

#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

class Guest final : public User {
 public:
  explicit Guest(WireClient& wire) : wire_(wire) {}
  ~Guest() override { *alive_ = false; }

  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return step_ == Step::make_account; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "guest"; }

 private:
  bool may_be_late() const;
  enum class Step {
    make_secret,
    make_account,
    get_token,
    use_token,
    remove_account,
    use_dead_token,
    make_namesake,
    use_token_of_namesake,
    remove_namesake
  };
  using Answer = schema::Answer<client::Reply>;

  void go();
  client::Call call_of(Step step) const;
  void take(const Answer& answer);
  void use();
  void take_use(int status, const std::string& body);
  std::string account() const;
  void complain(const std::string& what);

  WireClient& wire_;
  Step step_ = Step::make_secret;
  int account_ = 1;
  std::uint64_t uses_ = 0;
  std::string token_;
  std::string asked_, used_at_;  // servers: of the last call, of the last use of a token
  std::string removed_at_;       // where the account was removed
  bool busy_ = false;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
