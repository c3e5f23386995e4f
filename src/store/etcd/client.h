// Calls to an etcd cluster over one connection at a time: finds a member that answers, repeats
// what may be repeated, and says plainly where an outcome is not known. One executor.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/network.h"
#include "store/etcd/connection.h"
#include "store/etcd/load.h"

namespace keelway::store::etcd {

struct ClientOptions {
  std::vector<runtime::Address> members;
  std::optional<runtime::TlsClient> tls;
  std::string user, password;  // empty: etcd's authentication is off
  std::size_t pending_bytes_max = 256u << 20;
  base::Duration connect_timeout = std::chrono::seconds(2);
  base::Duration call_timeout = std::chrono::seconds(9);  // of a call with all its repetitions
  // A connection that is silent for half of it is asked for a sign of life, then given up.
  base::Duration silent_max = std::chrono::seconds(5);
  std::shared_ptr<EtcdLoad> load;  // null: nobody looks
};

enum class Repeat {
  never,   // a lost answer is an unknown outcome
  freely,  // reads, and what does no harm twice
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(base::Result<std::string>)>;
  // What a stream's owner hears; it opens its stream anew in each on_connected.
  struct StreamOwner {
    std::move_only_function<void()> on_connected;
    std::move_only_function<void()> on_quiet;  // to send something that the member answers
  };

  Client(runtime::Runtime& runtime, runtime::Executor& executor, ClientOptions options)
      : runtime_(runtime),
        executor_(executor),
        options_(std::move(options)),
        load_(options_.load ? options_.load : std::make_shared<EtcdLoad>()) {}
  void start(StreamOwner owner);
  void stop();  // drops everything, without callbacks

  void call(std::string_view path, std::string message, Repeat repeat, Done done);

  // On the connection of now; 0: there is none.
  CallId open_stream(std::string_view path, std::string message, CallEvents events);
  void send(CallId stream, std::string_view message);
  // The member is of no use: goes on with another one.
  void leave_member(const std::string& why);
  runtime::Executor& executor() { return executor_; }

 private:
  struct Job {
    std::string_view path;
    std::string message;
    Repeat repeat = Repeat::never;
    Done done;
    base::Instant deadline;
    runtime::TimerId timer = 0;
    CallId call = 0;  // 0: it waits
    std::string answer;
    std::string trouble;  // why the last try failed
  };
  using JobPtr = std::shared_ptr<Job>;

  void connect();
  void connected(base::Result<std::unique_ptr<runtime::Stream>> stream, std::string authority);
  void log_in();
  void ready();
  void lost(const std::string& why);
  void connect_later();
  void watch_over();
  void submit();
  void begin(const JobPtr& job);
  void finish(const JobPtr& job, const CallEnd& end);
  void try_again(const JobPtr& job, bool soon);
  void too_late(const JobPtr& job);
  void settle(const JobPtr& job, base::Result<std::string> result);

  runtime::Runtime& runtime_;
  runtime::Executor& executor_;
  const ClientOptions options_;
  const std::shared_ptr<EtcdLoad> load_;
  StreamOwner owner_;
  std::unique_ptr<Connection> connection_;  // null: none
  bool ready_ = false, connecting_ = false, stopped_ = false;
  base::Instant connected_at_;
  std::size_t next_member_ = 0, failures_ = 0;
  std::string token_, trouble_ = "no member has answered yet";
  std::deque<JobPtr> waiting_;
  runtime::TimerId retry_timer_ = 0, life_timer_ = 0;
};

// What an answer that is no success means to the store's callers.
base::Error error_of(const CallEnd& end, Repeat repeat);

}  // namespace keelway::store::etcd
