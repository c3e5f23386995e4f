// For tests only: an executor whose time moves by hand, and a small in-memory API behind
// client::Client. It knows nothing of kinds beyond names, revisions, finalizers and bindings.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/resources.h"
#include "runtime/runtime.h"
#include "value/json.h"

namespace keelway::reconcile::testing {

class HandExecutor final : public runtime::Executor {
 public:
  void post(runtime::Task task) override { add(now_, std::move(task)); }
  runtime::TimerId after(base::Duration delay, runtime::Task task) override {
    return add(now_ + delay, std::move(task));
  }
  void cancel(runtime::TimerId timer) override {
    std::erase_if(tasks_, [&](const auto& entry) { return entry.first.second == timer; });
  }
  base::Instant now() const override { return now_; }
  base::WallTime wall_now() const override {
    return base::WallTime{1'767'225'600'000'000} + (now_ - base::Instant{});
  }
  base::Random& random() override { return random_; }

  // Runs everything that is due within `duration`.
  void run_for(base::Duration duration) {
    const base::Instant end = now_ + duration;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto node = tasks_.extract(tasks_.begin());
      now_ = std::max(now_, node.key().first);
      node.mapped()();
    }
    now_ = end;
  }
  std::size_t pending() const { return tasks_.size(); }  // tasks and timers

 private:
  runtime::TimerId add(base::Instant at, runtime::Task task) {
    const runtime::TimerId id = ++last_;
    tasks_.emplace(std::pair(at, id), std::move(task));
    return id;
  }
  base::Instant now_;
  runtime::TimerId last_ = 0;
  std::map<std::pair<base::Instant, runtime::TimerId>, runtime::Task> tasks_;
  base::Random random_{7};
};

class FakeApi final : public client::Client {
 public:
  explicit FakeApi(HandExecutor& executor) : executor_(executor) {}

  base::Duration answer_delay{0}, watch_delay{0};
  // Set: decides a call itself. Answered after the effect happened if `lose` says so.
  std::function<std::optional<schema::Status>(const client::Call&)> refuse;
  std::function<bool(const client::Call&)> lose_answer;
  std::vector<client::Call> calls;

  void call(client::Call call, client::ReplyCallback done) override {
    calls.push_back(call);
    schema::Answer<client::Reply> answer = [&]() -> schema::Answer<client::Reply> {
      if (refuse) {
        if (std::optional<schema::Status> status = refuse(call)) return std::unexpected(*status);
      }
      schema::Answer<client::Reply> real = handle(call);
      if (lose_answer && lose_answer(call)) {
        return std::unexpected(schema::timeout("the answer was lost", 0));
      }
      return real;
    }();
    executor_.after(answer_delay, [answer = std::move(answer), done = std::move(done)]() mutable {
      done(std::move(answer));
    });
  }

  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const client::ChangeBatch&)> sink) override {
    auto feed = std::make_shared<Feed>();
    feed->resources = std::move(resources);
    feed->sink = std::move(sink);
    client::ChangeBatch initial;
    for (const client::Resource& resource : feed->resources) {
      for (const auto& [key, object] : tables_[table_of(resource)]) {
        initial.changes.push_back({resource, object, nullptr});
      }
    }
    initial.revision = revision_;
    initial.synced = true;
    deliver(feed, std::move(initial));
    feeds_.push_back(feed);
    return std::make_unique<Held>(feed);
  }

  // Beside the loops: what a user or a node writes.
  void put(const client::Resource& resource, value::Value object) {
    store(resource, std::move(object));
  }
  void erase(const client::Resource& resource, const std::string& name_space,
             const std::string& name) {
    drop(resource, {name_space, name});
  }
  client::ObjectPtr get(const client::Resource& resource, const std::string& name_space,
                        const std::string& name) {
    const auto& table = tables_[table_of(resource)];
    const auto found = table.find({name_space, name});
    return found != table.end() ? found->second : nullptr;
  }
  std::vector<client::ObjectPtr> list(const client::Resource& resource) {
    std::vector<client::ObjectPtr> objects;
    for (const auto& [key, object] : tables_[table_of(resource)]) objects.push_back(object);
    return objects;
  }
  client::Revision revision() const { return revision_; }

 private:
  using Name = std::pair<std::string, std::string>;
  struct Feed {
    std::vector<client::Resource> resources;
    std::move_only_function<void(const client::ChangeBatch&)> sink;
    bool open = true;
  };
  struct Held final : client::Subscription {
    explicit Held(std::shared_ptr<Feed> f) : feed(std::move(f)) {}
    ~Held() override { feed->open = false; }
    std::shared_ptr<Feed> feed;
  };

  static std::string table_of(const client::Resource& r) { return r.resource + "." + r.group; }

  void deliver(const std::shared_ptr<Feed>& feed, client::ChangeBatch batch) {
    executor_.after(watch_delay, [feed, batch = std::move(batch)] {
      if (feed->open) feed->sink(batch);
    });
  }

  void publish(const client::Change& change) {
    for (const auto& feed : feeds_) {
      const auto& watched = feed->resources;
      if (!feed->open || std::none_of(watched.begin(), watched.end(), [&](const auto& r) {
            return table_of(r) == table_of(change.resource);
          })) {
        continue;
      }
      client::ChangeBatch batch;
      batch.changes.push_back(change);
      batch.revision = revision_;
      batch.synced = true;
      deliver(feed, std::move(batch));
    }
  }

  client::ObjectPtr store(const client::Resource& resource, value::Value object) {
    object.set("apiVersion", resource.api_version()).set("kind", resource.kind);
    value::Value& metadata = object.mutate("metadata");
    if (metadata["name"].as_string().empty()) {
      metadata.set("name", metadata["generateName"].as_string() + "g" + std::to_string(++names_));
    }
    if (!metadata.contains("uid")) metadata.set("uid", "uid-" + std::to_string(++names_));
    if (!metadata.contains("creationTimestamp")) {
      metadata.set("creationTimestamp", base::format_rfc3339(executor_.wall_now()));
    }
    metadata.erase("resourceVersion");
    const Name name(metadata["namespace"].as_string(), metadata["name"].as_string());
    if (metadata.contains("deletionTimestamp") && metadata["finalizers"].empty() &&
        !(resource.resource == "pods" && !object.at("spec", "nodeName").as_string().empty())) {
      drop(resource, name);
      return nullptr;
    }
    client::ObjectPtr& place = tables_[table_of(resource)][name];
    if (place) {
      value::Value old = place->value();
      if (!object.at("metadata").contains("generation")) {
        metadata.set("generation", old.at("metadata", "generation"));
      }
      old.mutate("metadata").erase("resourceVersion");
      if (old == object) return place;
      if (!(old["spec"] == object["spec"])) {
        metadata.set("generation", metadata["generation"].as_int(1) + 1);
      }
    } else if (!metadata.contains("generation")) {
      metadata.set("generation", 1);
    }
    client::Change change{resource, nullptr, place};
    place =
        schema::Object::parse(std::make_shared<std::string>(value::to_json(object)), ++revision_);
    change.object = place;
    publish(change);
    return place;
  }

  void drop(const client::Resource& resource, const Name& name) {
    auto& table = tables_[table_of(resource)];
    const auto found = table.find(name);
    if (found == table.end()) return;
    const client::ObjectPtr previous = found->second;
    table.erase(found);
    ++revision_;
    publish({resource, nullptr, previous});
  }

  static void merge(value::Value& target, const value::Value& patch) {
    if (!patch.is_object()) {
      target = patch;
      return;
    }
    if (!target.is_object()) target = value::Value::object();
    for (const auto& [key, part] : patch.members()) {
      if (part.is_null())
        target.erase(key);
      else
        merge(target.mutate(key), part);
    }
  }

  schema::Answer<client::Reply> reply(const client::ObjectPtr& object) {
    return client::Reply{object ? object->value() : value::Value(), revision_};
  }

  schema::Answer<client::Reply> handle(const client::Call& call) {
    const client::Resource& r = call.resource;
    auto& table = tables_[table_of(r)];
    if (call.verb == client::Verb::create && call.subresource.empty()) {
      value::Value object = call.body;
      if (r.namespaced) object.mutate("metadata").set("namespace", call.name_space);
      const std::string& name = object.at("metadata", "name").as_string();
      if (!name.empty() && table.contains({call.name_space, name})) {
        return std::unexpected(schema::already_exists(r.group, r.resource, name));
      }
      return reply(store(r, std::move(object)));
    }
    if (call.verb == client::Verb::list) {
      value::Value items = value::Value::array();
      for (const auto& [name, object] : table) items.push(object->value());
      return client::Reply{value::Value::object({{"items", std::move(items)}}), revision_};
    }
    if (call.verb == client::Verb::remove_collection) {
      std::vector<Name> names;
      for (const auto& [name, object] : table) {
        if (name.first == call.name_space) names.push_back(name);
      }
      for (const Name& name : names) remove(r, name);
      return reply(nullptr);
    }
    const auto found = table.find({call.name_space, call.name});
    if (found == table.end()) {
      return std::unexpected(schema::not_found(r.group, r.resource, call.name));
    }
    if (call.verb == client::Verb::get) return reply(found->second);
    if (call.verb == client::Verb::remove) {
      const std::string& uid = call.body.at("preconditions", "uid").as_string();
      if (!uid.empty() && uid != found->second->uid()) {
        return std::unexpected(schema::conflict(r.group, r.resource, call.name, "uid"));
      }
      remove(r, {call.name_space, call.name});
      return reply(nullptr);
    }
    return write(call, found->second->value());
  }

  schema::Answer<client::Reply> write(const client::Call& call, value::Value object) {
    const client::Resource& r = call.resource;
    const std::string version = object.at("metadata", "resourceVersion").as_string();
    const std::string& wanted = call.body.at("metadata", "resourceVersion").as_string();
    if (!wanted.empty() && wanted != version) {
      return std::unexpected(schema::modified_conflict(r.group, r.resource, call.name));
    }
    const std::string& meant = call.body.at("metadata", "uid").as_string();
    if (!meant.empty() && meant != object.at("metadata", "uid").as_string()) {
      return std::unexpected(schema::conflict(r.group, r.resource, call.name, "uid"));
    }
    if (call.subresource == "eviction") {
      remove(r, {call.name_space, call.name});
      return reply(nullptr);
    }
    if (call.subresource == "binding") {
      object.mutate("spec").set("nodeName", call.body.at("target", "name"));
    } else if (call.verb == client::Verb::patch) {
      value::Value patch = call.body;
      merge(object, patch);
    } else if (call.subresource == "status") {
      object.set("status", call.body["status"]);
    } else {
      const value::Value status = object["status"];
      object = call.body;
      if (!status.is_null() && call.subresource.empty()) object.set("status", status);
    }
    return reply(store(r, std::move(object)));
  }

  void remove(const client::Resource& r, const Name& name) {
    value::Value object = tables_[table_of(r)][name]->value();
    const bool bound = r.resource == "pods" && !object.at("spec", "nodeName").as_string().empty();
    if (object.at("metadata", "finalizers").empty() && !bound) {
      drop(r, name);
      return;
    }
    if (!object.at("metadata", "deletionTimestamp").is_null()) return;
    object.mutate("metadata", "deletionTimestamp") = base::format_rfc3339(executor_.wall_now());
    store(r, std::move(object));
  }

  HandExecutor& executor_;
  std::map<std::string, std::map<Name, client::ObjectPtr>> tables_;
  std::vector<std::shared_ptr<Feed>> feeds_;
  client::Revision revision_ = 1;
  int names_ = 0;
};

}  // namespace keelway::reconcile::testing
