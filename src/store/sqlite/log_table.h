// The log in its table: rows by position, keyspaces by name. One connection; the caller holds
// its mutex.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/database.h"
#include "store/sqlite/key_index.h"

namespace keelway::store {

// A keyspace's rows have positions from id << 40; within it positions grow with revisions.
using KeyspaceId = std::int64_t;
constexpr int position_bits = 40;
constexpr Position first_position(KeyspaceId id) {
  return id << position_bits;
}
constexpr KeyspaceId keyspace_of(Position position) {
  return position >> position_bits;
}

struct LogRow {
  Position position = 0;
  Revision revision = 0;
  Revision created = 0;         // 0: a deletion
  Position previous = 0;        // the row that this one supersedes; 0: none
  std::int64_t expires_us = 0;  // wall time; 0: never
  std::string key;
  Bytes value;  // null: a deletion, or not read
};

struct KeyspaceRow {
  KeyspaceId id = 0;
  std::string name;
  Revision compacted = 0;
};

// Fails where a database's user_version is none that this program reads.
base::Result<void> check_format(std::int64_t version);

class LogTable {
 public:
  // Opens the database; the writer makes or checks its tables.
  static base::Result<std::unique_ptr<LogTable>> open(const std::string& path, bool writable,
                                                      const std::string& vfs = system_vfs);

  Database& database() { return *database_; }
  base::Result<void> begin() { return database_->execute("BEGIN IMMEDIATE"); }
  base::Result<void> commit() { return database_->execute("COMMIT"); }
  void roll_back() { static_cast<void>(database_->execute("ROLLBACK")); }

  base::Result<void> append(const LogRow& row);
  base::Result<void> erase(Position position);
  // Erases up to `count` rows of a keyspace; false: none was left.
  base::Result<bool> erase_some(KeyspaceId id, int count);
  base::Result<void> put_keyspace(const KeyspaceRow& row);
  base::Result<void> erase_keyspace(KeyspaceId id);

  base::Result<std::vector<KeyspaceRow>> keyspaces();
  // Every row in order, without values.
  base::Result<void> scan(const std::function<void(LogRow)>& visit);
  // nullopt: the row is gone.
  base::Result<std::optional<LogRow>> row(Position position);
  struct EventQuery {
    Revision after = 0;
    std::size_t limit = 0;  // about; revisions stay whole
    bool previous = false;
  };
  // Of the rows in [first, end).
  base::Result<EventBatch> events(Position first, Position end, const EventQuery& query);

 private:
  base::Result<void> prepare(bool writable);
  base::Result<void> add_previous(EventBatch& batch, const std::vector<Position>& positions);
  base::Result<Position> first_after(Position first, Position end, Revision after);

  std::unique_ptr<Database> database_;  // outlives the statements
  Statement append_, erase_, erase_some_, put_keyspace_, erase_keyspace_;
  Statement row_, from_, probe_;
};

}  // namespace keelway::store
