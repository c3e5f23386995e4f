// What tells local tools where their server is: credentials.json, and the environment, a NAME=VALUE
// each line. What is written is read again.
#include <map>

#include "cli/context.h"
#include "fuzz/input.h"
#include "runtime/virtual/world.h"

namespace {

namespace cli = keelway::cli;
namespace runtime = keelway::runtime;

struct Machine {
  std::unique_ptr<runtime::World> world = runtime::make_world(1);
  std::unique_ptr<runtime::Host> host = world->make_host("h");
  runtime::Files& files() { return host->runtime().files(); }
};

void check_same(Machine& machine, const cli::Context& context) {
  const auto written = cli::write_credentials(machine.files(), "again", context);
  KEELWAY_INVARIANT(written.has_value(), "credentials are not written");
  const auto read = cli::read_credentials(machine.files(), "again");
  KEELWAY_INVARIANT(read.has_value(), "our own credentials do not read");
  KEELWAY_INVARIANT(read->port == context.port && read->access_key == context.access_key &&
                        read->secret_key == context.secret_key && read->ca_file == context.ca_file,
                    "credentials changed on the way");
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  static Machine machine;
  keelway::fuzz::Input input(data, size);
  const std::string document(input.part());
  if (!machine.files().write_private("data/credentials.json", document)) return 0;
  if (const auto read = cli::read_credentials(machine.files(), "data")) {
    KEELWAY_INVARIANT(read->port != 0, "port 0 is nobody's");
    check_same(machine, *read);
  }
  std::map<std::string, std::string> environment;
  while (!input.done()) {
    const std::string_view line = input.line();
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  const auto look = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  KEELWAY_INVARIANT(!cli::default_data_folder(look).empty(), "no folder");
  const auto context = cli::find_context(look, machine.files(), "data", false);
  if (!context) return 0;
  KEELWAY_INVARIANT(context->port != 0, "port 0 is nobody's");
  static_cast<void>(cli::export_lines(*context));
  return 0;
}
