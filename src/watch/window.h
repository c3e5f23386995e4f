// The current objects by resource and the recent events, as plain data: no store, no callbacks.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "watch/cache.h"

namespace keelway::watch {

// Whether a subscription to `scope` is about `key`: a prefix ends in '/', all else is one key.
bool in_scope(std::string_view scope, std::string_view key);

class Window {
 public:
  explicit Window(CacheLimits limits) : limits_(limits) {}

  // Changes one key; null: deleted. The event's revision is the object's, or `deleted_at`.
  // Returns null where nothing changed (a deletion of what was not there).
  CacheEventPtr apply(const std::string& key, ObjectPtr object, Revision deleted_at);
  // Puts an object without an event; the initial state.
  void load(const std::string& key, ObjectPtr object);
  // Everything up to `revision` is applied.
  void advance(Revision revision) { revision_ = std::max(revision_, revision); }
  // Forgets history: the window starts at `revision`.
  void cut(Revision revision);
  // As new.
  void clear();

  Revision revision() const { return revision_; }
  Revision oldest_revision() const { return floor_; }
  ObjectPtr get(std::string_view key) const;
  std::size_t count(std::string_view prefix) const;
  base::Result<void> scan(
      const Scan& scan,
      const std::function<bool(std::string_view key, const ObjectPtr& object)>& visit) const;
  // Events of a subscription's scope (SubscribeRequest::prefix) after `after`, in order.
  std::vector<CacheEventPtr> events(std::string_view prefix, Revision after) const;

 private:
  using Objects = std::map<std::string, ObjectPtr, std::less<>>;
  struct Table {
    Objects objects;
    std::deque<CacheEventPtr> history;
  };
  using Tables = std::map<std::string, Table, std::less<>>;
  using Visit = std::function<bool(std::string_view, const ObjectPtr&)>;
  static std::size_t cost(const CacheEvent& event);
  void remember(Table& table, const CacheEventPtr& event);
  void drop_front();
  template <class F>
  bool for_tables(std::string_view prefix, F&& f) const;
  bool scan_now(const Table& table, const Scan& scan, const Visit& visit) const;
  bool scan_then(const Table& table, const Scan& scan, const Visit& visit) const;

  const CacheLimits limits_;
  // By resource prefix. No prefix is the start of another, so tables in order hold keys in order.
  Tables tables_;
  std::deque<CacheEventPtr> history_;  // every event in (floor_, revision_], all tables
  std::size_t history_bytes_ = 0;
  Revision revision_ = 0;
  Revision floor_ = 0;
};

}  // namespace keelway::watch
