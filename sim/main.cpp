// sim [--seed N | --until-failure]: runs seeds 1..KEELWAY_SEEDS (50), or one seed with its story.
#include <fmt/core.h>

#include <cstdlib>
#include <cstring>

#include "sim/run.h"

namespace keelway::sim {
namespace {

// Every tenth seed is run twice: the same seed must give the same history.
constexpr std::uint64_t repeat_every = 10;

bool run_seed(std::uint64_t seed, bool trace, Outcome& outcome) {
  const Shape shape = draw_shape(seed);
  if (trace) fmt::print("{}\n", shape.describe());
  outcome = run(shape, trace);
  if (outcome.failure.empty() && (trace || seed % repeat_every == 0)) {
    const Outcome again = run(shape, false);
    if (again.trace_hash != outcome.trace_hash) {
      outcome.failure = fmt::format("two runs differ: trace {:016x} and {:016x}",
                                    outcome.trace_hash, again.trace_hash);
    }
  }
  if (outcome.failure.empty()) return true;
  fmt::print("FAILED {}\n  {}\n  again: sim --seed {}\n", shape.describe(), outcome.failure, seed);
  std::fflush(stdout);
  return false;
}

int run_all(std::uint64_t seeds, bool until_failure) {
  std::uint64_t failed = 0;
  double virtual_hours = 0;
  std::int64_t kills = 0, pods = 0, writes = 0;
  for (std::uint64_t seed = 1; seed <= seeds && !(until_failure && failed > 0); ++seed) {
    Outcome outcome;
    if (!run_seed(seed, false, outcome)) ++failed;
    virtual_hours += std::chrono::duration<double, std::ratio<3600>>(outcome.virtual_time).count();
    kills += outcome.kills;
    pods += outcome.pods_most;
    writes += outcome.writes;
  }
  fmt::print(
      "{} seeds, {:.1f} virtual hours, {} kills, {} pods, {} acknowledged writes, {} failed\n",
      seeds, virtual_hours, kills, pods, writes, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace keelway::sim

int main(int argc, char** argv) {
  using namespace keelway::sim;
  if (argc == 3 && std::strcmp(argv[1], "--seed") == 0) {
    Outcome outcome;
    const bool good = run_seed(std::strtoull(argv[2], nullptr, 10), true, outcome);
    fmt::print("trace {:016x}\n", outcome.trace_hash);
    return good ? 0 : 1;
  }
  const bool until_failure = argc == 2 && std::strcmp(argv[1], "--until-failure") == 0;
  if (argc != 1 && !until_failure) {
    fmt::print(stderr,
               "usage: sim [--seed N | --until-failure]\n  KEELWAY_SEEDS: how many seeds (50)\n"
               "  KEELWAY_STORY: with --seed, every call and change\n");
    return 2;
  }
  const char* seeds = std::getenv("KEELWAY_SEEDS");
  return run_all(seeds != nullptr ? std::strtoull(seeds, nullptr, 10) : 50, until_failure);
}
