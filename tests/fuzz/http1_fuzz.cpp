// The HTTP/1.1 parsers: however the bytes are cut, the meaning is the same.
#include <algorithm>

#include "fuzz/input.h"
#include "wire/http1.h"

namespace {

namespace http1 = keelway::wire::http1;

// Small, so that inputs reach them.
constexpr http1::ParserLimits limits{.header_bytes_max = 4096, .target_bytes_max = 256};

struct Reading {
  std::string text;
  bool refused = false;
};

void add(Reading& into, const http1::Head& head) {
  into.text += '\n' + head.method + ' ' + head.target + ' ' + std::to_string(head.status);
  into.text += head.keep_alive ? " keep" : " close";
  into.text += head.content_length ? ' ' + std::to_string(*head.content_length) : " -";
  for (const auto& [name, text] : head.headers) {
    KEELWAY_INVARIANT(
        std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
        "a header's name in upper case");
    KEELWAY_INVARIANT(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                      "a control character in a header's value");
    into.text += '\n' + name + ':' + text;
  }
  into.text += "\n\n";
}

void pull(http1::Parser& parser, Reading& into) {
  while (!into.refused) {
    const http1::Event event = parser.next();
    if (const auto* head = std::get_if<http1::Head>(&event)) {
      add(into, *head);
    } else if (const auto* body = std::get_if<http1::Body>(&event)) {
      into.text += body->bytes;
    } else if (std::holds_alternative<http1::End>(event)) {
      into.text += "\n|";
    } else if (const auto* refused = std::get_if<http1::Refused>(&event)) {
      // Which limit is met first depends on how much has come.
      into.text += "\nrefused";
      KEELWAY_INVARIANT(refused->status >= 400 && refused->status < 600, "a refusal that is none");
      into.refused = true;
    } else {
      return;
    }
  }
}

std::string read(std::unique_ptr<http1::Parser> parser, std::string_view bytes, std::size_t step,
                 bool ends) {
  Reading reading;
  for (std::size_t at = 0; at < bytes.size() && !reading.refused; at += step) {
    parser->feed(bytes.substr(at, step));
    pull(*parser, reading);
  }
  if (ends && !reading.refused) {
    const http1::Event last = parser->end_of_input();
    reading.text += std::holds_alternative<http1::End>(last)       ? "\nend"
                    : std::holds_alternative<http1::Refused>(last) ? "\nrefused"
                                                                   : "\ncut";
  }
  return reading.text;
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::size_t step = 1 + input.byte() % 32;
  const std::string_view bytes = input.rest();
  const std::size_t whole = std::max<std::size_t>(bytes.size(), 1);
  KEELWAY_INVARIANT(read(http1::make_request_parser(limits), bytes, whole, false) ==
                        read(http1::make_request_parser(limits), bytes, step, false),
                    "the cut of a request changes its meaning");
  KEELWAY_INVARIANT(read(http1::make_response_parser(limits), bytes, whole, true) ==
                        read(http1::make_response_parser(limits), bytes, step, true),
                    "the cut of a response changes its meaning");
  return 0;
}
