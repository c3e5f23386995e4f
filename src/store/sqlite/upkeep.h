// What is done to a database from outside of a server: looking into all of it, and copying it
// with the small files that belong to it. Both work beside a server that writes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "store/sealed/sealed.h"
#include "store/store.h"

namespace keelway::store {

struct Finding {
  std::string keyspace, key;  // empty where it concerns the whole file
  Revision revision = 0;
  std::string what;
};

struct KeyspaceFacts {
  std::string name;
  std::size_t keys = 0, versions = 0;
  Revision revision = 0, compacted = 0;
};

struct DatabaseFacts {
  std::int64_t pages = 0, free_pages = 0, page_bytes = 0;
  std::vector<KeyspaceFacts> keyspaces;
  std::size_t values = 0;          // that were opened, or should have been
  std::size_t broken_history = 0;  // superseded values that do not open; compaction erases them
  std::vector<Finding> findings;   // empty: it is sound
  std::size_t more_findings = 0;   // beyond the first thousand
};

// Reads every page and every row, and opens every value where there is a seal. Fails only where
// nothing can be said at all.
base::Result<DatabaseFacts> check_database(const std::string& path, const Seal* seal);

// The state of one moment as one file, which must be there and empty; everything that was
// acknowledged before the call is in it. `attached`: name to content, kept inside.
base::Result<void> back_up_database(const std::string& from, const std::string& to,
                                    const std::map<std::string, std::string>& attached);
// Makes a backup a database again and answers what was attached. `to` must be there and empty.
base::Result<std::map<std::string, std::string>> restore_database(const std::string& from,
                                                                  const std::string& to);

}  // namespace keelway::store
