// The authority that signs the certificate of every server's AWS door: one for all servers of a
// store and for all their starts, so that what clients trust stays what it is.
#pragma once

#include <functional>
#include <memory>

#include "access/pki.h"
#include "app/patience.h"
#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::app {

class DoorAuthority {
 public:
  DoorAuthority(runtime::Runtime& runtime, runtime::Executor& executor, client::Client& hub,
                telemetry::Log log)
      : runtime_(runtime), executor_(executor), hub_(hub), patience_(executor, std::move(log)) {}
  ~DoorAuthority() { *alive_ = false; }
  DoorAuthority(const DoorAuthority&) = delete;

  // Reads it from the hub, draws it where there is none. What is stored is the truth. Fails where
  // the hub refuses it for good.
  using Done = std::move_only_function<void(base::Result<access::KeyedCertificate>)>;
  void ensure(Done done);

 private:
  void draw(Done done);
  void again(const schema::Status& why, Done done);

  runtime::Runtime& runtime_;
  runtime::Executor& executor_;
  client::Client& hub_;
  Patience patience_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::app
