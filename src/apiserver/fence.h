// What keeps a loop that has lost its place from writing: every write of a fenced client holds only
// while its fence key stands as it stood when the client was made. The store judges, in the
// transaction of the write, so a process that was paused and wakes can write nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "store/store.h"

namespace keelway::apiserver {

struct Fence {
  std::string key;
  store::Revision revision = 0;  // of the fence key
};

// Of a registered server of the hub: the key stands as long as its Server object, whose creation
// has made both. `registered`: the revision of that creation.
Fence server_fence(std::string_view server, store::Revision registered);

// Who runs the loops of a cluster: epochs count who came after whom.
struct FenceClaim {
  std::string holder;  // unique for all time
  std::int64_t epoch = 0;
  std::int64_t tenure = 0;  // of the holder: counts its leases, which may end and come again
};

class Core;
using FencePtr = std::shared_ptr<const Fence>;

// Makes the keyspace's one loop fence the claim's, unless a later claim has it (conflict). The
// claims of an earlier epoch, and of an earlier tenure of the same holder, can write no more; the
// same claim again answers the same fence.
using FenceTaken = std::move_only_function<void(base::Result<Fence>)>;
void take_loop_fence(Core& core, FenceClaim claim, FenceTaken taken);

std::string server_fence_key(std::string_view server);

}  // namespace keelway::apiserver
