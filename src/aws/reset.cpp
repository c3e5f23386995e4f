#include "aws/reset.h"

#include <fmt/core.h>

#include <set>

#include "client/resources.h"
#include "value/json.h"

namespace keelway::aws {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr base::Duration look_again = std::chrono::milliseconds(10);

struct Reset : std::enable_shared_from_this<Reset> {
  eks::ServicePtr service;
  std::string account_id;
  base::Instant deadline;
  std::shared_ptr<http::Exchange> exchange;
  std::set<std::string> asked;  // uids whose deletion is under way

  void answer(int status, Value body) {
    exchange->respond({status, {{"content-type", "application/json"}}, value::to_json(body)});
  }

  // Only what was there at the first look counts; clusters made meanwhile are not waited for.
  void look(bool first) {
    service->hub.call(client::list_call(resources::clusters),
                      [self = shared_from_this(), first](schema::Answer<client::Reply> found) {
                        if (!found) {
                          return self->answer(503,
                                              Value::object({{"message", found.error().message}}));
                        }
                        self->judge(found->object["items"], first);
                      });
  }

  void judge(const Value& clusters, bool first) {
    std::size_t left = 0;
    for (const Value& one : clusters.items()) {
      if (one.at("spec", "accountId").as_string() != account_id) continue;
      const std::string& uid = one.at("metadata", "uid").as_string();
      if (first) {
        asked.insert(uid);
        remove(one);
      }
      left += asked.contains(uid) ? 1 : 0;
    }
    if (left == 0) {
      return answer(200,
                    Value::object({{"clustersDeleted", static_cast<std::int64_t>(asked.size())}}));
    }
    if (service->executor.now() >= deadline) {
      return answer(504, Value::object({{"message", fmt::format("{} clusters are still being "
                                                                "deleted, ask again",
                                                                left)}}));
    }
    service->executor.after(look_again, [self = shared_from_this()] { self->look(false); });
  }

  void remove(const Value& cluster) {
    const Value& metadata = cluster["metadata"];
    service->hub.call(client::remove_call(resources::clusters, metadata["namespace"].as_string(),
                                          metadata["name"].as_string(),
                                          client::delete_options(metadata["uid"].as_string())),
                      [](schema::Answer<client::Reply>) {});
    for (const client::ObjectPtr& update :
         service->view.list(resources::updates, metadata["namespace"].as_string())) {
      service->hub.call(
          client::remove_call(resources::updates, update->name_space(), update->name()),
          [](schema::Answer<client::Reply>) {});
    }
  }
};

}  // namespace

void reset_account(eks::ServicePtr service, const Caller& caller, base::Duration timeout,
                   std::shared_ptr<http::Exchange> exchange) {
  auto reset = std::make_shared<Reset>();
  reset->deadline = service->executor.now() + timeout;
  reset->service = std::move(service);
  reset->account_id = caller.account_id;
  reset->exchange = std::move(exchange);
  reset->look(true);
}

}  // namespace keelway::aws
