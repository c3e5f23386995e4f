// A user's way to one cluster: HTTP over the virtual network, with a bearer token.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "client/client.h"
#include "http/client.h"
#include "runtime/runtime.h"

namespace keelway::sim {

// Belongs to one executor of the users' machine.
class WireClient {
 public:
  WireClient(runtime::Runtime& runtime, runtime::Executor& executor)
      : runtime_(runtime), executor_(executor) {}
  ~WireClient() { *alive_ = false; }
  WireClient(const WireClient&) = delete;

  // Where the cluster is asked from now on. What is under way elsewhere goes on.
  void aim(const runtime::Address& server);
  void use(std::string token) { token_ = std::move(token); }
  const runtime::Address& server() const { return server_; }
  bool ready() const { return http_ != nullptr && !token_.empty(); }
  runtime::Executor& executor() { return executor_; }

  // A lost answer reads as a Timeout.
  void call(client::Call call, client::ReplyCallback done);
  // As somebody else. `done` hears status 0 where no answer came.
  using Heard = std::move_only_function<void(int status, std::string body)>;
  void get_as(const std::string& token, const std::string& target, Heard done);
  // `target`: path and query. Null while not ready.
  std::unique_ptr<http::PendingRequest> watch(const std::string& target,
                                              http::ResponseEvents events);

  static std::string path_of(const client::Call& call);

 private:
  std::vector<http::Header> headers(const std::string& token) const;

  runtime::Runtime& runtime_;
  runtime::Executor& executor_;
  runtime::Address server_;
  std::string token_;
  std::map<std::pair<std::string, std::uint16_t>, std::unique_ptr<http::Client>> ways_;
  http::Client* http_ = nullptr;  // one of ways_
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
