// The few calls of SQLite that the engine makes, with results instead of codes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace keelway::store {

class Database;

// A prepared statement. Bind, step until false, reset() happens on the next bind_all or end().
class Statement {
 public:
  Statement() = default;
  Statement(Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}
  Statement(Statement&& other) noexcept { *this = std::move(other); }
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int index, std::int64_t number);          // from 1
  Statement& bind_text(int index, std::string_view text);   // must live until end()
  Statement& bind_blob(int index, std::string_view bytes);  // must live until end()
  Statement& bind_null(int index);
  base::Result<bool> step();  // true: a row is there
  base::Result<void> run();   // to the end, then end()
  void end();

  std::int64_t number(int column) const;  // from 0
  std::string bytes(int column) const;
  bool is_null(int column) const;

 private:
  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// The operating system's files. Named, because the default may be a simulated one.
inline constexpr const char* system_vfs = "unix";

class Database {
 public:
  // Creates the file where `writable`; ":memory:" is a database of its own. `vfs`: SQLite's name of
  // what the file lies on.
  static base::Result<std::unique_ptr<Database>> open(const std::string& path, bool writable,
                                                      const std::string& vfs = system_vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  base::Result<void> execute(const char* sql);
  base::Result<Statement> prepare(const char* sql);
  base::Result<std::int64_t> pragma(const char* sql);  // of one number
  // Moves what the write-ahead log holds into the database, without waiting for readers.
  base::Result<void> checkpoint();
  // Makes `to` an image of what this connection sees. Inside a transaction that is one moment,
  // whoever writes meanwhile.
  base::Result<void> copy_to(Database& to);
  int wal_pages() const { return wal_pages_; }  // after the last commit
  int changes() const;
  base::Error error(std::string_view doing) const;

  // Held while statements of this connection run.
  std::mutex mutex;

 private:
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  const std::string path_;
  sqlite3* handle_;
  int wal_pages_ = 0;
};

}  // namespace keelway::store
