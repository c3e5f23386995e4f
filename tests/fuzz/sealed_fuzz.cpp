// Values at rest: what was sealed opens under its own key alone, and bytes that nobody sealed do
// not open. The input is the key, a cut, the value.
#include "fuzz/input.h"
#include "runtime/virtual/world.h"
#include "store/sealed/sealed.h"

namespace {

namespace runtime = keelway::runtime;
namespace store = keelway::store;

struct Vault {
  std::unique_ptr<runtime::World> world = runtime::make_world(1);
  std::unique_ptr<runtime::Host> host = world->make_host("h");
  std::shared_ptr<const store::Seal> seal = *store::Seal::make(
      host->runtime(), {{{1, std::string(32, 'k')}, {2, std::string(32, 'l')}}, 2});
};

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  static const Vault vault;
  keelway::fuzz::Input input(data, size);
  const std::string key(input.part());
  const std::string text(input.rest());
  const auto plain = std::make_shared<const std::string>(text);
  KEELWAY_INVARIANT(!vault.seal->open("space", key, plain), "a forged value opens");
  const store::Bytes sealed = vault.seal->close("space", key, plain);
  const auto opened = vault.seal->open("space", key, sealed);
  KEELWAY_INVARIANT(opened && **opened == text, "what was sealed does not open");
  KEELWAY_INVARIANT(!vault.seal->open("space", key + "x", sealed), "it opens under another key");
  KEELWAY_INVARIANT(!vault.seal->open("other", key, sealed), "it opens in another keyspace");
  std::string broken = *sealed;
  const std::size_t at = (key.size() * 31 + text.size()) % broken.size();
  broken[at] = static_cast<char>(broken[at] ^ (1 << (text.size() % 8)));
  KEELWAY_INVARIANT(!vault.seal->open("space", key, std::make_shared<const std::string>(broken)),
                    "a flipped bit is not found");
  return 0;
}
