// An HTTP client over runtime's streams: HTTP/1.1, and HTTP/2 where ALPN agrees.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/server.h"

namespace keelway::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  std::vector<Header> headers = {};  // Host and Content-Length are set where absent
  std::string body = {};
  base::Duration timeout = std::chrono::seconds(60);  // of the whole answer; streams: of its head
};

// Streamed form; on_end comes once, with an error where the answer broke off.
struct ResponseEvents {
  std::move_only_function<void(int status, const std::vector<Header>& headers)> on_head;
  std::move_only_function<void(std::string_view bytes)> on_data;
  std::move_only_function<void(std::optional<base::Error>)> on_end;
};

// Cancels its request on destruction.
class PendingRequest {
 public:
  virtual ~PendingRequest() = default;
};

// Connections to one origin, kept and shared; one executor.
class Client {
 public:
  virtual ~Client() = default;
  virtual void request(ClientRequest request,
                       std::move_only_function<void(base::Result<Response>)> done) = 0;
  virtual std::unique_ptr<PendingRequest> stream(ClientRequest request, ResponseEvents events) = 0;
};

std::unique_ptr<Client> make_client(runtime::Runtime& runtime, runtime::Executor& executor,
                                    runtime::Address origin, std::optional<runtime::TlsClient> tls);

}  // namespace keelway::http
