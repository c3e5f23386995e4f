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
  both.server->respond(stream, {200}, false);
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
  both.server->respond(stream, {200}, false);
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
  both.server->respond(stream, {200}, true);
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

std::string frame(int type, int flags, std::uint32_t stream, const std::string& payload) {
  const auto byte = [](std::uint32_t value, int shift) {
    return static_cast<char>((value >> shift) & 0xff);
  };
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string out = {byte(size, 16), byte(size, 8), byte(size, 0), static_cast<char>(type),
                     static_cast<char>(flags)};
  for (const int shift : {24, 16, 8, 0}) out += byte(stream, shift);
  return out + payload;
}

// How many of `data` a server takes before it ends the session; -1: all of them.
int taken_before_the_end(Session& server, const std::string& data, int most) {
  for (int i = 0; i < most; ++i) {
    if (!server.feed(data, {1})) return i;
    server.take_events();
    server.take_output(1u << 20);
  }
  return -1;
}

TEST(Http2, FramesThatOnlyMakeWorkEndTheSession) {
  const std::string update_by_one = {0, 0, 0, 1};
  const std::string self_dependent = {0, 0, 0, 3, 1};
  const std::string frames[] = {
      frame(0xbe, 0, 0, "unknown"),  frame(4, 0, 0, ""),
      frame(6, 0, 0, "12345678"),    frame(2, 0, 5, self_dependent),
      frame(8, 0, 0, update_by_one), frame(0x10, 0, 0, "unknown"),
  };
  for (const auto& data : frames) {
    Sessions both;
    both.exchange();
    const int taken = taken_before_the_end(*both.server, data, 10'000);
    EXPECT_GE(taken, 0) << static_cast<int>(data[3]);
    EXPECT_LT(taken, 4'000) << static_cast<int>(data[3]);
  }
}

TEST(Http2, ResetsThatThePeerProvokesEndTheSession) {
  Sessions both;
  both.exchange();
  bool gone = false;
  int rounds = 0;
  for (; !gone && rounds < 5'000; ++rounds) {
    const auto stream = both.client->request(kPost, true);
    ASSERT_NE(stream, 0);
    const auto zero_update = frame(8, 0, static_cast<std::uint32_t>(stream), std::string(4, 0));
    gone = !both.server->feed(both.client->take_output(4096) + zero_update, {1});
    both.server->take_events();
    both.client->feed(both.server->take_output(1u << 20), {1});
    for (const auto& event : both.client->take_events()) {
      gone = gone || std::holds_alternative<GoneAway>(event);
    }
  }
  EXPECT_TRUE(gone);
  EXPECT_LT(rounds, 2'000);
}

TEST(Http2, AReaderMayOpenItsWindowAsOftenAsItReads) {
  Sessions both;
  const auto stream = both.client->request(kPost, true);
  both.exchange();
  both.server->respond(stream, {200}, false);
  bool alive = true;
  for (int i = 0; i < 10'000 && alive; ++i) {
    both.server->write(stream, std::string(100, 'x'));
    both.server->take_output(1u << 20);
    const auto update = frame(8, 0, 0, {0, 0, 0, 100});
    const auto of_stream = frame(8, 0, static_cast<std::uint32_t>(stream), {0, 0, 0, 100});
    alive = both.server->feed(update + of_stream, {1});
  }
  EXPECT_TRUE(alive);
}

// Two answers of which one output holds a part; what becomes of the one that is cut.
struct HeldAnswer : testing::Test {
  Sessions both;
  StreamId cut = both.client->request(kPost, true), other = both.client->request(kPost, true);

  void SetUp() override {
    both.exchange();
    for (const StreamId stream : {cut, other}) {
      both.server->respond(stream, {200}, false);
      both.server->write(stream, std::string(60'000, 'x'));
      both.server->end(stream);
    }
    const std::string first = both.server->take_output(4096);
    EXPECT_GT(both.server->pending_bytes(cut), 0u);
    EXPECT_LT(first.size(), 2 * 16'384u + 4096u);  // a frame more than was asked for at most
    both.client->feed(first, {1});
    both.client->take_events();
  }
  void expect_only_the_other_arrives() {
    both.at_client.clear();
    both.exchange();
    EXPECT_EQ(both.server->pending_bytes(), 0u);
    std::size_t ended = 0;
    for (const Event& event : both.at_client) {
      const auto* end = std::get_if<EndReceived>(&event);
      if (end != nullptr) ended += end->stream == other ? 1 : 100;
    }
    EXPECT_EQ(ended, 1u);
  }
};

TEST_F(HeldAnswer, TheClientResetsIt) {
  both.client->reset(cut, Code::cancel);
  expect_only_the_other_arrives();
}

TEST_F(HeldAnswer, TheServerResetsIt) {
  both.server->reset(cut, Code::cancel);
  expect_only_the_other_arrives();
}

TEST_F(HeldAnswer, TheSessionGoes) {
  both.server.reset();
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
