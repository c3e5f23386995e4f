// Somebody at the AWS door: what EKS answers of the cluster is what its object says.
#pragma once

#include <functional>
#include <map>

#include "aws/identity/access_key.h"
#include "http/client.h"
#include "sim/users/user.h"

namespace keelway::sim {

class AwsCaller final : public User {
 public:
  using Object = std::function<value::Value()>;  // the Cluster as it is now; null where unknown
  AwsCaller(runtime::Runtime& runtime, runtime::Executor& executor, Object object)
      : runtime_(runtime), executor_(executor), object_(std::move(object)) {}
  ~AwsCaller() override { *alive_ = false; }

  // Where the door is asked from now on, and the key of its root.
  void aim(const runtime::Address& door, aws::AccessKey key);
  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return done_; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "aws caller"; }

 private:
  void ask(bool last);
  void take(const http::Response& response, const std::string& host, bool last);

  runtime::Runtime& runtime_;
  runtime::Executor& executor_;
  const Object object_;
  runtime::Address door_;
  aws::AccessKey key_;
  std::map<std::string, std::unique_ptr<http::Client>> ways_;  // by host
  http::Client* http_ = nullptr;                               // one of ways_
  bool busy_ = false, done_ = false;
  bool was_active_ = false;
  int tries_ = 0;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
