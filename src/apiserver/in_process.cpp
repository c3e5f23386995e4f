#include "apiserver/in_process.h"

#include <set>

#include "apiserver/encode.h"
#include "apiserver/metrics.h"
#include "apiserver/pipeline.h"
#include "apiserver/routing.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

using client::Call;
using client::ChangeBatch;
using client::Reply;
using client::ReplyCallback;
using BatchPtr = std::shared_ptr<const ChangeBatch>;

std::string_view verb_name(client::Verb verb) {
  switch (verb) {
    case client::Verb::get:
      return "get";
    case client::Verb::list:
      return "list";
    case client::Verb::create:
      return "create";
    case client::Verb::update:
      return "update";
    case client::Verb::patch:
      return "patch";
    case client::Verb::remove:
      return "delete";
    case client::Verb::remove_collection:
      return "deletecollection";
  }
  return "";
}

std::string default_manager(const access::Identity& who) {
  const std::size_t colon = who.user.rfind(':');
  std::string manager = colon == std::string::npos ? who.user : who.user.substr(colon + 1);
  if (manager.size() > 128) manager.resize(128);
  return manager.empty() ? "unknown" : manager;
}

void read_names(const Call& call, RequestInfo& info) {
  info.name_space = call.name_space;
  info.name = call.name;
  const value::Value& metadata = call.body["metadata"];
  if (info.name_space.empty() && call.resource.namespaced) {
    info.name_space = metadata["namespace"].as_string();
  }
  const bool named = info.verb == "update" || info.verb == "patch" || info.verb == "delete";
  if (info.name.empty() && named) info.name = metadata["name"].as_string();
  if (info.verb == "create" && info.subresource.empty()) info.name.clear();
  if (call.resource.resource == "namespaces" && call.resource.group.empty() && !info.name.empty()) {
    info.name_space = info.name;
  }
}

OperationPtr operation_of(Call call, access::IdentityPtr who, FencePtr fence) {
  auto op = std::make_shared<Operation>();
  op->fence = std::move(fence);
  RequestInfo& info = op->info;
  info.resource_request = true;
  info.verb = verb_name(call.verb);
  info.group = call.resource.group;
  info.version = call.resource.version;
  info.resource = call.resource.resource;
  info.subresource = call.subresource;
  read_names(call, info);
  op->who = std::move(who);
  op->default_manager = default_manager(*op->who);
  op->content_type = call.patch_type;
  const auto option = [&](const char* name, const std::string& text) {
    if (!text.empty()) op->query.set(name, text);
  };
  option("fieldManager", call.field_manager);
  option("labelSelector", call.label_selector);
  option("fieldSelector", call.field_selector);
  option("continue", call.continue_token);
  if (call.limit > 0) option("limit", std::to_string(call.limit));
  if (call.force) option("force", "true");
  if (call.dry_run) option("dryRun", "All");
  op->document = std::move(call.body);
  op->brief = call.brief;
  return op;
}

// What a remote caller would have asked for.
std::string path_of(const RequestInfo& info) {
  std::string path = info.group.empty() ? "/api/" : "/apis/" + info.group + "/";
  path += info.version;
  if (!info.name_space.empty() && info.resource != "namespaces") {
    path += "/namespaces/" + info.name_space;
  }
  path += "/" + info.resource;
  if (!info.name.empty()) path += "/" + info.name;
  if (!info.subresource.empty()) path += "/" + info.subresource;
  return path;
}

Value reply_value(const Operation& op, const Outcome& outcome) {
  const auto* object = std::get_if<ObjectPtr>(&outcome.content);
  if (!op.brief || object == nullptr) return outcome_value(op, outcome);
  return Value::object(
      {{"metadata", Value::object({{"resourceVersion", std::to_string((*object)->revision())},
                                   {"uid", (*object)->uid()}})}});
}

void record(Core& core, const Operation& op, base::WallTime received, int code) {
  core.metrics->answered(op.info.verb, op.info.group, op.info.version, op.info.resource, code,
                         std::chrono::duration<double>(core.now() - received).count());
  const std::string& verb = op.info.verb;
  if (!core.config.audit || verb == "get" || verb == "list") return;
  const std::string id = base::make_uuid(core.executor.random()), uri = path_of(op.info);
  AuditRecord entry = audit_record(op, received);
  entry.id = id;
  entry.source = "in-process";
  entry.uri = uri;
  entry.code = code;
  entry.answered = core.now();
  core.config.audit(entry);
}

void run(Core& core, Call call, access::IdentityPtr who, FencePtr fence, ReplyCallback done) {
  const base::WallTime received = core.now();
  OperationPtr op = operation_of(std::move(call), std::move(who), std::move(fence));
  auto finish = [&core, op, received, done = std::move(done)](Answer<Outcome> answer) mutable {
    record(core, *op, received, answer ? answer->code : answer.error().code);
    if (!answer) return done(std::unexpected(std::move(answer.error())));
    done(Reply{reply_value(*op, *answer), answer->revision});
  };
  if (!core.ready) {
    return finish(std::unexpected(schema::service_unavailable("the server is starting")));
  }
  if (auto ok = access::require(core.authorizer, *op->who, attributes_of(*op)); !ok) {
    return finish(std::unexpected(std::move(ok.error())));
  }
  if (auto ok = route(core, *op); !ok) return finish(std::unexpected(std::move(ok.error())));
  run_operation(core, op, std::move(finish));
}

// One subscription: the part that the client's executor owns.
struct Receiver {
  explicit Receiver(std::shared_ptr<Mailbox> to) : mailbox(std::move(to)) {}
  std::shared_ptr<Mailbox> mailbox;
  // The client's executor only:
  bool alive = true;
  std::move_only_function<void(const ChangeBatch&)> sink;
  // The server's executor only:
  std::uint64_t feed = 0;
  bool ended = false;
};
using ReceiverPtr = std::shared_ptr<Receiver>;

void deliver(const ReceiverPtr& receiver, BatchPtr batch) {
  runtime::Task task = [receiver, batch = std::move(batch)] {
    if (receiver->alive) receiver->sink(*batch);
  };
  receiver->mailbox->post(task);
}

// Resources by the prefix of their keys.
using Prefixes = std::map<std::string, client::Resource, std::less<>>;

ChangeBatch everything(Core& core, const Prefixes& prefixes) {
  ChangeBatch batch;
  batch.revision = core.cache.revision();
  batch.synced = true;
  for (const auto& [prefix, resource] : prefixes) {
    (void)core.cache.scan({prefix, "", 0}, [&](std::string_view, const ObjectPtr& object) {
      batch.changes.push_back({resource, object, nullptr});
      return true;
    });
  }
  return batch;
}

void forward(const watch::CacheBatch& batch, const Prefixes& prefixes,
             const ReceiverPtr& receiver) {
  auto changes = std::make_shared<ChangeBatch>();
  for (const watch::CacheEventPtr& event : batch.events) {
    const auto found = prefixes.find(watch::resource_prefix_of(event->key));
    if (found == prefixes.end()) continue;
    const bool gone = event->type == watch::CacheEvent::Type::deleted;
    changes->changes.push_back({found->second, gone ? nullptr : event->object, event->previous});
  }
  if (changes->changes.empty()) return;
  changes->revision = batch.revision;
  changes->synced = true;
  deliver(receiver, std::move(changes));
}

void follow(const ServerLinkPtr& link, std::shared_ptr<const Prefixes> prefixes,
            const ReceiverPtr& receiver) {
  Core* core = link->core;
  if (core == nullptr || receiver->ended) return;
  deliver(receiver, std::make_shared<const ChangeBatch>(everything(*core, *prefixes)));
  watch::SubscribeRequest request;
  // Whole revisions over several resources come in one batch only from one subscription.
  if (prefixes->size() == 1) request.prefix = prefixes->begin()->first;
  request.after = core->cache.revision();
  request.takes_differences = true;
  request.on_batch = [prefixes, receiver](const watch::CacheBatch& batch) {
    forward(batch, *prefixes, receiver);
  };
  request.on_end = [link, prefixes, receiver](base::Error) {
    runtime::Task again = [link, prefixes, receiver] { follow(link, prefixes, receiver); };
    link->mailbox.post(again);
  };
  auto subscribed = core->cache.subscribe(std::move(request));
  if (!subscribed) return;  // cannot be: `after` is the present
  if (receiver->feed == 0) receiver->feed = link->next_feed++;
  link->feeds[receiver->feed] = std::move(*subscribed);
}

// Only what the identity may list and watch.
std::shared_ptr<const Prefixes> permitted(Core& core, const access::Identity& who,
                                          const std::vector<client::Resource>& resources) {
  auto prefixes = std::make_shared<Prefixes>();
  for (const client::Resource& r : resources) {
    access::Attributes what;
    what.verb = "watch";
    what.group = r.group;
    what.version = r.version;
    what.resource = r.resource;
    if (auto ok = access::require(core.authorizer, who, what); !ok) {
      core.config.log.error(
          "subscription refused",
          {{"user", who.user}, {"resource", r.resource}, {"why", ok.error().message}});
      continue;
    }
    std::string group = r.group;
    if (const schema::Kind* kind = core.kinds()->by_resource(r.group, r.version, r.resource)) {
      group = storage_group(*kind);
    }
    (*prefixes)[watch::resource_prefix(group, r.resource)] = r;
  }
  return prefixes;
}

class InProcessSubscription final : public client::Subscription {
 public:
  InProcessSubscription(ServerLinkPtr server, ReceiverPtr receiver)
      : server_(std::move(server)), receiver_(std::move(receiver)) {}
  ~InProcessSubscription() override {
    receiver_->alive = false;
    runtime::Task stop = [link = server_, receiver = receiver_] {
      receiver->ended = true;
      link->feeds.erase(receiver->feed);
    };
    server_->mailbox.post(stop);
  }

 private:
  ServerLinkPtr server_;
  ReceiverPtr receiver_;
};

class InProcessClient final : public client::Client {
 public:
  InProcessClient(ServerLinkPtr server, runtime::Executor& executor, access::Identity who,
                  FencePtr fence)
      : server_(std::move(server)),
        mailbox_(std::make_shared<Mailbox>(executor)),
        who_(std::make_shared<const access::Identity>(std::move(who))),
        fence_(std::move(fence)) {}
  ~InProcessClient() override {
    *alive_ = false;
    mailbox_->close();
  }

  void call(Call call, ReplyCallback done) override {
    auto held = std::make_shared<ReplyCallback>(std::move(done));
    auto answer = [mailbox = mailbox_, alive = alive_, held](schema::Answer<Reply> reply) {
      auto shared = std::make_shared<schema::Answer<Reply>>(std::move(reply));
      runtime::Task task = [alive, held, shared] {
        if (*alive) (*held)(std::move(*shared));
      };
      mailbox->post(task);
    };
    runtime::Task task = [link = server_, call = std::move(call), who = who_, fence = fence_,
                          answer]() mutable {
      if (link->core == nullptr) {
        return answer(std::unexpected(schema::service_unavailable("the server has stopped")));
      }
      run(*link->core, std::move(call), std::move(who), std::move(fence), std::move(answer));
    };
    if (!server_->mailbox.post(task)) {
      answer(std::unexpected(schema::service_unavailable("the server has stopped")));
    }
  }

  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const ChangeBatch&)> sink) override {
    auto receiver = std::make_shared<Receiver>(mailbox_);
    receiver->sink = std::move(sink);
    runtime::Task begin = [link = server_, who = who_, resources = std::move(resources), receiver] {
      if (link->core == nullptr) return;
      auto start = [link, who, resources, receiver] {
        if (link->core == nullptr) return;
        follow(link, permitted(*link->core, *who, resources), receiver);
      };
      if (link->core->ready)
        start();
      else
        link->waiting.emplace_back(std::move(start));
    };
    server_->mailbox.post(begin);
    return std::make_unique<InProcessSubscription>(server_, std::move(receiver));
  }

 private:
  const ServerLinkPtr server_;
  const std::shared_ptr<Mailbox> mailbox_;
  const access::IdentityPtr who_;
  const FencePtr fence_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // this executor only
};

}  // namespace

std::unique_ptr<client::Client> make_in_process_client(ServerLinkPtr server,
                                                       runtime::Executor& executor,
                                                       access::Identity who, FencePtr fence) {
  return std::make_unique<InProcessClient>(std::move(server), executor, std::move(who),
                                           std::move(fence));
}

}  // namespace keelway::apiserver
