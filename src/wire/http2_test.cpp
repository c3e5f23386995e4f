#include "wire/http2.h"

#include <gtest/gtest.h>

namespace keelway::wire::http2 {
namespace {

struct Sessions {
  std::unique_ptr<Session> server = make_server_session({});
  std::unique_ptr<Session> client = make_client_session({});
  std::vector<Event> at_server, at_client;

  void exchange() {
    bool moved = true;
    while (moved) {
      moved = carry(*client, *server, at_server);
      moved |= carry(*server, *client, at_client);
    }
  }
  static bool carry(Session& from, Session& to, std::vector<Event>& events) {
    const auto bytes = from.take_output(4096);
    if (!bytes.empty()) to.feed(bytes, {1});
    for (auto& event : to.take_events()) events.push_back(std::move(event));
    return !bytes.empty();
  }
};

std::string data_of(const std::vector<Event>& events) {
  std::string all;
  for (const auto& event : events) {
    if (const auto* data = std::get_if<DataReceived>(&event)) all += data->bytes;
  }
  return all;
}

template <class T>
int count_of(const std::vector<Event>& events) {
  return static_cast<int>(std::count_if(events.begin(), events.end(), [](const Event& event) {
    return std::holds_alternative<T>(event);
  }));
}

const std::vector<Header> kPost{
    {":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/a"}};

TEST(Http2, ARequestAndItsAnswer) {
  Sessions both;
  const auto stream = both.client->request(kPost, false);
  const std::string body(3u << 20, 'b');
  both.client->write(stream, body);
  both.client->end(stream);
  both.exchange();
  EXPECT_EQ(data_of(both.at_server), body);
  EXPECT_EQ(count_of<EndReceived>(both.at_server), 1);
  const auto* head = std::get_if<HeadReceived>(&both.at_server.front());
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->headers, kPost);
  both.server->respond(stream, {{":status", "200"}}, false);
  both.server->write(stream, "part one, ");
  both.exchange();
  EXPECT_EQ(data_of(both.at_client), "part one, ");
  both.server->write(stream, "part two");
  both.server->end(stream);
  both.exchange();
  EXPECT_EQ(data_of(both.at_client), "part one, part two");
  EXPECT_EQ(count_of<StreamClosed>(both.at_client), 1);
  EXPECT_EQ(count_of<StreamClosed>(both.at_server), 1);
}

TEST(Http2, AResetReachesTheOtherSide) {
  Sessions both;
  const auto stream = both.client->request(kPost, true);
  both.exchange();
  both.server->respond(stream, {{":status", "200"}}, false);
  both.exchange();
  both.client->reset(stream, Code::cancel);
  both.exchange();
  ASSERT_EQ(count_of<StreamClosed>(both.at_server), 1);
  for (const auto& event : both.at_server) {
    if (const auto* closed = std::get_if<StreamClosed>(&event)) {
      EXPECT_EQ(closed->code, Code::cancel);
    }
  }
}

TEST(Http2, GoAwayLetsOpenStreamsEnd) {
  Sessions both;
  const auto stream = both.client->request(kPost, true);
  both.exchange();
  both.server->go_away();
  both.exchange();
  EXPECT_EQ(count_of<GoneAway>(both.at_client), 1);
  EXPECT_EQ(both.client->request(kPost, true), 0);
  both.server->respond(stream, {{":status", "200"}}, true);
  both.exchange();
  EXPECT_EQ(count_of<StreamClosed>(both.at_client), 1);
  EXPECT_TRUE(both.server->finished());
}

TEST(Http2, RapidResetsEndTheSession) {
  Sessions both;
  both.exchange();
  bool alive = true;
  int rounds = 0;
  for (; alive && rounds < 5000; ++rounds) {
    const auto stream = both.client->request(kPost, true);
    if (stream == 0) break;
    const auto head = both.client->take_output(4096);
    both.client->reset(stream, Code::cancel);
    alive = both.server->feed(head + both.client->take_output(4096), {1});
    both.server->take_events();
    both.server->take_output(1u << 20);
  }
  EXPECT_FALSE(alive);
  EXPECT_LT(rounds, 2000);
}

TEST(Http2, GarbageEndsTheSession) {
  auto server = make_server_session({});
  EXPECT_FALSE(server->feed("GET / HTTP/1.1\r\nHost: x\r\n\r\nxxxxxxxx", {1}));
}

TEST(Http2, HeadersAboveTheLimitAreTold) {
  Sessions both;
  both.server = make_server_session({.header_bytes_max = 1000});
  auto headers = kPost;
  headers.emplace_back("x-big", std::string(5000, 'a'));
  both.client->request(headers, true);
  both.exchange();
  const auto* head = std::get_if<HeadReceived>(&both.at_server.front());
  ASSERT_NE(head, nullptr);
  EXPECT_TRUE(head->too_large);
}

}  // namespace
}  // namespace keelway::wire::http2
