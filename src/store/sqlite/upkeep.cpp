#include "store/sqlite/upkeep.h"

#include "store/sqlite/log_table.h"

namespace keelway::store {
namespace {

constexpr std::size_t findings_max = 1'000;
constexpr const char* attached_table =
    "CREATE TABLE attached(name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT";

// Goes through the log once, in its order.
class Checker {
 public:
  Checker(Database& database, const Seal* seal) : database_(database), seal_(seal) {}

  base::Result<DatabaseFacts> run();

 private:
  // The last version of a key that was met.
  struct Last {
    Position position = 0;
    Revision created = 0, revision = 0;
  };
  struct Space {
    KeyspaceFacts facts;
    Revision revision = 0;
    std::map<std::string, Last> keys;
    std::map<Position, Finding> broken;  // values that do not open
  };

  base::Result<void> read_numbers();
  void check_pages();
  base::Result<void> read_keyspaces();
  void read_log();
  void check_row(Space& space, const LogRow& row);
  void check_value(Space& space, const LogRow& row);
  void conclude(Space& space);
  void find(const std::string& keyspace, const std::string& key, Revision revision,
            std::string what);

  Database& database_;
  const Seal* seal_;
  DatabaseFacts facts_;
  std::map<KeyspaceId, Space> spaces_;
};

void Checker::find(const std::string& keyspace, const std::string& key, Revision revision,
                   std::string what) {
  if (facts_.findings.size() >= findings_max) {
    ++facts_.more_findings;
    return;
  }
  facts_.findings.push_back({keyspace, key, revision, std::move(what)});
}

base::Result<void> Checker::read_numbers() {
  const std::pair<const char*, std::int64_t*> numbers[] = {
      {"PRAGMA page_count", &facts_.pages},
      {"PRAGMA freelist_count", &facts_.free_pages},
      {"PRAGMA page_size", &facts_.page_bytes}};
  for (const auto& [pragma, number] : numbers) {
    const auto answer = database_.pragma(pragma);
    if (!answer) return std::unexpected(answer.error());
    *number = *answer;
  }
  return {};
}

void Checker::check_pages() {
  auto statement = database_.prepare("PRAGMA integrity_check");
  if (!statement) return find("", "", 0, statement.error().message);
  base::Result<bool> more = statement->step();
  for (; more && *more; more = statement->step()) {
    const std::string said = statement->bytes(0);
    if (said != "ok") find("", "", 0, "the file is damaged: " + said);
  }
  if (!more) find("", "", 0, more.error().message);
}

base::Result<void> Checker::read_keyspaces() {
  auto statement = database_.prepare("SELECT id,name,compacted FROM keyspaces ORDER BY id");
  if (!statement) return std::unexpected(statement.error());
  base::Result<bool> more = statement->step();
  for (; more && *more; more = statement->step()) {
    Space& space = spaces_[statement->number(0)];
    space.facts.name = statement->bytes(1);
    space.facts.compacted = statement->number(2);
  }
  if (!more) find("", "", 0, "the list of keyspaces ends early: " + more.error().message);
  return {};
}

void Checker::read_log() {
  auto statement = database_.prepare(
      "SELECT position,revision,created,previous,expires_us,key,value FROM log ORDER BY position");
  if (!statement) return find("", "", 0, statement.error().message);
  base::Result<bool> more = statement->step();
  for (; more && *more; more = statement->step()) {
    LogRow row;
    row.position = statement->number(0);
    row.revision = statement->number(1);
    row.created = statement->number(2);
    row.previous = statement->number(3);
    row.key = statement->bytes(5);
    if (!statement->is_null(6))
      row.value = std::make_shared<const std::string>(statement->bytes(6));
    // Rows of a dropped keyspace are erased bit by bit; nobody reads them.
    const auto space = spaces_.find(keyspace_of(row.position));
    if (space != spaces_.end()) check_row(space->second, row);
  }
  if (!more) find("", "", 0, "the log cannot be read to its end: " + more.error().message);
}

void Checker::check_row(Space& space, const LogRow& row) {
  const auto say = [&](std::string what) {
    find(space.facts.name, row.key, row.revision, std::move(what));
  };
  ++space.facts.versions;
  if (row.revision < space.revision) {
    say("its revision goes back, after " + std::to_string(space.revision));
  }
  space.revision = std::max(space.revision, row.revision);
  if (row.key.empty()) say("a row without a key");
  if (row.created > row.revision) {
    say("created at " + std::to_string(row.created) + ", after it was written");
  }
  if ((row.created == 0) != (row.value == nullptr)) say("neither a value nor a deletion");
  Last& last = space.keys[row.key];
  // Earlier versions may be erased; one that is still there is the one before.
  const bool follows = last.position != 0;
  if (follows && row.previous != last.position && last.created != 0) {
    say("does not follow the version before it");
  }
  if (follows && last.created != 0 && row.created != 0 && row.created != last.created) {
    say("has another creation than the version before it");
  }
  if (row.previous >= row.position) say("follows a later version");
  last = {row.position, row.created, row.revision};
  check_value(space, row);
}

void Checker::check_value(Space& space, const LogRow& row) {
  if (!row.value || seal_ == nullptr) return;
  ++facts_.values;
  const auto opened = seal_->open(space.facts.name, row.key, row.value);
  if (opened) return;
  space.broken[row.position] = {space.facts.name, row.key, row.revision, opened.error().message};
}

void Checker::conclude(Space& space) {
  space.facts.revision = std::max(space.revision, space.facts.compacted);
  for (const auto& [key, last] : space.keys) space.facts.keys += last.created != 0 ? 1 : 0;
  for (const auto& [position, broken] : space.broken) {
    if (space.keys.at(broken.key).position == position)
      find(broken.keyspace, broken.key, broken.revision, broken.what);
    else
      ++facts_.broken_history;
  }
  facts_.keyspaces.push_back(std::move(space.facts));
}

base::Result<DatabaseFacts> Checker::run() {
  if (auto read = read_numbers(); !read) return std::unexpected(read.error());
  if (auto read = read_keyspaces(); !read) return std::unexpected(read.error());
  check_pages();
  read_log();
  for (auto& [id, space] : spaces_) conclude(space);
  return std::move(facts_);
}

// Read-only, in a transaction that shows one moment.
base::Result<std::unique_ptr<Database>> open_snapshot(const std::string& path) {
  auto database = Database::open(path, false);
  if (!database) return database;
  if (auto begun = (*database)->execute("BEGIN"); !begun) return std::unexpected(begun.error());
  const auto version = (*database)->pragma("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (auto known = check_format(*version); !known) return std::unexpected(known.error());
  // Only a read of the file itself begins the snapshot.
  const auto touched = (*database)->pragma("SELECT count(*) FROM keyspaces");
  if (!touched) return std::unexpected(touched.error());
  return database;
}

base::Result<void> attach(Database& database, const std::map<std::string, std::string>& attached) {
  if (auto made = database.execute(attached_table); !made) return made;
  auto insert = database.prepare("INSERT INTO attached VALUES(?1,?2)");
  if (!insert) return std::unexpected(insert.error());
  for (const auto& [name, content] : attached) {
    if (auto put = insert->bind_text(1, name).bind_blob(2, content).run(); !put) return put;
  }
  return {};
}

base::Result<std::map<std::string, std::string>> detach(Database& database) {
  std::map<std::string, std::string> attached;
  {
    auto rows = database.prepare("SELECT name,content FROM attached");
    if (!rows) return std::unexpected(rows.error());
    base::Result<bool> more = rows->step();
    for (; more && *more; more = rows->step()) attached[rows->bytes(0)] = rows->bytes(1);
    if (!more) return std::unexpected(more.error());
  }
  if (auto gone = database.execute("DROP TABLE attached"); !gone) {
    return std::unexpected(gone.error());
  }
  return attached;
}

// The copy has the write-ahead mode of its source in its header; one file is wanted.
base::Result<std::unique_ptr<Database>> copy(Database& from, const std::string& to) {
  auto target = Database::open(to, true);
  if (!target) return target;
  if (auto copied = from.copy_to(**target); !copied) return std::unexpected(copied.error());
  const auto one = (*target)->execute("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;");
  if (!one) return std::unexpected(one.error());
  return target;
}

}  // namespace

base::Result<DatabaseFacts> check_database(const std::string& path, const Seal* seal) {
  auto database = open_snapshot(path);
  if (!database) return std::unexpected(database.error());
  return Checker(**database, seal).run();
}

base::Result<void> back_up_database(const std::string& from, const std::string& to,
                                    const std::map<std::string, std::string>& attached) {
  auto source = open_snapshot(from);
  if (!source) return std::unexpected(source.error());
  auto target = copy(**source, to);
  if (!target) return std::unexpected(target.error());
  return attach(**target, attached);
}

base::Result<std::map<std::string, std::string>> restore_database(const std::string& from,
                                                                  const std::string& to) {
  auto source = open_snapshot(from);
  if (!source) return std::unexpected(source.error());
  auto target = copy(**source, to);
  if (!target) return std::unexpected(target.error());
  return detach(**target);
}

}  // namespace keelway::store
