#include "reconcile/runner.h"

#include <algorithm>
#include <charconv>

#include "client/resources.h"

namespace keelway::reconcile {
namespace {

using client::Reply;
using client::Verb;
using schema::Answer;
using schema::Status;

bool is_write(const client::Call& call) {
  return call.verb != Verb::get && call.verb != Verb::list && !call.dry_run;
}

client::Revision revision_of(const value::Value& object) {
  const std::string& text = object.at("metadata", "resourceVersion").as_string();
  client::Revision revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

// An update or patch that changes nothing keeps the object's old revision, and no feed would ever
// show the store's head: the object's own revision is the one to wait for.
Visible visible_at(int feed, const client::Call& call, const Reply& reply) {
  if (call.verb == Verb::update || call.verb == Verb::patch) {
    const client::Revision own = revision_of(reply.object);
    if (own > 0) return {feed, own, true};
  }
  const bool writes =
      call.verb == Verb::create && (call.subresource.empty() || call.subresource == "binding");
  return {feed, reply.revision, writes};
}

bool is_lost(const Status& status) {
  return status.code >= 500 || status.is("Timeout") || status.is("ServerTimeout");
}

ActionResult judge(const Feeds& feeds, const client::Call& call, const Action& action,
                   const Answer<Reply>& answer) {
  ActionResult result;
  const bool guard = !action.absent_uid.empty();
  if (!answer) {
    const Status& status = answer.error();
    const bool fine =
        (guard && status.is("NotFound")) ||
        std::find(action.tolerated.begin(), action.tolerated.end(), status.reason) !=
            action.tolerated.end() ||
        std::find(action.tolerated.begin(), action.tolerated.end(), "*") != action.tolerated.end();
    if (fine) return result;
    result.kind =
        is_lost(status) && is_write(call) ? ActionResult::Kind::lost : ActionResult::Kind::failed;
    result.message = status.message;
    return result;
  }
  const bool is_there =
      call.verb == Verb::list
          ? !answer->object["items"].empty()
          : action.absent_uid == "*" ||
                answer->object.at("metadata", "uid").as_string() == action.absent_uid;
  if (guard && is_there) {
    result.kind = ActionResult::Kind::guarded;
    return result;
  }
  if (is_write(call)) {
    result.visible = visible_at(feeds.feed_of(call.resource), call, *answer);
  }
  return result;
}

void run_effect(const Context& context, const EffectExecutor& effects, const Effect& effect,
                ActionDone done) {
  if (!effects) {
    ActionResult result{ActionResult::Kind::failed, {}, "no executor for effect " + effect.name};
    context.executor.post([alive = context.alive, done = std::move(done), result] {
      if (!alive.expired()) done(result);
    });
    return;
  }
  effects(effect,
          [alive = context.alive, done = std::move(done)](base::Result<value::Value> outcome) {
            if (alive.expired()) return;
            ActionResult result;
            if (!outcome) {
              result.kind = ActionResult::Kind::failed;
              result.message = outcome.error().message;
            }
            done(std::move(result));
          });
}

void say_nothing(const Context& context, ActionDone done) {
  context.executor.post([alive = context.alive, done = std::move(done)] {
    if (!alive.expired()) done({});
  });
}

}  // namespace

void run_action(const Context& context, const EffectExecutor& effects, std::string_view loop,
                const Action& action, ActionDone done) {
  if (const Effect* effect = std::get_if<Effect>(&action.what)) {
    run_effect(context, effects, *effect, std::move(done));
    return;
  }
  client::Call call = std::get<client::Call>(action.what);
  bool counts_up = false;
  if (call.field_manager.empty()) call.field_manager = loop;
  call.brief = true;
  if (call.verb == Verb::create && call.resource == client::resources::events) {
    std::optional<client::Call> said =
        context.events.correlate(std::move(call), context.executor.now());
    if (!said) return say_nothing(context, std::move(done));
    call = std::move(*said);
    counts_up = call.verb == Verb::patch;
  }
  client::Call sent = call;
  sent.body = {};  // only its address and verb are looked at afterwards
  context.client.call(std::move(call), [&context, &effects, loop, alive = context.alive, counts_up,
                                        sent = std::move(sent), action,
                                        done = std::move(done)](Answer<Reply> answer) mutable {
    if (alive.expired()) return;
    if (counts_up && !answer && answer.error().is("NotFound")) {
      // Somebody deleted it; it is said anew.
      context.events.forget(std::get<client::Call>(action.what), sent.name);
      return run_action(context, effects, loop, action, std::move(done));
    }
    done(judge(context.feeds, sent, action, answer));
  });
}

namespace {

// Asks until somebody answers: acting on without knowing could do the same thing twice. An object
// that does not open any more answers 500 for good, so that is believed after some tries.
constexpr int broken_reads_max = 8;
void read_until_answered(const Context& context, std::shared_ptr<const client::Call> call,
                         std::shared_ptr<ActionDone> done, int failures) {
  const bool of_object = !call->name.empty();
  context.client.call(*call, [&context, alive = context.alive, call, of_object, done,
                              failures](Answer<Reply> answer) {
    if (alive.expired()) return;
    ActionResult result;
    if (answer) {
      const client::Revision own = of_object ? revision_of(answer->object) : 0;
      result.visible = {context.feeds.feed_of(call->resource), own > 0 ? own : answer->revision,
                        own > 0};
    } else if (is_lost(answer.error()) &&
               !(answer.error().code == 500 && failures >= broken_reads_max)) {
      context.executor.after(backoff(failures, context.executor.random()),
                             [&context, alive, call, done, failures] {
                               if (alive.expired()) return;
                               read_until_answered(context, call, done, failures + 1);
                             });
      return;
    } else if (!of_object || !answer.error().is("NotFound")) {
      result.kind = ActionResult::Kind::failed;
      result.message = answer.error().message;
    }
    (*done)(std::move(result));
  });
}

}  // namespace

void read_back(const Context& context, const client::Call& lost, ActionDone done) {
  auto call = std::make_shared<client::Call>();
  call->resource = lost.resource;
  call->name_space = lost.name_space;
  call->name = lost.name.empty() ? lost.body.at("metadata", "name").as_string() : lost.name;
  call->verb = call->name.empty() ? Verb::list : Verb::get;
  if (call->name.empty()) call->limit = 1;
  read_until_answered(context, std::move(call), std::make_shared<ActionDone>(std::move(done)), 1);
}

Address address_of(const client::Call& call) {
  return {call.resource, call.name_space,
          call.name.empty() ? call.body.at("metadata", "name").as_string() : call.name};
}

void look_behind(const Context& context, const Address& address,
                 std::move_only_function<void(bool is_behind)> done) {
  client::Call call;
  call.resource = address.resource;
  call.name_space = address.name_space;
  call.name = address.name;
  // The runner owns the context and is gone once the manager is, which read_back looks at.
  auto told = std::make_shared<decltype(done)>(std::move(done));
  if (address.name.empty() || context.feeds.feed_of(address.resource) < 0) {
    context.executor.post([alive = context.alive, told] {
      if (!alive.expired()) (*told)(false);
    });
    return;
  }
  read_back(context, call, [&context, address, told](const ActionResult& stored) {
    const client::ObjectPtr seen =
        context.feeds.view().get(address.resource, address.name_space, address.name);
    const bool is_there = stored.visible.feed >= 0;
    (*told)(stored.kind == ActionResult::Kind::done &&
            (is_there ? !seen || seen->revision() < stored.visible.revision : seen != nullptr));
  });
}

base::Duration backoff(int failures, base::Random& random) {
  constexpr base::Duration kLeast = std::chrono::milliseconds(5);
  constexpr base::Duration kMost = std::chrono::seconds(30);
  const int doublings = std::clamp(failures - 1, 0, 20);
  const base::Duration full =
      std::min<base::Duration>(kMost, kLeast * (std::int64_t{1} << doublings));
  const std::uint64_t half = static_cast<std::uint64_t>(full.count() / 2);
  return base::Duration(static_cast<std::int64_t>(half + random.below(half + 1)));
}

}  // namespace keelway::reconcile
