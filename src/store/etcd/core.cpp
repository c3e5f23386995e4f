#include "store/etcd/core.h"

#include <algorithm>
#include <charconv>

#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

constexpr int tries_max = 5;
constexpr std::size_t page_bytes = 16u << 20;  // aimed at in one answer of etcd

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == '/') {
      out += "%2F";
    } else if (c == '%') {
      out += "%25";
    } else {
      out += c;
    }
  }
  return out;
}

ClientOptions client_options(const EtcdOptions& options) {
  ClientOptions made;
  made.members = options.members;
  made.tls = options.tls;
  made.user = options.user;
  made.password = options.password;
  made.call_timeout = options.call_timeout;
  made.silent_max = options.silent_max;
  made.pending_bytes_max = options.pending_bytes_max;
  made.load = options.load;
  return made;
}

template <class Done, class Result>
void answer(const std::shared_ptr<Mailbox>& mailbox, Done& done, Result result) {
  mailbox->post(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

Revision to_revision(std::string_view text) {
  Revision revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

Entry to_entry(const KeyValue& found, std::size_t prefix) {
  return {std::string(found.key.substr(prefix)), std::make_shared<const std::string>(found.value),
          found.created, found.modified};
}

}  // namespace

struct Core::Writing {
  SpacePtr space;
  Transaction transaction;
  std::shared_ptr<Mailbox> mailbox;
  Keyspace::Committed done;
  std::vector<std::int64_t> leases;  // of the puts; 0: none
  Revision assumed = 0;              // the birth of the keyspace; 0: it is not there
  bool marks = false;                // makes the keyspace
  int tries = 0;
};

struct Core::Reading {
  SpacePtr space;
  RangeRequest request;
  std::shared_ptr<Mailbox> mailbox;
  Keyspace::Ranged done;
  RangeResult result;
  std::size_t bytes = 0;
  Revision assumed = 0;
  int tries = 0;
};

Core::Core(runtime::Runtime& runtime, runtime::Executor& executor, EtcdOptions options)
    : executor_(executor),
      options_(std::move(options)),
      spaces_(options_.prefix + "k/"),
      client_(std::make_shared<Client>(runtime, executor, client_options(options_))),
      watcher_(std::make_shared<Watcher>(client_)),
      leases_(std::make_shared<Leases>(client_)) {}

void Core::start() {
  Client::StreamOwner owner;
  owner.on_connected = [this] { watcher_->connected(); };
  owner.on_quiet = [this] { watcher_->ping(); };
  client_->start(std::move(owner));
  follow_all();
}

void Core::stop() {
  client_->stop();
}

SpacePtr Core::space(const std::string& name) {
  const std::string key = escaped(name);
  SpacePtr& space = by_name_[key];
  if (!space) space = std::make_shared<Space>(name, spaces_ + key + "/");
  return space;
}

void Core::when_known(const SpacePtr& space, Space::Known done) {
  if (space->state == Space::State::dropped) return done(std::unexpected(space->dropped()));
  if (space->state != Space::State::unknown) return done({});
  space->waiting.push_back(std::move(done));
  if (space->waiting.size() > 1) return;
  if (following_) return read_mark(space);
  unread_.push_back(space);
}

void Core::read_mark(const SpacePtr& space) {
  client_->call(method::range, encode_range({space->mark()}), Repeat::freely,
                [weak = weak_from_this(), space](base::Result<std::string> reply) {
                  const auto self = weak.lock();
                  if (!self) return;
                  if (!reply) return self->mark_known(*space, std::unexpected(reply.error()));
                  const auto mark = decode_range(*reply);
                  if (!mark) return self->mark_known(*space, std::unexpected(mark.error()));
                  if (space->state == Space::State::unknown) {
                    self->take_mark(*space, *mark, mark->revision);
                  }
                  self->mark_known(*space, {});
                });
}

void Core::take_mark(Space& space, const Ranged& mark, Revision revision) {
  if (!space.feed) {
    FeedLimits limits;
    limits.forgetful = true;
    space.feed = std::make_shared<Feed>(progress_, 0, Feed::History(), limits);
    space.last_event = progress_;
  }
  if (mark.entries.empty()) {
    space.state = Space::State::absent;
    space.absent = revision;
    return;
  }
  space.state = Space::State::alive;
  space.born = mark.entries[0].created;
  space.floor = to_revision(mark.entries[0].value);
  space.feed->forget(space.floor);
}

void Core::mark_known(Space& space, base::Result<void> result) {
  if (result && space.state == Space::State::dropped) result = std::unexpected(space.dropped());
  for (auto& done : std::exchange(space.waiting, {})) done(result);
}

void Core::mark_dropped(Space& space) {
  space.state = Space::State::dropped;
  space.forget_heard();
  if (space.feed) space.feed->close(space.dropped());
  const auto found = by_name_.find(escaped(space.name));
  if (found != by_name_.end() && found->second.get() == &space) by_name_.erase(found);
}

Core::Lesson Core::learn(Space& space, Revision assumed, const Ranged& mark) {
  const Revision born = mark.entries.empty() ? 0 : mark.entries[0].created;
  if (born == assumed) return Lesson::same;
  if (assumed != 0) {
    if (space.state == Space::State::alive && space.born == assumed) mark_dropped(space);
    return Lesson::dropped;
  }
  if (space.state == Space::State::dropped) return Lesson::dropped;
  if (space.state == Space::State::absent) take_mark(space, mark, 0);
  return Lesson::try_again;
}

void Core::transact(SpacePtr space, Transaction transaction, std::shared_ptr<Mailbox> mailbox,
                    Keyspace::Committed done) {
  auto writing = std::make_shared<Writing>();
  writing->space = std::move(space);
  writing->transaction = std::move(transaction);
  writing->mailbox = std::move(mailbox);
  writing->done = std::move(done);
  writing->leases.resize(writing->transaction.puts.size());
  take_leases(std::move(writing), 0);
}

void Core::take_leases(std::shared_ptr<Writing> writing, std::size_t from) {
  const auto& puts = writing->transaction.puts;
  while (from < puts.size() && !puts[from].time_to_live) ++from;
  if (from == puts.size()) return write(std::move(writing));
  leases_->take(*puts[from].time_to_live,
                [weak = weak_from_this(), writing, from](base::Result<std::int64_t> lease) {
                  const auto self = weak.lock();
                  if (!self) return;
                  if (!lease) {
                    return answer(writing->mailbox, writing->done,
                                  base::Result<TransactionResult>(std::unexpected(lease.error())));
                  }
                  writing->leases[from] = *lease;
                  self->take_leases(writing, from + 1);
                });
}

void Core::write(std::shared_ptr<Writing> writing) {
  when_known(writing->space, [weak = weak_from_this(), writing](base::Result<void> known) {
    const auto self = weak.lock();
    if (!self) return;
    if (!known) {
      return answer(writing->mailbox, writing->done,
                    base::Result<TransactionResult>(std::unexpected(known.error())));
    }
    const Space& space = *writing->space;
    const Transaction& wanted = writing->transaction;
    writing->assumed = space.state == Space::State::alive ? space.born : 0;
    writing->marks = writing->assumed == 0 && !wanted.puts.empty();
    TxnEncoder txn;
    txn.compare_created(space.mark(), writing->assumed);
    txn.otherwise({space.mark()});
    for (const Compare& compare : wanted.compares) {
      txn.compare_modified(space.data(compare.key), compare.modified);
      txn.otherwise({space.data(compare.key)});
    }
    if (writing->marks) txn.put(space.mark(), "0", 0);
    for (std::size_t i = 0; i < wanted.puts.size(); ++i) {
      txn.put(space.data(wanted.puts[i].key), *wanted.puts[i].value, writing->leases[i]);
    }
    for (const Delete& deletion : wanted.deletes) txn.erase(space.data(deletion.key));
    self->client_->call(method::transact, txn.take(), Repeat::never,
                        [weak, writing](base::Result<std::string> reply) {
                          if (const auto me = weak.lock()) me->written(writing, std::move(reply));
                        });
  });
}

void Core::written(const std::shared_ptr<Writing>& writing, base::Result<std::string> reply) {
  using Result = base::Result<TransactionResult>;
  const SpacePtr& space = writing->space;
  const bool leased = std::any_of(writing->leases.begin(), writing->leases.end(),
                                  [](std::int64_t lease) { return lease != 0; });
  if (!reply && reply.error().code == base::ErrorCode::not_found && leased &&
      ++writing->tries < tries_max) {
    leases_->forget_all();  // one has ended; etcd wrote nothing
    return take_leases(writing, 0);
  }
  if (!reply) {
    return answer(writing->mailbox, writing->done, Result(std::unexpected(reply.error())));
  }
  const auto txn = decode_transaction(*reply);
  if (!txn) return answer(writing->mailbox, writing->done, Result(std::unexpected(txn.error())));
  TransactionResult result{txn->succeeded, txn->revision, {}};
  if (txn->succeeded) {
    if (writing->marks && space->state == Space::State::absent) {
      space->state = Space::State::alive;
      space->born = txn->revision;
    }
    if (writing->transaction.puts.empty()) promise(space, txn->revision);
    return answer(writing->mailbox, writing->done, Result(std::move(result)));
  }
  KEELWAY_INVARIANT(txn->ranges.size() == writing->transaction.compares.size() + 1,
                    "etcd answers every question of a transaction");
  const Lesson lesson = learn(*space, writing->assumed, txn->ranges[0]);
  if (lesson == Lesson::try_again && ++writing->tries < tries_max) return write(writing);
  if (lesson != Lesson::same) {
    return answer(writing->mailbox, writing->done, Result(std::unexpected(space->dropped())));
  }
  for (std::size_t i = 0; i < writing->transaction.compares.size(); ++i) {
    const auto& found = txn->ranges[i + 1].entries;
    if (found.empty() || found[0].modified == writing->transaction.compares[i].modified) continue;
    result.conflicts.push_back(to_entry(found[0], space->data("").size()));
  }
  promise(space, txn->revision);
  answer(writing->mailbox, writing->done, Result(std::move(result)));
}

void Core::range(SpacePtr space, RangeRequest request, std::shared_ptr<Mailbox> mailbox,
                 Keyspace::Ranged done) {
  auto reading = std::make_shared<Reading>();
  reading->space = std::move(space);
  reading->request = std::move(request);
  reading->result.revision = reading->request.revision;
  reading->mailbox = std::move(mailbox);
  reading->done = std::move(done);
  read_page(std::move(reading));
}

// Asks for one page more; all pages are of the first one's revision.
void Core::read_page(std::shared_ptr<Reading> reading) {
  when_known(reading->space, [weak = weak_from_this(), reading](base::Result<void> known) {
    using Result = base::Result<RangeResult>;
    const auto self = weak.lock();
    if (!self) return;
    const auto fail = [&](base::Error error) {
      answer(reading->mailbox, reading->done, Result(std::unexpected(std::move(error))));
    };
    if (!known) return fail(known.error());
    const Space& space = *reading->space;
    const RangeRequest& request = reading->request;
    if (request.revision != 0 && request.revision < space.floor) {
      return fail({base::ErrorCode::expired,
                   "revision " + std::to_string(request.revision) + " is compacted"});
    }
    reading->assumed = space.state == Space::State::alive ? space.born : 0;
    // What was there before this keyspace was another one.
    if (request.revision != 0 && request.revision < reading->assumed) {
      return answer(reading->mailbox, reading->done, Result(std::move(reading->result)));
    }
    auto& entries = reading->result.entries;
    const std::string& after = entries.empty() ? request.start_after : entries.back().key;
    KeyRange range;
    range.key = space.data(request.prefix);
    range.end = prefix_end(range.key);
    if (!after.empty()) range.key = std::max(range.key, space.data(after) + '\0');
    if (range.key >= range.end) {  // nothing can come
      range.key = range.end = space.data(request.prefix);
    }
    std::size_t limit = self->options_.page;
    if (!entries.empty()) {
      const std::size_t each = reading->bytes / entries.size() + 1;
      limit = std::clamp<std::size_t>(page_bytes / each, 1, limit);
    }
    if (request.limit != 0) limit = std::min(limit, request.limit - entries.size());
    range.limit = static_cast<std::int64_t>(limit);
    range.revision = reading->result.revision;
    TxnEncoder txn;
    txn.compare_created(space.mark(), reading->assumed);
    txn.range(range);
    txn.otherwise({space.mark()});
    self->client_->call(method::transact, txn.take(), Repeat::freely,
                        [weak, reading](base::Result<std::string> reply) {
                          if (const auto me = weak.lock()) me->page_read(reading, std::move(reply));
                        });
  });
}

void Core::page_read(const std::shared_ptr<Reading>& reading, base::Result<std::string> reply) {
  using Result = base::Result<RangeResult>;
  const SpacePtr& space = reading->space;
  if (!reply) {
    return answer(reading->mailbox, reading->done, Result(std::unexpected(reply.error())));
  }
  auto txn = decode_transaction(*reply);
  if (txn && txn->ranges.size() != 1) {
    txn = base::fail(base::ErrorCode::internal, "etcd did not answer a range");
  }
  if (!txn) return answer(reading->mailbox, reading->done, Result(std::unexpected(txn.error())));
  if (!txn->succeeded) {
    const Lesson lesson = learn(*space, reading->assumed, txn->ranges[0]);
    if (lesson == Lesson::try_again && ++reading->tries < tries_max) return read_page(reading);
    return answer(reading->mailbox, reading->done, Result(std::unexpected(space->dropped())));
  }
  RangeResult& result = reading->result;
  if (result.revision == 0) {
    result.revision = txn->revision;
    promise(space, txn->revision);
  }
  const std::size_t prefix = space->data("").size();
  for (const KeyValue& found : txn->ranges[0].entries) {
    reading->bytes += found.key.size() + found.value.size();
    result.entries.push_back(to_entry(found, prefix));
  }
  result.more = txn->ranges[0].more;
  const std::size_t limit = reading->request.limit;
  if (result.more && (limit == 0 || result.entries.size() < limit)) return read_page(reading);
  answer(reading->mailbox, reading->done, Result(std::move(result)));
}

// One reading of the head serves everybody who asked before it began.
void Core::head(SpacePtr space, std::shared_ptr<Mailbox> mailbox, Headed done) {
  when_known(space, [weak = weak_from_this(), space, mailbox = std::move(mailbox),
                     done = std::move(done)](base::Result<void> known) mutable {
    const auto self = weak.lock();
    if (!self) return;
    if (!known) {
      return answer(mailbox, done, base::Result<Revision>(std::unexpected(known.error())));
    }
    self->heads_.push_back({space, std::move(mailbox), std::move(done)});
    if (!self->head_reading_) self->read_head();
  });
}

void Core::read_head() {
  head_reading_ = true;
  auto asked = std::make_shared<std::vector<HeadAsked>>(std::exchange(heads_, {}));
  client_->call(
      method::range, encode_range({options_.prefix + "t"}), Repeat::freely,
      [weak = weak_from_this(), asked, heard = progress_](base::Result<std::string> reply) {
        const auto self = weak.lock();
        if (!self) return;
        self->head_reading_ = false;
        base::Result<Revision> head = 0;
        if (!reply) {
          head = std::unexpected(reply.error());
        } else if (const auto ranged = decode_range(*reply); !ranged) {
          head = std::unexpected(ranged.error());
        } else if (ranged->revision < heard) {
          // Not what the watch has heard since: its events may overtake this answer.
          head = base::fail(base::ErrorCode::unavailable,
                            "etcd's revision went back, as after a restore from a "
                            "backup; restart every server");
        } else {
          head = ranged->revision;
        }
        for (HeadAsked& one : *asked) {
          if (head) self->promise(one.space, *head);
          answer(one.mailbox, one.done, head);
        }
        if (!self->heads_.empty()) self->read_head();
      });
}

// The floor of a keyspace's history is kept in its birth mark, so every server has it. etcd's own
// history goes later, for all keyspaces together.
void Core::compact(SpacePtr space, Revision revision, std::shared_ptr<Mailbox> mailbox,
                   Finished done) {
  using Result = base::Result<void>;
  auto checked = [weak = weak_from_this(), space, revision, mailbox,
                  done = std::move(done)](base::Result<Revision> head) mutable {
    const auto self = weak.lock();
    if (!self) return;
    if (!head) return answer(mailbox, done, Result(std::unexpected(head.error())));
    if (revision > *head) {
      return answer(mailbox, done,
                    Result(base::fail(base::ErrorCode::invalid,
                                      "compaction at " + std::to_string(revision) +
                                          ": the head is " + std::to_string(*head))));
    }
    if (revision <= space->floor || space->state != Space::State::alive) {
      return answer(mailbox, done, Result());
    }
    TxnEncoder txn;
    txn.compare_created(space->mark(), space->born);
    txn.put(space->mark(), std::to_string(revision), 0);
    self->client_->call(
        method::transact, txn.take(), Repeat::freely,
        [space, revision, mailbox, done = std::move(done)](base::Result<std::string> r) mutable {
          if (!r) return answer(mailbox, done, Result(std::unexpected(r.error())));
          const auto reply = decode_transaction(*r);
          if (!reply || !reply->succeeded) {
            return answer(mailbox, done, Result(std::unexpected(space->dropped())));
          }
          space->floor = std::max(space->floor, revision);
          space->feed->forget(space->floor);
          answer(mailbox, done, Result());
        });
  };
  // The head is judged here, so its answer need not go by the caller's executor.
  when_known(space, [weak = weak_from_this(), space, own = std::make_shared<Mailbox>(executor_),
                     checked = std::move(checked)](base::Result<void> known) mutable {
    const auto self = weak.lock();
    if (!self) return;
    if (!known) return checked(std::unexpected(known.error()));
    self->head(space, std::move(own), std::move(checked));
  });
}

void Core::drop(const std::string& name, std::shared_ptr<Mailbox> mailbox, Finished done) {
  using Result = base::Result<void>;
  const SpacePtr space = this->space(name);
  when_known(space, [weak = weak_from_this(), space, mailbox = std::move(mailbox),
                     done = std::move(done)](base::Result<void> known) mutable {
    const auto self = weak.lock();
    if (!self) return;
    if (!known) return answer(mailbox, done, std::move(known));
    const Revision assumed = space->state == Space::State::alive ? space->born : 0;
    TxnEncoder txn;
    txn.compare_created(space->mark(), assumed);
    txn.otherwise({space->mark()});
    if (assumed != 0) txn.erase(space->prefix, prefix_end(space->prefix));
    // Twice does no harm: the second finds another birth mark, or none.
    self->client_->call(method::transact, txn.take(), Repeat::freely,
                        [weak, space, assumed, mailbox,
                         done = std::move(done)](base::Result<std::string> reply) mutable {
                          const auto me = weak.lock();
                          if (!me) return;
                          const auto txn =
                              reply ? decode_transaction(*reply)
                                    : base::Result<TxnReply>(std::unexpected(reply.error()));
                          if (!txn)
                            return answer(mailbox, done, Result(std::unexpected(txn.error())));
                          // Another server has just made what was not there.
                          if (!txn->succeeded && assumed == 0 && !txn->ranges.empty() &&
                              me->learn(*space, assumed, txn->ranges[0]) == Lesson::try_again) {
                            return me->drop(space->name, std::move(mailbox), std::move(done));
                          }
                          me->mark_dropped(*space);
                          answer(mailbox, done, Result());
                        });
  });
}

}  // namespace keelway::store::etcd
