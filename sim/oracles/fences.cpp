#include "sim/oracles/fences.h"

#include <fmt/core.h>

#include <algorithm>

namespace keelway::sim {
namespace {

constexpr std::string_view fences_prefix = "/fences.keelway.dev/";
const std::string loops_fence = "/fences.keelway.dev/loops//cluster";
const std::string servers_fence = "/fences.keelway.dev/servers//";

}  // namespace

void FenceOracle::committed(const std::string& keyspace, const std::string& server,
                            store::Revision revision) {
  Book& book = book_of(keyspace);
  book.makers[revision] = server;
  book.head = std::max(book.head, revision);
}

void FenceOracle::fed(const std::string& keyspace, const store::EventBatch& batch) {
  Book& book = book_of(keyspace);
  for (const store::Event& event : batch.events) {
    if (!event.entry.key.starts_with(fences_prefix)) continue;
    book.fences[event.entry.key][event.entry.modified] = event.type == store::Event::Type::put;
  }
  book.seen = std::max(book.seen, batch.revision);
  book.head = std::max(book.head, book.seen);
}

void FenceOracle::rebased(const std::string& keyspace, const store::RangeResult& all) {
  Book& book = book_of(keyspace);
  book.fences.clear();
  for (const store::Entry& entry : all.entries) {
    if (entry.key.starts_with(fences_prefix)) book.fences[entry.key][entry.modified] = true;
  }
  book.base = book.seen = all.revision;
  book.head = std::max(book.head, book.seen);
}

void FenceOracle::told(Where where, const std::string& server, std::uint64_t client,
                       store::Revision before, store::Revision revision) {
  if (revision <= before) return;  // nothing was to be changed
  (where == Where::hub ? hub_ : cluster_).told.push_back({server, client, revision});
}

void FenceOracle::judge() {
  for (const Where where : {Where::hub, Where::cluster}) {
    Book& book = where == Where::hub ? hub_ : cluster_;
    std::vector<Told> later;
    for (Told& told : book.told) {
      if (told.revision > book.seen) {
        later.push_back(std::move(told));
      } else if (!complaint_ && told.revision > book.base) {
        complaint_ = judge(book, where, told);
      }
    }
    book.told = std::move(later);
  }
}

Complaint FenceOracle::judge(Book& book, Where where, const Told& told) {
  const auto maker = book.makers.find(told.revision);
  if (maker == book.makers.end() || maker->second != told.server) return std::nullopt;
  const auto& history =
      book.fences[where == Where::hub ? servers_fence + told.server : loops_fence];
  auto standing = history.lower_bound(told.revision);
  const bool stands = standing != history.begin() && (--standing)->second;
  const char* what = where == Where::hub ? "the hub" : "the cluster";
  if (!stands) {
    return fmt::format("a loop of {} wrote revision {} of {} without a fence", told.server,
                       told.revision, what);
  }
  const store::Revision fence = standing->first;
  const auto holder = book.makers.find(fence);
  if (holder != book.makers.end() && holder->second != told.server) {
    return fmt::format("a loop of {} wrote revision {} of {} after {} took it at {}", told.server,
                       told.revision, what, holder->second, fence);
  }
  const auto [known, fresh] = book.fence_of.try_emplace(told.client, fence);
  if (known->second != fence) {
    return fmt::format("a loop of {} wrote revision {} of {} under a later fence ({}) than its own",
                       told.server, told.revision, what, fence);
  }
  return std::nullopt;
}

}  // namespace keelway::sim
