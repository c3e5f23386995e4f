#include "contract/store_contract.h"
#include "store/memory/memory.h"

namespace keelway::contract {
namespace {

std::unique_ptr<store::Engine> memory(runtime::Runtime& runtime, const std::string&) {
  return store::make_memory(runtime);
}

std::unique_ptr<store::Engine> delayed_memory(runtime::Runtime& runtime, const std::string&) {
  store::MemoryOptions options;
  options.delay_max = std::chrono::milliseconds(20);
  return store::make_memory(runtime, options);
}

}  // namespace

std::vector<StoreSubject> store_subjects() {
  return {{"memory", false, memory}, {"delayed_memory", false, delayed_memory}};
}

}  // namespace keelway::contract
