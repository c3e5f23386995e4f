#include "wire/http1.h"

#include <gtest/gtest.h>

namespace keelway::wire::http1 {
namespace {

// Everything that the parser finds, in one line a reader can compare.
std::string pull(Parser& parser) {
  std::string seen;
  while (true) {
    Event event = parser.next();
    if (const auto* head = std::get_if<Head>(&event)) {
      seen += head->status != 0 ? std::to_string(head->status) : head->method + ' ' + head->target;
      seen += head->keep_alive ? " keep;" : " close;";
    } else if (const auto* body = std::get_if<Body>(&event)) {
      seen += body->bytes;
    } else if (std::holds_alternative<End>(event)) {
      seen += '|';
    } else if (const auto* refused = std::get_if<Refused>(&event)) {
      return seen + "refused " + std::to_string(refused->status);
    } else {
      return seen;
    }
  }
}

std::string parse_request(std::string_view bytes, ParserLimits limits = {}) {
  auto parser = make_request_parser(limits);
  parser->feed(bytes);
  const auto whole = pull(*parser);
  // However the bytes are cut, the meaning is the same.
  auto slow = make_request_parser(limits);
  std::string seen;
  for (const char c : bytes) {
    slow->feed({&c, 1});
    seen += pull(*slow);
    if (seen.find("refused") != std::string::npos) break;
  }
  EXPECT_EQ(seen, whole);
  return whole;
}

TEST(Http1Request, Plain) {
  EXPECT_EQ(parse_request("GET /a?b=%20 HTTP/1.1\r\nHost: x\r\n\r\n"), "GET /a?b=%20 keep;|");
  EXPECT_EQ(parse_request("GET / HTTP/1.0\r\n\r\n"), "GET / close;|");
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "GET / close;|");
}

TEST(Http1Request, EmptyLinesBeforeItAreSkippedAtOnce) {
  EXPECT_EQ(parse_request("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), "GET / keep;|");
  auto parser = make_request_parser({});
  std::string lines;
  for (int i = 0; i < 500'000; ++i) lines += "\r\n";
  parser->feed(lines);  // line by line this would move a terabyte
  parser->feed("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(pull(*parser), "GET / keep;|");
}

TEST(Http1Request, BodiesAndPipelines) {
  EXPECT_EQ(parse_request("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                          "PUT /two HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
                          "GET /three HTTP/1.1\r\nHost: x\r\n\r\n"),
            "POST / keep;hello|PUT /two keep;abcde|GET /three keep;|");
}

TEST(Http1Request, LastChunkMayComeInPieces) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse_request(start + "0\r\n\r\n"), "POST / keep;|");
  EXPECT_EQ(parse_request(start + "0;a=b\r\nT: 1\r\n\r\n"), "POST / keep;|");
  EXPECT_EQ(parse_request(start + "1\r\nx\r\n0\r\n\r\n" + start + "0\r\n\r\n"),
            "POST / keep;x|POST / keep;|");
  EXPECT_EQ(parse_request(start + "0\r\nx"), "POST / keep;");
}

TEST(Http1Request, StartLineMustBeWhole) {
  EXPECT_EQ(parse_request("G\r\n\r\n"), "refused 400");
  EXPECT_EQ(parse_request("GET /\r\n\r\n"), "refused 400");
}

TEST(Http1Request, AmbiguousShapesAreRefused) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string_view rest : {
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
           "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
           "Content-Length: 5, 5\r\n\r\n",
           "Content-Length: +5\r\n\r\n",
           "Content-Length: 99999999999999999999\r\n\r\n",
           "Transfer-Encoding: chunked, chunked\r\n\r\n",
           "Transfer-Encoding: identity\r\n\r\n",
           "A: b\r\n folded\r\n\r\n",
           "A : b\r\n\r\n",
           "Host: y\r\n\r\n",
           ": b\r\n\r\n",
           "nocolon\r\n\r\n",
           "A: b\nC: d\r\n\r\n",
           "A: b\rC: d\r\n\r\n",
       }) {
    auto parser = make_request_parser({});
    parser->feed(start + std::string(rest));
    EXPECT_EQ(pull(*parser), "refused 400") << rest;
  }
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\n\r\n"), "refused 400");  // no Host
  EXPECT_EQ(parse_request("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "refused 400");
}

TEST(Http1Request, BadChunksAreRefused) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse_request(start + "zz\r\n"), "POST / keep;refused 400");
  EXPECT_EQ(parse_request(start + "-1\r\n"), "POST / keep;refused 400");
  EXPECT_NE(parse_request(start + "3\r\nabcdef\r\n").find("refused 400"), std::string::npos);
}

TEST(Http1Request, ChunkExtensionsAreBoundedByWhatTheyExtend) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto chunks = [](int count, std::size_t extension, std::size_t data) {
    std::string all;
    for (int i = 0; i < count; ++i) {
      all += std::string(data == 1 ? "1" : "1000") + ";" + std::string(extension, 'e') + "\r\n" +
             std::string(data, 'x') + "\r\n";
    }
    return all + "0\r\n\r\n";
  };
  for (const auto& [count, extension, data] :
       {std::tuple(5'000, 10u, 1u), std::tuple(1, 16'000u, 1u), std::tuple(100, 8'000u, 4096u)}) {
    const std::string body(static_cast<std::size_t>(count) * data, 'x');
    EXPECT_EQ(parse_request(start + chunks(count, extension, data)), "POST / keep;" + body + "|");
  }
  EXPECT_NE(parse_request(start + chunks(20, 1'000, 1)).find("refused 400"), std::string::npos);
  EXPECT_NE(parse_request(start + chunks(1, 17'000, 1)).find("refused 400"), std::string::npos);
}

TEST(Http1Request, Limits) {
  const ParserLimits limits{.header_bytes_max = 500, .target_bytes_max = 100};
  EXPECT_EQ(parse_request("GET /" + std::string(200, 'a'), limits), "refused 414");
  EXPECT_EQ(parse_request("GET / HTTP/1.1\r\nA: " + std::string(600, 'a'), limits), "refused 431");
}

TEST(Http1Response, BodiesEndAsTheirHeadSays) {
  auto parser = make_response_parser({});
  parser->feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(pull(*parser), "100 keep;|200 keep;ok|");
  parser->expect_no_body();
  parser->feed("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n");
  EXPECT_EQ(pull(*parser), "200 keep;|");
  parser->feed("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end");
  EXPECT_EQ(pull(*parser), "204 keep;|200 close;until the end");
  EXPECT_TRUE(std::holds_alternative<End>(parser->end_of_input()));
}

TEST(Http1Response, ABrokenBodyIsRefused) {
  auto parser = make_response_parser({});
  parser->feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(pull(*parser), "200 keep;abc");
  EXPECT_TRUE(std::holds_alternative<Refused>(parser->end_of_input()));
}

TEST(Http1Writer, HeadersCannotBeInjected) {
  EXPECT_EQ(write_response_head(404, {{"a", "b\r\nset-cookie: x"}}),
            "HTTP/1.1 404 Not Found\r\na: b  set-cookie: x\r\n\r\n");
  EXPECT_EQ(write_chunk(std::string(26, 'x')), "1a\r\n" + std::string(26, 'x') + "\r\n");
}

}  // namespace
}  // namespace keelway::wire::http1
