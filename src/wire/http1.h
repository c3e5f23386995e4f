// HTTP/1.1 as two parsers and a few writers. Feed bytes, then pull events until NeedMore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace keelway::wire::http1 {

using Header = std::pair<std::string, std::string>;  // names lower-case

struct Head {
  std::string method, target;  // of requests
  int status = 0;              // of responses
  std::vector<Header> headers;
  bool keep_alive = false;
  bool expect_continue = false;
  bool http_1_0 = false;
  std::optional<std::uint64_t> content_length;  // absent: chunked, until the end, or no body
};
struct NeedMore {};
struct Body {
  std::string bytes;
};
struct End {};  // of this message; the next one may follow
// What is wrong and the status that says so. The parser is finished.
struct Refused {
  int status = 400;
  std::string message;
};
using Event = std::variant<NeedMore, Head, Body, End, Refused>;

struct ParserLimits {
  std::size_t header_bytes_max = 1u << 20;   // 431
  std::size_t target_bytes_max = 64u << 10;  // 414
};

class Parser {
 public:
  virtual ~Parser() = default;
  virtual void feed(std::string_view bytes) = 0;
  virtual Event next() = 0;
  virtual std::size_t buffered() const = 0;  // bytes that wait to be parsed
  // Responses: the request was HEAD, so no body follows. Before the head is parsed.
  virtual void expect_no_body() = 0;
  // Responses: the connection ended. End where that completes a body, else Refused or NeedMore
  // (nothing was under way).
  virtual Event end_of_input() = 0;
};
std::unique_ptr<Parser> make_request_parser(ParserLimits limits);
std::unique_ptr<Parser> make_response_parser(ParserLimits limits);

std::string_view reason_phrase(int status);
// Status or request line and headers with the empty line. CR, LF and NUL in values become spaces.
std::string write_response_head(int status, const std::vector<Header>& headers);
std::string write_request_head(std::string_view method, std::string_view target,
                               const std::vector<Header>& headers);
std::string write_chunk(std::string_view bytes);  // not empty
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
// Whether a message of this status may carry a body at all.
inline bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace keelway::wire::http1
