#include <algorithm>

#include "apiserver/selection.h"
#include "apiserver/unreadable.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {
namespace {

// So many deletions are under way at once: others have their turns between.
constexpr std::size_t kBatch = 64;

struct Sweep {
  OperationPtr op;
  Value options;
  OutcomeCallback done;
  ListAnswer removed;
  std::size_t next = 0;     // of `removed`
  std::size_t waiting = 0;  // of the batch
  std::optional<schema::Status> failure;
};
using SweepPtr = std::shared_ptr<Sweep>;

void conclude(Core& core, const SweepPtr& sweep) {
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

void remove_batch(Core& core, const SweepPtr& sweep);

void settle(Core& core, const SweepPtr& sweep, Answer<Outcome> one) {
  if (!one && !one.error().is("NotFound") && !sweep->failure) sweep->failure = one.error();
  if (--sweep->waiting > 0) return;
  if (sweep->next == sweep->removed.objects.size()) return conclude(core, sweep);
  core.executor.post([&core, sweep] { remove_batch(core, sweep); });
}

void remove_batch(Core& core, const SweepPtr& sweep) {
  const std::vector<ObjectPtr>& objects = sweep->removed.objects;
  const std::size_t end = std::min(sweep->next + kBatch, objects.size());
  // One more than there are: the batch ends here at the earliest.
  sweep->waiting = end - sweep->next + 1;
  while (sweep->next < end) {
    remove_with(core, one_of(*sweep->op, *objects[sweep->next++]), sweep->options,
                [&core, sweep](Answer<Outcome> one) { settle(core, sweep, std::move(one)); });
  }
  settle(core, sweep, Outcome{});
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
         sweep->op = op;
         sweep->options = std::move(options);
         sweep->done = std::move(done);
         sweep->removed = std::move(std::get<ListAnswer>(listed->content));
         sweep->removed.continue_token.clear();
         sweep->removed.remaining.reset();
         remove_batch(core, sweep);
       });
}

}  // namespace keelway::apiserver
