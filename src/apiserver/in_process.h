// The client of loops in the same process: posts to the server's executor, runs the same steps
// after authentication, posts the answer back.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "apiserver/core.h"
#include "apiserver/mailbox.h"

namespace keelway::apiserver {

// Shared by the server and its clients. All but the mailbox belongs to the server's executor.
struct ServerLink {
  explicit ServerLink(runtime::Executor& executor) : mailbox(executor) {}
  Mailbox mailbox;
  Core* core = nullptr;                // null once the server is gone
  std::vector<runtime::Task> waiting;  // subscriptions that came before the server was ready
  std::map<std::uint64_t, std::unique_ptr<watch::CacheSubscription>> feeds;
  std::uint64_t next_feed = 1;
};
using ServerLinkPtr = std::shared_ptr<ServerLink>;

std::unique_ptr<client::Client> make_in_process_client(ServerLinkPtr server,
                                                       runtime::Executor& executor,
                                                       access::Identity who,
                                                       FencePtr fence = nullptr);

}  // namespace keelway::apiserver
