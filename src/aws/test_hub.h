// For tests of this room: as much of a hub as the door asks for, over a view, on one executor.
#pragma once

#include <memory>
#include <string>

#include "client/resources.h"
#include "client/view.h"
#include "http/server.h"
#include "runtime/runtime.h"
#include "value/json.h"
#include "value/merge_patch.h"
#include "value/selector.h"

namespace keelway::aws {

// Keeps the answer that a door gives.
struct TestExchange final : http::Exchange {
  std::optional<http::Response> answer;
  void respond(http::Response response) override { answer = std::move(response); }
  void start(int, std::vector<http::Header>) override {}
  void write(std::string) override {}
  void finish() override {}
  void abort() override {}
  std::size_t pending_bytes() const override { return 0; }
  void on_drained(std::move_only_function<void()>) override {}
  void on_gone(std::move_only_function<void()>) override {}
};

class TestHub final : public client::Client {
 public:
  explicit TestHub(runtime::Executor& executor) : executor_(executor) {}

  void call(client::Call call, client::ReplyCallback done) override {
    executor_.post([this, call = std::move(call), done = std::move(done)]() mutable {
      ++calls;
      done(answer(call));
    });
  }
  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource>,
      std::move_only_function<void(const client::ChangeBatch&)>) override {
    return nullptr;
  }
  const client::View& view() const { return view_; }

  // What the loops of a real hub do.
  void write(const client::Resource& r, value::Value object) {
    value::Value& metadata = object.mutate("metadata");
    metadata.erase("resourceVersion");
    if (!metadata.contains("uid")) metadata.set("uid", "uid-" + std::to_string(revision_ + 1));
    apply(r, value::to_json(object), false);
  }
  void set_status(const std::string& name_space, const std::string& name, value::Value status) {
    const auto object = view_.get(client::resources::clusters, name_space, name);
    value::Value document = object->value();
    document.set("status", std::move(status));
    write(client::resources::clusters, std::move(document));
  }
  void finalize(const client::Resource& r, const std::string& name_space, const std::string& name) {
    const auto object = view_.get(r, name_space, name);
    if (object) apply(r, object->text().whole(), true);
  }

  int calls = 0;
  bool needs_namespaces = true;

 private:
  using Answer = schema::Answer<client::Reply>;

  Answer answer(const client::Call& call) {
    switch (call.verb) {
      case client::Verb::get:
        return get(call);
      case client::Verb::list:
        return list(call);
      case client::Verb::create:
        return create(call);
      case client::Verb::patch:
        return patch(call);
      case client::Verb::remove:
        return remove(call);
      default:
        return std::unexpected(schema::internal_error("not played by the test hub"));
    }
  }
  Answer missing(const client::Call& call) const {
    return std::unexpected(
        schema::not_found(call.resource.group, call.resource.resource, call.name));
  }
  Answer get(const client::Call& call) {
    const auto object = view_.get(call.resource, call.name_space, call.name);
    if (!object) return missing(call);
    return client::Reply{object->value(), revision_};
  }
  Answer list(const client::Call& call) {
    const auto selector = value::LabelSelector::parse(call.label_selector);
    value::Value items = value::Value::array();
    for (const auto& one : view_.list(call.resource, call.name_space)) {
      if (selector->matches(one->labels())) items.push(one->value());
    }
    return client::Reply{value::Value::object({{"items", std::move(items)}}), revision_};
  }
  Answer create(const client::Call& call) {
    if (call.resource.namespaced && needs_namespaces &&
        !view_.get(client::resources::namespaces, "", call.name_space)) {
      return std::unexpected(schema::not_found("", "namespaces", call.name_space));
    }
    value::Value object = call.body;
    const std::string name = object.at("metadata", "name").as_string();
    if (view_.get(call.resource, call.name_space, name)) {
      return std::unexpected(
          schema::already_exists(call.resource.group, call.resource.resource, name));
    }
    if (!call.name_space.empty()) object.mutate("metadata").set("namespace", call.name_space);
    object.erase("status");
    write(call.resource, std::move(object));
    return client::Reply{view_.get(call.resource, call.name_space, name)->value(), revision_};
  }
  Answer patch(const client::Call& call) {
    const auto object = view_.get(call.resource, call.name_space, call.name);
    if (!object) return missing(call);
    const std::string wanted = call.body.at("metadata", "resourceVersion").as_string();
    if (!wanted.empty() && wanted != std::to_string(object->revision())) {
      return std::unexpected(
          schema::modified_conflict(call.resource.group, call.resource.resource, call.name));
    }
    write(call.resource, value::apply_merge_patch(object->value(), call.body));
    return client::Reply{view_.get(call.resource, call.name_space, call.name)->value(), revision_};
  }
  Answer remove(const client::Call& call) {
    const auto object = view_.get(call.resource, call.name_space, call.name);
    if (!object) return missing(call);
    value::Value document = object->value();
    if (document.at("metadata", "finalizers").empty()) {
      apply(call.resource, object->text().whole(), true);
    } else {
      document.mutate("metadata").set("deletionTimestamp", "2026-01-02T03:04:05Z");
      write(call.resource, document);
    }
    return client::Reply{std::move(document), revision_};
  }
  void apply(const client::Resource& r, std::string json, bool deletion) {
    const auto object =
        schema::Object::parse(std::make_shared<const std::string>(std::move(json)), ++revision_);
    client::ChangeBatch batch;
    batch.changes.push_back(deletion ? client::Change{r, nullptr, object}
                                     : client::Change{r, object, nullptr});
    batch.revision = revision_;
    batch.synced = true;
    view_.apply(batch);
  }

  runtime::Executor& executor_;
  client::LocalView view_;
  client::Revision revision_ = 0;
};

}  // namespace keelway::aws
