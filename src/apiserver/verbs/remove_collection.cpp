#include "apiserver/selection.h"
#include "apiserver/unreadable.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {
namespace {

struct Sweep {
  OutcomeCallback done;
  ListAnswer removed;
  std::size_t waiting = 0;
  std::optional<schema::Status> failure;
};

void settle(Core& core, const std::shared_ptr<Sweep>& sweep, Answer<Outcome> one) {
  if (!one && !one.error().is("NotFound") && !sweep->failure) sweep->failure = one.error();
  if (--sweep->waiting > 0) return;
  if (sweep->failure) return sweep->done(std::unexpected(std::move(*sweep->failure)));
  Outcome answer;
  sweep->removed.revision = core.cache.revision();
  answer.revision = sweep->removed.revision;
  answer.content = std::move(sweep->removed);
  sweep->done(std::move(answer));
}

OperationPtr one_of(const Operation& op, const schema::Object& object) {
  auto one = std::make_shared<Operation>();
  one->info = op.info;
  one->info.verb = "delete";
  one->info.name_space = object.name_space();
  one->info.name = object.name();
  one->who = op.who;
  one->fence = op.fence;
  one->kinds = op.kinds;
  one->kind = op.kind;
  if (op.dry_run()) one->query.set("dryRun", "All");
  return one;
}

}  // namespace

void remove_collection(Core& core, OperationPtr op, OutcomeCallback done) {
  auto options = read_delete_options(*op);
  if (!options) return done(std::unexpected(std::move(options.error())));
  if (auto good = check_collection_options(*options); !good) {
    return done(std::unexpected(std::move(good.error())));
  }
  auto listing = std::make_shared<Operation>(*op);
  list(core, listing,
       [&core, op, options = std::move(*options),
        done = std::move(done)](Answer<Outcome> listed) mutable {
         if (!listed) return done(std::move(listed));
         auto sweep = std::make_shared<Sweep>();
         sweep->done = std::move(done);
         sweep->removed = std::move(std::get<ListAnswer>(listed->content));
         sweep->removed.continue_token.clear();
         sweep->removed.remaining.reset();
         const std::vector<ObjectPtr> objects = sweep->removed.objects;
         sweep->waiting = objects.size() + 1;
         for (const ObjectPtr& object : objects) {
           remove_with(core, one_of(*op, *object), options, [&core, sweep](Answer<Outcome> one) {
             settle(core, sweep, std::move(one));
           });
         }
         settle(core, sweep, Outcome{});
       });
}

}  // namespace keelway::apiserver
