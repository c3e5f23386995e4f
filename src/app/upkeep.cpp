#include "app/upkeep.h"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <future>

#include "app/seal_key.h"
#include "cli/table.h"
#include "runtime/linux/linux_runtime.h"
#include "store/sqlite/upkeep.h"
#include "value/json.h"

namespace keelway::app {
namespace {

namespace paths = std::filesystem;
using store::DatabaseFacts;
using store::Finding;
using value::Value;

constexpr const char* database_file = "keelway.db";
constexpr const char* partial = ".partial";

std::unique_ptr<runtime::LinuxRuntime> make_runtime() {
  return runtime::make_linux_runtime({.core_threads = 1, .worker_threads = 1});
}

base::Result<bool> is_there(const std::string& path) {
  std::error_code error;
  const auto status = paths::status(path, error);
  if (status.type() == paths::file_type::not_found) return false;
  if (!error) return true;
  return base::fail(base::ErrorCode::invalid, "cannot look at " + path + ": " + error.message());
}

// SQLite would only say that it cannot open the file.
base::Result<void> expect_database(const std::string& folder) {
  const auto database = is_there(folder + "/" + database_file);
  if (!database) return std::unexpected(database.error());
  if (*database) return {};
  const auto key = is_there(folder + "/" + seal_key_file);
  if (key && *key) {
    return base::fail(base::ErrorCode::not_found,
                      folder +
                          " has a sealing key and no database: its server keeps its state in etcd "
                          "(--store etcd://...); save that with `etcdctl snapshot save`, and "
                          "seal.key with it");
  }
  return base::fail(base::ErrorCode::not_found,
                    "no database in " + folder + "; name the data folder of a server with --data");
}

// The facts, and what is wrong with the folder around the database.
struct Report {
  DatabaseFacts database;
  bool has_key = false;
};

void check_folder(const std::string& folder, Report& report) {
  std::error_code error;
  for (const char* name : {seal_key_file, database_file, "credentials.json"}) {
    const auto status = paths::status(folder + "/" + name, error);
    if (!paths::is_regular_file(status)) continue;
    const auto others = paths::perms::group_all | paths::perms::others_all;
    if ((status.permissions() & others) == paths::perms::none) continue;
    if (std::string_view(name) == database_file) continue;  // what matters in it is sealed
    report.database.findings.push_back(
        {"", "", 0,
         std::string(name) + " may be read by others; chmod 0600 " + folder + "/" + name});
  }
}

Value json_of(const Report& report, const std::string& folder) {
  value::Array keyspaces, findings;
  for (const store::KeyspaceFacts& facts : report.database.keyspaces) {
    keyspaces.push_back(Value::object({{"name", facts.name},
                                       {"keys", static_cast<std::int64_t>(facts.keys)},
                                       {"versions", static_cast<std::int64_t>(facts.versions)},
                                       {"revision", facts.revision},
                                       {"compacted", facts.compacted}}));
  }
  for (const Finding& finding : report.database.findings) {
    findings.push_back(Value::object({{"keyspace", finding.keyspace},
                                      {"key", finding.key},
                                      {"revision", finding.revision},
                                      {"what", finding.what}}));
  }
  const DatabaseFacts& facts = report.database;
  return Value::object({{"data", folder},
                        {"sound", facts.findings.empty()},
                        {"bytes", facts.pages * facts.page_bytes},
                        {"freeBytes", facts.free_pages * facts.page_bytes},
                        {"values", static_cast<std::int64_t>(facts.values)},
                        {"brokenHistory", static_cast<std::int64_t>(facts.broken_history)},
                        {"keyspaces", Value(std::move(keyspaces))},
                        {"findings", Value(std::move(findings))},
                        {"moreFindings", static_cast<std::int64_t>(facts.more_findings)}});
}

void print_tables(const Report& report, const std::string& folder) {
  const DatabaseFacts& facts = report.database;
  std::vector<std::vector<std::string>> rows;
  for (const store::KeyspaceFacts& k : facts.keyspaces) {
    rows.push_back({k.name, std::to_string(k.keys), std::to_string(k.versions),
                    std::to_string(k.revision), std::to_string(k.compacted)});
  }
  fmt::print("{}",
             cli::format_table({"KEYSPACE", "KEYS", "VERSIONS", "REVISION", "COMPACTED"}, rows));
  rows.clear();
  for (const Finding& f : facts.findings) {
    rows.push_back({f.keyspace.empty() ? "-" : f.keyspace, f.key.empty() ? "-" : f.key,
                    f.revision == 0 ? "-" : std::to_string(f.revision), f.what});
  }
  if (!rows.empty()) {
    fmt::print("\n{}", cli::format_table({"KEYSPACE", "KEY", "REVISION", "FINDING"}, rows));
    if (facts.more_findings > 0) fmt::print("and {} more\n", facts.more_findings);
  }
  if (facts.broken_history > 0) {
    fmt::print("\n{} superseded values do not open; they go with the history\n",
               facts.broken_history);
  }
  fmt::print(
      "\n{}: {} values in {} pages, {} of them free: {}\n", folder, facts.values, facts.pages,
      facts.free_pages,
      rows.empty() ? "sound" : fmt::format("{} findings", rows.size() + facts.more_findings));
}

base::Result<Report> look(runtime::Runtime& runtime, const std::string& folder) {
  Report report;
  if (const auto there = expect_database(folder); !there) return std::unexpected(there.error());
  std::shared_ptr<const store::Seal> seal;
  auto ring = read_seal_key(runtime.files(), folder);
  if (ring) {
    auto made = store::Seal::make(runtime, std::move(*ring));
    if (!made) return std::unexpected(made.error());
    seal = std::move(*made);
  }
  auto database = store::check_database(folder + "/" + database_file, seal.get());
  if (!database) return std::unexpected(database.error());
  report.database = std::move(*database);
  if (!ring)
    report.database.findings.insert(report.database.findings.begin(),
                                    Finding{"", "", 0, ring.error().message});
  check_folder(folder, report);
  return report;
}

std::string dated_name(runtime::Runtime& runtime) {
  const auto executor = runtime.make_executor("clock");
  std::promise<std::string> name;
  executor->post([&] {
    name.set_value("keelway-" + base::format_amz_date(executor->wall_now()) + ".backup");
  });
  return name.get_future().get();
}

// An empty file that only its owner may read, for SQLite to fill.
base::Result<void> make_empty(runtime::Files& files, const std::string& path) {
  const auto made = files.open(path, runtime::FileAccess::create);
  if (!made) return std::unexpected(made.error());
  return (*made)->truncate(0);
}

// `path` + partial becomes `path`, and that is durable.
base::Result<void> put_in_place(runtime::Files& files, const std::string& path) {
  {
    const auto written = files.open(path + partial, runtime::FileAccess::write);
    if (!written) return std::unexpected(written.error());
    if (auto synced = (*written)->sync(); !synced) return synced;
  }
  std::error_code error;
  paths::rename(path + partial, path, error);
  if (error)
    return base::fail(base::ErrorCode::internal, "cannot make " + path + ": " + error.message());
  const auto folder = paths::path(path).parent_path();
  return files.sync_folder(folder.empty() ? "." : folder.string());
}

}  // namespace

base::Result<bool> check(const std::string& folder, bool as_json) {
  const auto runtime = make_runtime();
  const auto report = look(*runtime, folder);
  if (!report) return std::unexpected(report.error());
  if (as_json)
    fmt::print("{}\n", value::to_pretty_json(json_of(*report, folder)));
  else
    print_tables(*report, folder);
  return report->database.findings.empty();
}

base::Result<void> backup(const std::string& folder, const std::string& to) {
  const auto runtime = make_runtime();
  runtime::Files& files = runtime->files();
  if (const auto there = expect_database(folder); !there) return there;
  const auto key = files.read(folder + "/" + seal_key_file);
  if (!key) return std::unexpected(key.error());
  if (auto good = parse_seal_key(*key, folder + "/" + seal_key_file); !good) {
    return std::unexpected(good.error());
  }
  std::string path = to;
  std::error_code error;
  if (paths::is_directory(to, error)) path += "/" + dated_name(*runtime);
  const auto taken = is_there(path);
  if (!taken) return std::unexpected(taken.error());
  if (*taken) {
    return base::fail(base::ErrorCode::conflict, path + " is already there; name another file");
  }
  if (auto made = make_empty(files, path + partial); !made) return made;
  auto done = store::back_up_database(folder + "/" + database_file, path + partial,
                                      {{seal_key_file, *key}});
  if (done) done = put_in_place(files, path);
  if (!done) {
    static_cast<void>(files.remove(path + partial));
    return done;
  }
  fmt::print("{}\n", path);
  return {};
}

base::Result<void> restore(const std::string& from, const std::string& folder) {
  const auto runtime = make_runtime();
  runtime::Files& files = runtime->files();
  if (auto made = files.make_folders(folder); !made) return made;
  const auto lock = files.lock_folder(folder);
  if (!lock) return std::unexpected(lock.error());
  const std::string database = folder + "/" + database_file;
  // SQLite would play what an earlier database left in its logs over the restored one.
  for (const std::string& path : {database, database + "-wal", database + "-shm",
                                  database + "-journal", folder + "/" + seal_key_file}) {
    const auto taken = is_there(path);
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) continue;
    return base::fail(base::ErrorCode::conflict,
                      path + " is already there; restore into an empty folder");
  }
  if (auto made = make_empty(files, database + partial); !made) return made;
  const auto attached = store::restore_database(from, database + partial);
  base::Result<void> done;
  if (!attached)
    done = base::fail(attached.error().code, from + " is no backup: " + attached.error().message);
  else if (!attached->contains(seal_key_file))
    done = base::fail(base::ErrorCode::invalid, from + " is no backup: it has no sealing key");
  // The key first: a database that is there has its key.
  if (done) done = files.write_private(folder + "/" + seal_key_file, attached->at(seal_key_file));
  if (done) done = put_in_place(files, database);
  if (!done) {
    static_cast<void>(files.remove(database + partial));
    static_cast<void>(files.remove(folder + "/" + seal_key_file));
  }
  return done;
}

}  // namespace keelway::app
