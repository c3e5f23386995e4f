#include "store/sqlite/database.h"

#include <sqlite3.h>

#include <utility>

namespace keelway::store {

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  // A null pointer would bind NULL, which means deleted.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(statement_, index);
  return *this;
}

base::Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(database_->error(sqlite3_sql(statement_)));
}

base::Result<void> Statement::run() {
  base::Result<bool> more = true;
  while (more && *more) more = step();
  end();
  if (!more) return std::unexpected(more.error());
  return {};
}

void Statement::end() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr
             ? std::string()
             : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

base::Result<std::unique_ptr<Database>> Database::open(const std::string& path, bool writable,
                                                       const std::string& vfs) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, vfs.c_str());
  // The handle exists even where opening failed, and closes itself.
  std::unique_ptr<Database> database(new Database(path, handle));
  if (code != SQLITE_OK) return std::unexpected(database->error("open"));
  sqlite3_busy_timeout(handle, 5000);
  sqlite3_wal_hook(
      handle,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Database*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      database.get());
  return database;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

base::Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(error(sql));
}

base::Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return std::unexpected(error(sql));
  }
  return Statement(*this, statement);
}

base::Result<std::int64_t> Database::pragma(const char* sql) {
  base::Result<Statement> statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const base::Result<bool> row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->number(0) : 0;
}

base::Result<void> Database::checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
  // Busy: a reader stands in the way; the next one goes further.
  if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) return {};
  return std::unexpected(error("checkpoint"));
}

base::Result<void> Database::copy_to(Database& to) {
  sqlite3_backup* copy = sqlite3_backup_init(to.handle_, "main", handle_, "main");
  if (copy == nullptr) return std::unexpected(to.error("copy"));
  constexpr int pages_a_step = 256;
  int code = SQLITE_OK;
  while (code == SQLITE_OK) code = sqlite3_backup_step(copy, pages_a_step);
  const int ended = sqlite3_backup_finish(copy);
  if (code == SQLITE_DONE && ended == SQLITE_OK) return {};
  return std::unexpected(to.error("copy"));
}

int Database::changes() const {
  return sqlite3_changes(handle_);
}

base::Error Database::error(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(handle_);
  std::string message = "database " + path_ + ": " + sqlite3_errmsg(handle_) + " (code " +
                        std::to_string(code) + ") at: " + std::string(doing);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {base::ErrorCode::internal, std::move(message) + "; restore the file from a backup"};
    case SQLITE_FULL:
      return {base::ErrorCode::exhausted, std::move(message) + "; free space"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {base::ErrorCode::unavailable,
              std::move(message) + "; check the folder and its permissions"};
    default:
      return {base::ErrorCode::unavailable,
              std::move(message) + "; check the disk and start again"};
  }
}

}  // namespace keelway::store
