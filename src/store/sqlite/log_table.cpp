#include "store/sqlite/log_table.h"

#include <utility>

namespace keelway::store {
namespace {

constexpr std::int64_t format_version = 1;

// Values come last: a scan of the other columns does not touch the pages that they overflow to.
constexpr const char* make_tables =
    "CREATE TABLE keyspaces("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, compacted INTEGER NOT NULL) STRICT;"
    "CREATE TABLE log("
    "  position INTEGER PRIMARY KEY, revision INTEGER NOT NULL, created INTEGER NOT NULL,"
    "  previous INTEGER NOT NULL, expires_us INTEGER NOT NULL, key BLOB NOT NULL, value BLOB)"
    "  STRICT;"
    "PRAGMA user_version=1;";

base::Result<void> make_or_check(Database& database) {
  const auto version = database.pragma("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version != 0) return check_format(*version);
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  if (auto made = database.execute(make_tables); !made) {
    static_cast<void>(database.execute("ROLLBACK"));
    return made;
  }
  return database.execute("COMMIT");
}

LogRow read_row(const Statement& statement) {
  LogRow row;
  row.position = statement.number(0);
  row.revision = statement.number(1);
  row.created = statement.number(2);
  row.previous = statement.number(3);
  row.expires_us = statement.number(4);
  row.key = statement.bytes(5);
  return row;
}

}  // namespace

base::Result<void> check_format(std::int64_t version) {
  if (version == format_version) return {};
  return base::fail(base::ErrorCode::invalid,
                    "the database has format " + std::to_string(version) + ", this program knows " +
                        std::to_string(format_version) + "; start the version that wrote it");
}

base::Result<std::unique_ptr<LogTable>> LogTable::open(const std::string& path, bool writable,
                                                       const std::string& vfs) {
  auto table = std::make_unique<LogTable>();
  base::Result<std::unique_ptr<Database>> database = Database::open(path, writable, vfs);
  if (!database) return std::unexpected(database.error());
  table->database_ = std::move(*database);
  Database& db = *table->database_;
  if (writable) {
    // The page size counts for new files only. SQLite makes no checkpoints of its own: the
    // database's hook on the write-ahead log stands in their place.
    const auto set = db.execute(
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;"
        "PRAGMA journal_size_limit=16777216;");
    if (!set) return std::unexpected(set.error());
    if (auto checked = make_or_check(db); !checked) return std::unexpected(checked.error());
  }
  if (auto prepared = table->prepare(writable); !prepared) {
    return std::unexpected(prepared.error());
  }
  return table;
}

base::Result<void> LogTable::prepare(bool writable) {
  struct Wanted {
    Statement* statement;
    const char* sql;
    bool writes;
  };
  const Wanted all[] = {
      {&append_, "INSERT INTO log VALUES(?1,?2,?3,?4,?5,?6,?7)", true},
      {&erase_, "DELETE FROM log WHERE position=?1", true},
      {&erase_some_,
       "DELETE FROM log WHERE position IN"
       " (SELECT position FROM log WHERE position>=?1 AND position<?2 LIMIT ?3)",
       true},
      {&put_keyspace_,
       "INSERT INTO keyspaces VALUES(?1,?2,?3)"
       " ON CONFLICT(id) DO UPDATE SET compacted=excluded.compacted",
       true},
      {&erase_keyspace_, "DELETE FROM keyspaces WHERE id=?1", true},
      {&row_,
       "SELECT position,revision,created,previous,expires_us,key,value FROM log WHERE position=?1",
       false},
      {&from_,
       "SELECT position,revision,created,previous,expires_us,key,value FROM log"
       " WHERE position>=?1 AND position<?2 ORDER BY position",
       false},
      {&probe_,
       "SELECT position,revision FROM log WHERE position>=?1 AND position<?2"
       " ORDER BY position LIMIT 1",
       false}};
  for (const Wanted& wanted : all) {
    if (wanted.writes && !writable) continue;
    base::Result<Statement> statement = database_->prepare(wanted.sql);
    if (!statement) return std::unexpected(statement.error());
    *wanted.statement = std::move(*statement);
  }
  return {};
}

base::Result<void> LogTable::append(const LogRow& row) {
  append_.bind(1, row.position).bind(2, row.revision).bind(3, row.created);
  append_.bind(4, row.previous).bind(5, row.expires_us).bind_blob(6, row.key);
  if (row.value)
    append_.bind_blob(7, *row.value);
  else
    append_.bind_null(7);
  return append_.run();
}

base::Result<void> LogTable::erase(Position position) {
  return erase_.bind(1, position).run();
}

base::Result<bool> LogTable::erase_some(KeyspaceId id, int count) {
  erase_some_.bind(1, first_position(id)).bind(2, first_position(id + 1)).bind(3, count);
  if (auto ran = erase_some_.run(); !ran) return std::unexpected(ran.error());
  return database_->changes() > 0;
}

base::Result<void> LogTable::put_keyspace(const KeyspaceRow& row) {
  return put_keyspace_.bind(1, row.id).bind_text(2, row.name).bind(3, row.compacted).run();
}

base::Result<void> LogTable::erase_keyspace(KeyspaceId id) {
  return erase_keyspace_.bind(1, id).run();
}

base::Result<std::vector<KeyspaceRow>> LogTable::keyspaces() {
  auto statement = database_->prepare("SELECT id,name,compacted FROM keyspaces ORDER BY id");
  if (!statement) return std::unexpected(statement.error());
  std::vector<KeyspaceRow> rows;
  base::Result<bool> more = statement->step();
  for (; more && *more; more = statement->step()) {
    rows.push_back({statement->number(0), statement->bytes(1), statement->number(2)});
  }
  if (!more) return std::unexpected(more.error());
  return rows;
}

base::Result<void> LogTable::scan(const std::function<void(LogRow)>& visit) {
  auto statement = database_->prepare(
      "SELECT position,revision,created,previous,expires_us,key FROM log ORDER BY position");
  if (!statement) return std::unexpected(statement.error());
  base::Result<bool> more = statement->step();
  for (; more && *more; more = statement->step()) visit(read_row(*statement));
  if (!more) return std::unexpected(more.error());
  return {};
}

base::Result<std::optional<LogRow>> LogTable::row(Position position) {
  const base::Result<bool> there = row_.bind(1, position).step();
  std::optional<LogRow> found;
  if (there && *there) {
    found = read_row(row_);
    if (!row_.is_null(6)) found->value = std::make_shared<const std::string>(row_.bytes(6));
  }
  row_.end();
  if (!there) return std::unexpected(there.error());
  return found;
}

// Revisions grow with positions, so the place is found by halving; there is no second index.
base::Result<Position> LogTable::first_after(Position first, Position end, Revision after) {
  Position low = first, high = end;
  while (low < high) {
    const Position middle = low + (high - low) / 2;
    const base::Result<bool> there = probe_.bind(1, middle).bind(2, high).step();
    const Position found = probe_.number(0);
    const Revision revision = probe_.number(1);
    probe_.end();
    if (!there) return std::unexpected(there.error());
    if (!*there || revision > after)
      high = middle;
    else
      low = found + 1;
  }
  return low;
}

base::Result<EventBatch> LogTable::events(Position first, Position end, const EventQuery& query) {
  const base::Result<Position> start = first_after(first, end, query.after);
  if (!start) return std::unexpected(start.error());
  EventBatch batch;
  std::vector<Position> previous;
  from_.bind(1, *start).bind(2, end);
  base::Result<bool> more = from_.step();
  for (; more && *more; more = from_.step()) {
    LogRow row = read_row(from_);
    if (row.revision != batch.revision && batch.events.size() >= query.limit) break;
    batch.revision = row.revision;
    Event event;
    event.type = row.created == 0 ? Event::Type::deletion : Event::Type::put;
    event.entry = {std::move(row.key), nullptr, row.created, row.revision};
    if (row.created != 0) {
      event.entry.value = std::make_shared<const std::string>(from_.bytes(6));
    }
    batch.events.push_back(std::move(event));
    previous.push_back(row.previous);
  }
  from_.end();
  if (!more) return std::unexpected(more.error());
  if (query.previous) {
    if (auto added = add_previous(batch, previous); !added) return std::unexpected(added.error());
  }
  return batch;
}

base::Result<void> LogTable::add_previous(EventBatch& batch,
                                          const std::vector<Position>& positions) {
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] == 0) continue;
    base::Result<std::optional<LogRow>> before = row(positions[i]);
    if (!before) return std::unexpected(before.error());
    if (!*before || !(*before)->value) continue;
    LogRow& found = **before;
    batch.events[i].previous =
        Entry{std::move(found.key), std::move(found.value), found.created, found.revision};
  }
  return {};
}

}  // namespace keelway::store
