#include "watch/window.h"

#include <algorithm>

namespace keelway::watch {

bool in_scope(std::string_view scope, std::string_view key) {
  return scope.empty() || (scope.ends_with('/') ? key.starts_with(scope) : key == scope);
}

CacheEventPtr Window::apply(const std::string& key, ObjectPtr object, Revision deleted_at) {
  const std::string_view prefix = resource_prefix_of(key);
  auto table = tables_.find(prefix);
  if (table == tables_.end()) {
    if (!object) return nullptr;
    table = tables_.emplace(std::string(prefix), Table{}).first;
  }
  Objects& objects = table->second.objects;
  const auto place = objects.lower_bound(key);
  const bool found = place != objects.end() && place->first == key;
  auto event = std::make_shared<CacheEvent>();
  event->key = key;
  if (found) event->previous = place->second;
  if (object) {
    event->type = event->previous ? CacheEvent::Type::modified : CacheEvent::Type::added;
    event->revision = object->revision();
    event->object = object;
    if (found)
      place->second = std::move(object);
    else
      objects.emplace_hint(place, key, std::move(object));
  } else {
    if (!event->previous) return nullptr;
    event->type = CacheEvent::Type::deleted;
    event->revision = deleted_at;
    event->object = event->previous->at_revision(deleted_at);
    objects.erase(place);
  }
  remember(table->second, event);
  return event;
}

void Window::load(const std::string& key, ObjectPtr object) {
  tables_[std::string(resource_prefix_of(key))].objects.insert_or_assign(key, std::move(object));
}

// What history holds beyond the current objects: superseded states and its own words.
std::size_t Window::cost(const CacheEvent& event) {
  return 200 + event.key.size() + (event.previous ? 300 + event.previous->outline().size() : 0);
}

void Window::remember(Table& table, const CacheEventPtr& event) {
  table.history.push_back(event);
  history_.push_back(event);
  history_bytes_ += cost(*event);
  while (history_.size() > limits_.events_max || history_bytes_ > limits_.bytes_max) drop_front();
}

void Window::drop_front() {
  const CacheEventPtr event = std::move(history_.front());
  history_.pop_front();
  history_bytes_ -= cost(*event);
  floor_ = std::max(floor_, event->revision);
  const auto table = tables_.find(resource_prefix_of(event->key));
  table->second.history.pop_front();
  if (table->second.history.empty() && table->second.objects.empty()) tables_.erase(table);
}

void Window::cut(Revision revision) {
  while (!history_.empty()) drop_front();
  floor_ = revision_ = std::max(revision_, revision);
}

void Window::clear() {
  tables_.clear();
  history_.clear();
  history_bytes_ = 0;
  floor_ = revision_ = 0;
}

ObjectPtr Window::get(std::string_view key) const {
  const auto table = tables_.find(resource_prefix_of(key));
  if (table == tables_.end()) return nullptr;
  const auto found = table->second.objects.find(key);
  return found == table->second.objects.end() ? nullptr : found->second;
}

// Calls f(table) for every table that may hold keys with the prefix, until it answers false.
template <class F>
bool Window::for_tables(std::string_view prefix, F&& f) const {
  const std::string_view resource = resource_prefix_of(prefix);
  if (resource.size() > 1 && resource.ends_with('/') &&
      std::count(resource.begin(), resource.end(), '/') == 3) {
    const auto table = tables_.find(resource);
    return table == tables_.end() || f(table->second);
  }
  for (auto table = tables_.lower_bound(prefix);
       table != tables_.end() && table->first.starts_with(prefix); ++table) {
    if (!f(table->second)) return false;
  }
  return true;
}

std::size_t Window::count(std::string_view prefix) const {
  std::size_t total = 0;
  for_tables(prefix, [&](const Table& table) {
    const bool whole = prefix.size() <= resource_prefix_of(prefix).size();
    if (whole) {
      total += table.objects.size();
      return true;
    }
    for (auto at = table.objects.lower_bound(prefix);
         at != table.objects.end() && at->first.starts_with(prefix); ++at) {
      ++total;
    }
    return true;
  });
  return total;
}

base::Result<void> Window::scan(const Scan& scan, const Visit& visit) const {
  if (scan.revision > revision_) {
    return base::fail(base::ErrorCode::unavailable, "revision " + std::to_string(scan.revision) +
                                                        " is not reached yet; the cache is at " +
                                                        std::to_string(revision_));
  }
  if (scan.revision != 0 && scan.revision < floor_) {
    return base::fail(base::ErrorCode::expired, "revision " + std::to_string(scan.revision) +
                                                    " is too old; the window starts at " +
                                                    std::to_string(floor_));
  }
  for_tables(scan.prefix, [&](const Table& table) {
    const bool old = scan.revision != 0 && !table.history.empty() &&
                     table.history.back()->revision > scan.revision;
    return old ? scan_then(table, scan, visit) : scan_now(table, scan, visit);
  });
  return {};
}

bool Window::scan_now(const Table& table, const Scan& scan, const Visit& visit) const {
  auto at = scan.start_after >= scan.prefix && !scan.start_after.empty()
                ? table.objects.upper_bound(scan.start_after)
                : table.objects.lower_bound(scan.prefix);
  for (; at != table.objects.end() && at->first.starts_with(scan.prefix); ++at) {
    if (!visit(at->first, at->second)) return false;
  }
  return true;
}

// Undoes the events after the revision, newest first: what stays per key is its state then.
bool Window::scan_then(const Table& table, const Scan& scan, const Visit& visit) const {
  std::map<std::string_view, ObjectPtr> then;
  for (auto event = table.history.rbegin();
       event != table.history.rend() && (*event)->revision > scan.revision; ++event) {
    const std::string& key = (*event)->key;
    if (key.starts_with(scan.prefix) && key > scan.start_after) then[key] = (*event)->previous;
  }
  auto undone = then.begin();
  bool wanted = true;
  const auto visit_undone = [&] {
    if (undone->second) wanted = visit(undone->first, undone->second);
    ++undone;
  };
  scan_now(table, scan, [&](std::string_view key, const ObjectPtr& object) {
    while (wanted && undone != then.end() && undone->first < key) visit_undone();
    if (!wanted) return false;
    if (undone != then.end() && undone->first == key)
      visit_undone();
    else
      wanted = visit(key, object);
    return wanted;
  });
  while (wanted && undone != then.end()) visit_undone();
  return wanted;
}

std::vector<CacheEventPtr> Window::events(std::string_view prefix, Revision after) const {
  std::vector<CacheEventPtr> found;
  const auto collect = [&](const std::deque<CacheEventPtr>& history) {
    auto from = std::upper_bound(
        history.begin(), history.end(), after,
        [](Revision revision, const CacheEventPtr& event) { return revision < event->revision; });
    for (; from != history.end(); ++from) {
      if (in_scope(prefix, (*from)->key)) found.push_back(*from);
    }
  };
  const std::string_view resource = resource_prefix_of(prefix);
  if (prefix.empty()) {
    collect(history_);
  } else if (const auto table = tables_.find(resource); table != tables_.end()) {
    collect(table->second.history);
  }
  return found;
}

}  // namespace keelway::watch
