// What hollow nodes read: a Machine, a cut, a Pod. Both are what somebody else wrote.
#include "fuzz/input.h"
#include "node/runtime/hollow/documents.h"
#include "node/runtime/hollow/pod_documents.h"
#include "value/json.h"
#include "value/merge_patch.h"

namespace {

namespace hollow = keelway::node::hollow;
namespace value = keelway::value;
using keelway::value::Value;

constexpr keelway::base::WallTime now{1'767'323'045'000'000};

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const Value machine = value::parse_json(input.part(), {.depth_max = 40}).value_or(Value());
  const Value pod = value::parse_json(input.part(), {.depth_max = 40}).value_or(Value());
  const hollow::NodeFacts facts = hollow::read_facts(machine);
  const Value node = hollow::node_object(facts, now);
  static_cast<void>(value::apply_merge_patch(node, hollow::node_status_patch(node["status"], now)));
  static_cast<void>(hollow::lease_object(facts.name, "u", now));
  const hollow::Stage stage;
  static_cast<void>(hollow::next_step(pod, stage, now));
  for (const Value& patch : {hollow::running_patch(pod, "10.0.0.1", "10.0.0.2", now),
                             hollow::ready_patch(pod, now), hollow::finished_patch(pod, now)}) {
    const Value after = value::apply_merge_patch(pod, patch);
    static_cast<void>(hollow::next_step(after, stage, now));
  }
  return 0;
}
