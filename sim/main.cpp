// sim: plays seeds of the simulated world. sim --help
#include <fmt/core.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "sim/bisect.h"
#include "sim/night.h"
#include "sim/run.h"

namespace keelway::sim {
namespace {

// One run in twenty is played twice: the same seed must give the same history.
constexpr std::uint64_t repeat_every = 20;
// A night of so many seeds comes by every mark.
constexpr std::uint64_t whole_night = 1'000;

struct Options {
  Night night;
  std::optional<std::uint64_t> seed;
  std::vector<std::size_t> faults;  // of the seed: only these
  bool only_faults = false;
  bool bisect = true;
  bool twice = true;   // some seeds, to see that they give the same history again
  bool marks = false;  // missing ones fail the night, however short
};

const char* commit() {
  const char* given = std::getenv("KEELWAY_COMMIT");
  return given != nullptr ? given : SIM_COMMIT;
}

std::vector<bool> enabled_of(const Options& options, const Shape& shape) {
  if (!options.only_faults) return {};
  std::vector<bool> enabled(shape.faults.size(), false);
  for (const std::size_t index : options.faults) {
    if (index < enabled.size()) enabled[index] = true;
  }
  return enabled;
}

std::string play_again(const Shape& shape, const std::vector<bool>& kept) {
  std::string faults;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) faults += (faults.empty() ? "" : ",") + std::to_string(i);
  }
  return fmt::format("sim --seed {} --faults {}", shape.seed, faults.empty() ? "none" : faults);
}

// What a reader needs to see it again.
std::string report(const Shape& shape, const Outcome& outcome, bool bisect) {
  std::string text = fmt::format("FAILED {}\n  commit {}\n  {}\n  again: sim --seed {}\n",
                                 shape.describe(), commit(), outcome.failure, shape.seed);
  if (!bisect) return text;
  const auto kept = fewest_faults(shape.faults.size(), [&](const std::vector<bool>& enabled) {
    return !run(shape, {.enabled = enabled}).failure.empty();
  });
  text += "  fewest faults that fail:\n";
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) text += fmt::format("    {} {}\n", i, shape.faults[i].describe());
  }
  const Outcome fewest = run(shape, {.enabled = kept});
  return text + fmt::format("    {}\n  again: {}\n", fewest.failure, play_again(shape, kept));
}

Outcome play_checked(const Shape& shape, const RunOptions& options, bool twice) {
  Outcome outcome = run(shape, options);
  if (!outcome.failure.empty() || !twice) return outcome;
  const Outcome again = run(shape, {.enabled = options.enabled});
  if (again.trace_hash != outcome.trace_hash) {
    outcome.failure = fmt::format("two runs differ: trace {:016x} and {:016x}", outcome.trace_hash,
                                  again.trace_hash);
  }
  return outcome;
}

SeedResult play_seed(std::uint64_t seed, const Options& options) {
  const Shape shape = draw_shape(seed);
  const Outcome outcome = play_checked(shape, {}, options.twice && seed % repeat_every == 0);
  SeedResult result;
  result.seed = seed;
  result.virtual_hours =
      std::chrono::duration<double, std::ratio<3600>>(outcome.virtual_time).count();
  result.kills = outcome.kills;
  result.pods = outcome.pods_most;
  result.writes = outcome.writes;
  result.reached = outcome.reached;
  if (!outcome.failure.empty()) result.failure = report(shape, outcome, options.bisect);
  return result;
}

int play_one(const Options& options) {
  const Shape shape = draw_shape(*options.seed);
  fmt::print("{}\n", shape.describe());
  RunOptions how{.enabled = enabled_of(options, shape), .story = true};
  const Outcome outcome = play_checked(shape, how, true);
  fmt::print("trace {:016x}\n", outcome.trace_hash);
  if (outcome.failure.empty()) return 0;
  fmt::print("{}", report(shape, outcome, options.bisect && !options.only_faults));
  return 1;
}

int report_marks(const Reached& reached, bool demanded) {
  int missing = 0;
  if (std::getenv("KEELWAY_MARKS") != nullptr) {
    for (const auto& [mark, times] : reached) fmt::print("{:>8} {}\n", times, mark);
  }
  for (const std::string& mark : expected_marks()) {
    if (reached.contains(mark)) continue;
    ++missing;
    fmt::print("{}mark never hit: {}\n", demanded ? "FAILED " : "", mark);
  }
  return demanded ? missing : 0;
}

int play_many(const Options& options) {
  SeedResult sum;
  std::uint64_t played = 0, failed = 0;
  const bool whole = play_night(
      options.night, [&](std::uint64_t seed) { return play_seed(seed, options); },
      [&](const SeedResult& result) {
        ++played;
        sum.virtual_hours += result.virtual_hours;
        sum.kills += result.kills;
        sum.pods += result.pods;
        sum.writes += result.writes;
        for (const auto& [mark, times] : result.reached) sum.reached[mark] += times;
        if (result.failure.empty()) return;
        ++failed;
        fmt::print("{}", result.failure);
        std::fflush(stdout);
      });
  if (!whole) fmt::print("FAILED a process of the simulator died\n");
  const std::uint64_t asked = options.night.last - options.night.first + 1;
  int missing = 0;
  if (!options.night.until_failure) {
    missing = report_marks(sum.reached, options.marks || asked >= whole_night);
  }
  fmt::print(
      "{} seeds, {:.1f} virtual hours, {} kills, {} pods, {} acknowledged writes, {} failed\n",
      played, sum.virtual_hours, sum.kills, sum.pods, sum.writes, failed);
  const bool all = played == asked || options.night.until_failure;
  if (!all) fmt::print("FAILED {} seeds were asked for\n", asked);
  return failed == 0 && whole && all && missing == 0 ? 0 : 1;
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_range(std::string_view text, Night& night) {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  return read_number(text.substr(0, dots), night.first) &&
         read_number(text.substr(dots + 2), night.last) && night.first <= night.last;
}

bool read_faults(std::string_view text, Options& options) {
  options.only_faults = true;
  if (text == "none") return true;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    std::uint64_t index = 0;
    if (!read_number(text.substr(0, comma), index)) return false;
    options.faults.push_back(index);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

bool read_option(std::string_view name, std::string_view value, Options& options) {
  std::uint64_t number = 0;
  if (name == "--seeds") return read_range(value, options.night);
  if (name == "--faults") return read_faults(value, options);
  if (!read_number(value, number)) return false;
  if (name == "--seed") options.seed = number;
  if (name == "--jobs") options.night.jobs = static_cast<int>(number);
  return name == "--seed" || (name == "--jobs" && number > 0 && number <= 64);
}

bool read_arguments(int argc, char** argv, Options& options) {
  if (const char* seeds = std::getenv("KEELWAY_SEEDS")) {
    if (!read_number(seeds, options.night.last)) return false;
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--until-failure") {
      options.night.until_failure = true;
    } else if (argument == "--no-bisect") {
      options.bisect = false;
    } else if (argument == "--once") {
      options.twice = false;
    } else if (argument == "--all-marks") {
      options.marks = true;
    } else if (i + 1 == argc || !read_option(argument, argv[++i], options)) {
      return false;
    }
  }
  return true;
}

constexpr const char* usage =
    "sim [--seeds A..B] [--jobs N]   plays seeds; 1..50, or 1..KEELWAY_SEEDS\n"
    "sim --seed N [--faults I,J]     plays one and tells its story; only these of its faults\n"
    "  --until-failure  stops at the first failing seed\n"
    "  --no-bisect      does not look for the fewest faults that fail\n"
    "  --once           plays no seed twice to see that it gives the same history\n"
    "  --all-marks      fails where a mark was never hit, as 1,000 seeds do\n"
    "  KEELWAY_MARKS    prints how often each mark was hit\n"
    "  KEELWAY_STORY    with --seed: every call and change\n";

}  // namespace
}  // namespace keelway::sim

int main(int argc, char** argv) {
  keelway::sim::Options options;
  if (!keelway::sim::read_arguments(argc, argv, options)) {
    fmt::print(stderr, "{}", keelway::sim::usage);
    return 2;
  }
  return options.seed ? keelway::sim::play_one(options) : keelway::sim::play_many(options);
}
