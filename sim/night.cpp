#include "sim/night.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "value/json.h"

namespace keelway::sim {
namespace {

using value::Value;

struct Child {
  pid_t pid = 0;
  int pipe = -1;
  std::string text;  // not yet a whole line
};

std::string write_result(const SeedResult& result) {
  Value reached = Value::object();
  for (const auto& [mark, times] : result.reached) {
    reached.set(mark, static_cast<std::int64_t>(times));
  }
  return value::to_json(Value::object({{"seed", static_cast<std::int64_t>(result.seed)},
                                       {"hours", result.virtual_hours},
                                       {"kills", result.kills},
                                       {"pods", result.pods},
                                       {"writes", result.writes},
                                       {"failure", result.failure},
                                       {"reached", reached}})) +
         "\n";
}

SeedResult read_result(std::string_view line) {
  const auto document = value::parse_json(line);
  SeedResult result;
  if (!document) {
    result.failure = fmt::format("FAILED a seed: its result cannot be read: {}\n", line);
    return result;
  }
  result.seed = static_cast<std::uint64_t>((*document)["seed"].as_int());
  result.virtual_hours = (*document)["hours"].as_double();
  result.kills = (*document)["kills"].as_int();
  result.pods = (*document)["pods"].as_int();
  result.writes = (*document)["writes"].as_int();
  result.failure = (*document)["failure"].as_string();
  for (const auto& [mark, times] : (*document)["reached"].members()) {
    result.reached[mark] = static_cast<std::uint64_t>(times.as_int());
  }
  return result;
}

void write_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(to, text.data(), text.size());
    if (wrote <= 0) _exit(3);  // nobody listens any more
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

[[noreturn]] void play_share(const Night& night, int share, int to,
                             const std::function<SeedResult(std::uint64_t)>& play) {
  const auto step = static_cast<std::uint64_t>(night.jobs);
  for (auto seed = night.first + static_cast<std::uint64_t>(share); seed <= night.last;
       seed += step) {
    const SeedResult result = play(seed);
    write_all(to, write_result(result));
    if (night.until_failure && !result.failure.empty()) break;
  }
  _exit(0);
}

// False: it has nothing more to say.
bool hear(Child& child, const std::function<void(const SeedResult&)>& done) {
  char bytes[4096];
  const ssize_t got = ::read(child.pipe, bytes, sizeof bytes);
  if (got <= 0) return false;
  child.text.append(bytes, static_cast<std::size_t>(got));
  for (auto end = child.text.find('\n'); end != std::string::npos; end = child.text.find('\n')) {
    done(read_result(std::string_view(child.text).substr(0, end)));
    child.text.erase(0, end + 1);
  }
  return true;
}

}  // namespace

bool play_night(const Night& night, const std::function<SeedResult(std::uint64_t)>& play,
                const std::function<void(const SeedResult&)>& done) {
  if (night.jobs <= 1) {
    for (auto seed = night.first; seed <= night.last; ++seed) {
      const SeedResult result = play(seed);
      done(result);
      if (night.until_failure && !result.failure.empty()) break;
    }
    return true;
  }
  std::vector<Child> children(static_cast<std::size_t>(night.jobs));
  std::fflush(stdout);
  for (int i = 0; i < night.jobs; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) return false;
    Child& child = children[static_cast<std::size_t>(i)];
    child.pid = ::fork();
    if (child.pid < 0) return false;
    if (child.pid == 0) play_share(night, i, ends[1], play);
    ::close(ends[1]);
    child.pipe = ends[0];
  }
  bool failed = false;
  const auto listen = [&](const SeedResult& result) {
    failed = failed || !result.failure.empty();
    done(result);
  };
  for (std::size_t open = children.size(); open > 0 && !(failed && night.until_failure);) {
    std::vector<pollfd> polled;
    for (const Child& child : children) polled.push_back({child.pipe, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), -1) < 0) return false;
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (polled[i].revents == 0 || hear(children[i], listen)) continue;
      ::close(children[i].pipe);
      children[i].pipe = -1;  // poll leaves it out
      --open;
    }
  }
  bool whole = true;
  for (Child& child : children) {
    if (child.pipe >= 0) {
      ::kill(child.pid, SIGKILL);
      ::close(child.pipe);
    }
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    whole = whole && (child.pipe >= 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  return whole;
}

}  // namespace keelway::sim
