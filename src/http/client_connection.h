// What the client's two kinds of connection share.
#pragma once

#include <memory>

#include "http/client.h"

namespace keelway::http {

// One request on its way. Shared by the client, its connection and posted callbacks; `cancelled`
// silences the last.
struct Job {
  std::uint64_t id = 0;
  ClientRequest request;
  ResponseEvents events;
  bool streamed = false;
  bool cancelled = false;
  bool retried = false;
  std::uint64_t connection = 0;  // 0: it waits
  runtime::TimerId timer = 0;
};
using JobPtr = std::shared_ptr<Job>;

// Implemented by the client; never destroys a connection inside its calls.
class ClientHost {
 public:
  virtual ~ClientHost() = default;
  virtual runtime::Executor& executor() = 0;
  virtual std::string authority() const = 0;
  virtual bool secure() const = 0;
  virtual void on_head(const JobPtr& job, int status, std::vector<Header> headers) = 0;
  virtual void on_data(const JobPtr& job, std::string bytes) = 0;
  virtual void on_end(const JobPtr& job, std::optional<base::Error> error) = 0;
  // The peer did nothing with it: it may be sent again, once.
  virtual void on_unsent(const JobPtr& job) = 0;
  virtual void on_ready() = 0;  // a connection can take a job again
  virtual void forget(std::uint64_t connection) = 0;
};

class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  virtual bool ready() const = 0;
  virtual void begin(const JobPtr& job) = 0;
  virtual void cancel(const JobPtr& job) = 0;
  virtual void take(std::string_view bytes) = 0;
  virtual void drained() = 0;
  virtual void closed(std::optional<base::Error> error) = 0;
};

std::unique_ptr<ClientConnection> make_http1_client(ClientHost& host, std::uint64_t id,
                                                    runtime::Stream& stream);
std::unique_ptr<ClientConnection> make_http2_client(ClientHost& host, std::uint64_t id,
                                                    runtime::Stream& stream);

}  // namespace keelway::http
