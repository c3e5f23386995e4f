// The embedded store over a database that says anything: keyspaces and rows of the log, a line
// each.
//   space ID NAME COMPACTED
//   row POSITION REVISION CREATED PREVIOUS EXPIRES KEY [VALUE]
// It opens or is refused; what opened is read, written and opened again, and is the same.
#include <charconv>

#include "fuzz/input.h"
#include "runtime/virtual/world.h"
#include "store/sqlite/log_table.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/vfs.h"

namespace {

namespace base = keelway::base;
namespace runtime = keelway::runtime;
namespace store = keelway::store;

constexpr const char* path = "/data/store.db";
constexpr int lines_max = 40;

std::string_view word(std::string_view& line) {
  const std::string_view found = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), found.size() + 1));
  return found;
}
std::int64_t number(std::string_view& line) {
  const std::string_view text = word(line);
  std::int64_t parsed = 0;
  std::from_chars(text.data(), text.data() + text.size(), parsed);
  return parsed;
}

// Duplicate positions, ids and names are SQLite's to refuse.
void add(store::LogTable& table, std::string_view line) {
  const std::string_view kind = word(line);
  if (kind == "space") {
    store::KeyspaceRow row;
    row.id = number(line);
    row.name = word(line);
    row.compacted = number(line);
    static_cast<void>(table.put_keyspace(row));
    return;
  }
  if (kind != "row") return;
  store::LogRow row;
  row.position = number(line);
  row.revision = number(line);
  row.created = number(line);
  row.previous = number(line);
  row.expires_us = number(line);
  row.key = word(line);
  if (row.created != 0) row.value = std::make_shared<const std::string>(line);
  static_cast<void>(table.append(row));
}

class Shop {
 public:
  Shop() : world_(runtime::make_world(1)), host_(world_->make_host("server")) {
    executor_ = host_->runtime().make_executor("test");
  }
  ~Shop() { close(); }

  bool fill(keelway::fuzz::Input& input) {
    const auto vfs = store::Vfs::make(host_->runtime());
    auto table = store::LogTable::open(path, true, vfs->name());
    KEELWAY_INVARIANT(table.has_value(), "a new database does not open");
    if (!(*table)->begin()) return false;
    for (int i = 0; i < lines_max && !input.done(); ++i) add(**table, input.line());
    return (*table)->commit().has_value();
  }
  bool open() {
    store::SqliteOptions options;
    options.path = path;
    options.in_runtime_files = true;
    options.garbage_min = 4;
    options.history_min = 2;
    options.reclaim_step = 2;
    auto engine = store::open_sqlite(host_->runtime(), options);
    if (!engine) return false;
    engine_ = std::move(*engine);
    keyspace_ = engine_->open("c", *executor_);
    return true;
  }
  void close() {
    watch_.reset();
    keyspace_.reset();
    engine_.reset();
  }

  // Null where it was refused.
  std::optional<store::RangeResult> range(store::Revision revision) {
    std::optional<base::Result<store::RangeResult>> result;
    store::RangeRequest request;
    request.revision = revision;
    executor_->post([&] {
      keyspace_->range(std::move(request), [&](auto answer) { result = std::move(answer); });
    });
    wait([&] { return result.has_value(); });
    if (!*result) return std::nullopt;
    for (std::size_t i = 1; i < (*result)->entries.size(); ++i) {
      KEELWAY_INVARIANT((*result)->entries[i - 1].key < (*result)->entries[i].key, "key order");
    }
    return std::move(**result);
  }
  void watch() {
    store::WatchRequest request;
    request.previous = true;
    request.on_events = [](const store::EventBatch&) {};
    request.on_end = [](const base::Error&) {};
    executor_->post([&] { watch_ = keyspace_->watch(std::move(request)); });
    world_->run_for(std::chrono::milliseconds(20));
  }
  std::optional<store::Revision> write(const std::string& key) {
    store::Transaction transaction;
    transaction.puts.push_back({key, std::make_shared<const std::string>("written"), {}});
    std::optional<base::Result<store::TransactionResult>> result;
    executor_->post([&] {
      keyspace_->transact(std::move(transaction), [&](auto answer) { result = std::move(answer); });
    });
    wait([&] { return result.has_value(); });
    if (!*result) return std::nullopt;
    return (*result)->revision;
  }
  void compact(store::Revision revision) {
    bool done = false;
    executor_->post([&] { keyspace_->compact(revision, [&](auto) { done = true; }); });
    wait([&] { return done; });
    world_->run_for(std::chrono::seconds(1));
  }

 private:
  void wait(const std::function<bool()>& done) {
    KEELWAY_INVARIANT(world_->run_while_waiting(done), "no answer came");
  }
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::Keyspace> keyspace_;
  std::unique_ptr<store::Watch> watch_;
};

std::string told(const store::RangeResult& range) {
  std::string text;
  for (const store::Entry& entry : range.entries) {
    text += entry.key + " " + std::to_string(entry.created) + " " + std::to_string(entry.modified) +
            " " + (entry.value ? *entry.value : "-") + "\n";
  }
  return text;
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  Shop shop;
  if (!shop.fill(input) || !shop.open()) return 0;
  const auto first = shop.range(0);
  shop.watch();
  if (first && first->revision > 1) static_cast<void>(shop.range(first->revision - 1));
  const auto revision = shop.write("fuzz/written");
  if (revision) {
    KEELWAY_INVARIANT(!first || *revision > first->revision, "the revision went back");
    shop.compact(*revision);
  }
  const auto before = shop.range(0);
  shop.close();
  KEELWAY_INVARIANT(shop.open(), "what was open does not open again");
  const auto after = shop.range(0);
  KEELWAY_INVARIANT(before.has_value() == after.has_value(), "it reads only once");
  KEELWAY_INVARIANT(!before || told(*before) == told(*after),
                    "it changed over a restart:\n" + told(*before) + "---\n" + told(*after));
  return 0;
}
