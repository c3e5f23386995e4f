// The users' machine: everybody who comes over the network, acting in turns at times of their own.
#pragma once

#include <memory>
#include <vector>

#include "runtime/virtual/world.h"
#include "sim/shape.h"
#include "sim/users/aws_caller.h"
#include "sim/users/counter.h"
#include "sim/users/evictor.h"
#include "sim/users/wire_client.h"
#include "sim/users/writer.h"

namespace keelway::sim {

class Crowd {
 public:
  // `cluster`: the Cluster object as the oracles know it.
  Crowd(runtime::World& world, const Shape& shape, AwsCaller::Object cluster);
  ~Crowd();

  runtime::Host& host() { return *host_; }
  void aim(const runtime::Address& cluster, const runtime::Address& door,
           const aws::AccessKey& key);
  void use(std::string token);
  void start();     // they act
  void conclude();  // they finish
  void rest();      // they do nothing more
  bool concluded() const;
  std::string who_is_left() const;
  Complaint complaint() const;
  std::size_t acknowledged() const { return writer_->acknowledged(); }
  const Evictor* evictor() const { return evictor_; }

 private:
  enum class Mode { rest, act, conclude };
  void turn();
  void set_mode(Mode mode);
  void hire(std::unique_ptr<User> user) { users_.push_back(std::move(user)); }

  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<WireClient> wire_;
  Tally tally_;
  std::vector<std::unique_ptr<User>> users_;
  Writer* writer_ = nullptr;     // one of users_
  AwsCaller* caller_ = nullptr;  // one of users_
  Evictor* evictor_ = nullptr;   // one of users_, or null
  Mode mode_ = Mode::rest;
  runtime::TimerId timer_ = 0;
};

}  // namespace keelway::sim
