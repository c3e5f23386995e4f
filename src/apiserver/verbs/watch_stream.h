// Watches over HTTP: one stream a request, encoded once an event and form for all that share it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "apiserver/core.h"
#include "apiserver/media.h"
#include "apiserver/operation.h"
#include "apiserver/selection.h"
#include "http/server.h"

namespace keelway::apiserver {

class WatchStream;

// Lines of the batch that is being fanned out; forgotten when its turn of the loop ends.
struct WatchEncodings {
  using Id = std::tuple<const watch::CacheEvent*, const schema::Kind*, int>;
  struct Line {
    watch::CacheEventPtr event;  // keeps the address from being used again
    schema::KindSetPtr kinds;
    std::shared_ptr<const std::string> text;
  };
  std::map<Id, Line> lines;
  bool clearing = false;
};

// Keeps every open stream, and ticks once a minute while one of them wants bookmarks.
class BookmarkClock {
 public:
  explicit BookmarkClock(runtime::Executor& executor) : executor_(executor) {}
  ~BookmarkClock();
  // A stream's place in the order of their beginnings, in which they are told; never 0.
  using Place = std::uint64_t;
  Place add(std::shared_ptr<WatchStream> stream, bool bookmarks);
  void remove(Place place);
  void end_all();
  std::size_t open() const { return streams_.size(); }

 private:
  void schedule();
  void tick();
  runtime::Executor& executor_;
  struct Entry {
    std::shared_ptr<WatchStream> stream;
    bool bookmarks = false;  // wants them
  };
  std::map<Place, Entry> streams_;
  Place last_place_ = 0;
  std::size_t wanting_ = 0;
  runtime::TimerId timer_ = 0;
};

// Answers 422 and the like through `refuse`; everything later travels in the stream.
void start_watch(Core& core, OperationPtr op, const Media& media,
                 std::shared_ptr<http::Exchange> exchange, std::vector<http::Header> headers,
                 std::move_only_function<void(schema::Status)> refuse);

}  // namespace keelway::apiserver
