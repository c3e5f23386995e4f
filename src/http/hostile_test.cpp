// Peers that are slow, greedy or silent, in the seeded world.
#include <gtest/gtest.h>

#include <deque>

#include "http/server.h"
#include "runtime/testing/rig.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

using namespace std::chrono_literals;
using runtime::testing::VirtualRig;
namespace http2 = wire::http2;

// A client that speaks bytes.
struct Peer {
  std::unique_ptr<runtime::Stream> stream;
  std::string heard;
  bool closed = false;
};

struct Scene : Handler {
  VirtualRig rig;
  Limits limits;
  std::unique_ptr<Server> server;
  std::deque<Peer> peers;
  std::vector<std::shared_ptr<Exchange>> held;
  std::vector<Request> requests;
  std::string answer;  // given at once; empty: the exchange is held
  int count = 0;

  void handle(Request request, std::shared_ptr<Exchange> exchange) override {
    ++count;
    if (!answer.empty()) return exchange->respond({200, {}, answer});
    requests.push_back(std::move(request));
    held.push_back(std::move(exchange));
  }
  Response refusal(const Request&, int status, std::string_view) override {
    return {status, {}, "refused kindly"};
  }

  Scene() { limits.budget = std::make_shared<Budget>(Budget::Bounds{1u << 20, 8u << 20}); }
  ~Scene() override {
    rig.run([&] {
      peers.clear();
      held.clear();
      requests.clear();
      server.reset();
    });
  }
  void open() {
    rig.run([&] {
      server = *serve(rig.runtime(), rig.executor(), {.address = {"127.0.0.1", 0}}, limits, *this);
    });
  }
  Peer& dial() {
    Peer& peer = peers.emplace_back();
    rig.run([&] {
      rig.runtime().network().connect(
          rig.executor(), {"127.0.0.1", server->port()}, {}, 5s, [&](auto made) {
            peer.stream = std::move(*made);
            peer.stream->start({[&](std::string_view bytes) { peer.heard += bytes; },
                                {},
                                [&](std::optional<base::Error>) { peer.closed = true; }});
          });
    });
    EXPECT_TRUE(rig.wait([&] { return peer.stream != nullptr; }));
    return peer;
  }
  void send(Peer& peer, std::string bytes) {
    rig.run([&] { peer.stream->write(std::move(bytes)); });
  }
  bool hears(Peer& peer, std::string_view what) {
    return rig.wait([&] { return peer.heard.find(what) != std::string::npos; });
  }
};

std::string post(std::size_t length) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

TEST(Hostile, ABodyThatDripsIsNotWaitedForForEver) {
  Scene scene;
  scene.open();
  Peer& peer = scene.dial();
  scene.send(peer, post(1000));
  const auto begun = scene.rig.world().now();
  for (int i = 0; i < 20 && !peer.closed; ++i) {
    scene.send(peer, "x");
    scene.rig.world().run_for(10s);
  }
  EXPECT_TRUE(peer.heard.starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(peer.closed);
  EXPECT_GT(scene.rig.world().now() - begun, 60s);
  EXPECT_EQ(scene.count, 0);
  EXPECT_EQ(scene.limits.budget->request_bytes(), 0u);
}

TEST(Hostile, AReaderThatTakesNothingLosesItsConnection) {
  Scene scene;
  scene.answer = std::string(4u << 20, 'x');
  scene.open();
  Peer& slow = scene.dial();
  scene.rig.run([&] { slow.stream->pause_reading(); });
  scene.send(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  scene.rig.world().run_for(30s);
  EXPECT_GT(scene.limits.budget->answer_bytes(), 1u << 20);
  // Somebody else is served meanwhile.
  Peer& other = scene.dial();
  scene.send(other, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(scene.rig.wait([&] { return other.closed; }));
  EXPECT_GT(other.heard.size(), 4u << 20);
  scene.rig.world().run_for(60s);
  EXPECT_EQ(scene.limits.budget->answer_bytes(), 0u);
}

TEST(Hostile, UnderPressureStuckReadersGoFirst) {
  Scene scene;
  scene.answer = std::string(5u << 20, 'x');
  scene.open();
  for (int i = 0; i < 2; ++i) {
    Peer& slow = scene.dial();
    scene.rig.run([&] { slow.stream->pause_reading(); });
    scene.send(slow, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  // 10 of 8 MiB: long before a minute.
  scene.rig.world().run_for(20s);
  EXPECT_EQ(scene.limits.budget->answer_bytes(), 0u);
}

TEST(Hostile, BodiesUnderWayHaveABoundAndGiveItBack) {
  Scene scene;
  scene.open();
  const std::string body(700u << 10, 'b');
  Peer& first = scene.dial();
  scene.send(first, post(body.size()) + body);
  ASSERT_TRUE(scene.rig.wait([&] { return scene.count == 1; }));
  Peer& second = scene.dial();
  scene.send(second, post(body.size()) + body);
  ASSERT_TRUE(scene.hears(second, "refused kindly"));
  EXPECT_TRUE(second.heard.starts_with("HTTP/1.1 429 "));
  scene.rig.run([&] {
    scene.held[0]->respond({200, {}, "done"});
    scene.requests.clear();
  });
  EXPECT_TRUE(scene.hears(first, "done"));
  EXPECT_EQ(scene.limits.budget->request_bytes(), 0u);
  Peer& third = scene.dial();
  scene.send(third, post(body.size()) + body);
  EXPECT_TRUE(scene.rig.wait([&] { return scene.count == 2; }));
}

TEST(Hostile, ExchangesHaveABound) {
  Scene scene;
  scene.limits.exchanges_max = 2;
  scene.open();
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 2; ++i) scene.send(scene.dial(), get);
  ASSERT_TRUE(scene.rig.wait([&] { return scene.count == 2; }));
  Peer& third = scene.dial();
  scene.send(third, get);
  ASSERT_TRUE(scene.hears(third, "refused kindly"));
  EXPECT_TRUE(third.heard.starts_with("HTTP/1.1 429 "));
  scene.rig.run([&] { scene.held[0]->respond({200, {}, "done"}); });
  Peer& fourth = scene.dial();
  scene.send(fourth, get);
  EXPECT_TRUE(scene.rig.wait([&] { return scene.count == 3; }));
}

TEST(Hostile, RefusalsSpeakTheHandlersWords) {
  Scene scene;
  scene.open();
  Peer& peer = scene.dial();
  scene.send(peer, post(4u << 20));
  ASSERT_TRUE(scene.hears(peer, "refused kindly"));
  EXPECT_TRUE(peer.heard.starts_with("HTTP/1.1 413 "));
}

// An HTTP/2 client whose windows stay as they are.
struct Http2Peer {
  Http2Peer(Scene& in, std::int32_t window) : scene(in), peer(in.dial()) {
    http2::Limits limits;
    limits.stream_window_bytes = window;
    limits.connection_window_bytes = 1 << 20;
    session = http2::make_client_session(limits);
  }
  http2::StreamId ask(bool end = true) {
    const auto id = session->request(
        {{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}}, end);
    push();
    return id;
  }
  void push() { scene.send(peer, session->take_output(1u << 20)); }
  // Hears what came, and never opens a window.
  void listen() {
    session->feed(std::exchange(peer.heard, {}), scene.rig.world().now());
    for (auto& event : session->take_events()) {
      if (auto* closed = std::get_if<http2::StreamClosed>(&event)) {
        resets[closed->stream] = closed->code;
      }
      if (auto* head = std::get_if<http2::HeadReceived>(&event)) {
        statuses[head->stream] = head->headers.at(0).second;
      }
    }
  }
  Scene& scene;
  Peer& peer;
  std::unique_ptr<http2::Session> session;
  std::map<http2::StreamId, http2::Code> resets;
  std::map<http2::StreamId, std::string> statuses;
};

TEST(Hostile, AStreamWithoutAWindowIsReset) {
  Scene scene;
  scene.answer = std::string(100'000, 'x');
  scene.open();
  Http2Peer client(scene, 0);
  const auto id = client.ask();
  scene.rig.world().run_for(50s);
  client.listen();
  EXPECT_EQ(client.statuses[id], "200");
  EXPECT_TRUE(client.resets.empty());
  scene.rig.world().run_for(30s);
  client.listen();
  EXPECT_EQ(client.resets[id], http2::Code::cancel);
  EXPECT_EQ(scene.limits.budget->answer_bytes(), 0u);
}

TEST(Hostile, RequestsWaitWhileTooMuchIsUnsent) {
  Scene scene;
  scene.answer = std::string(600'000, 'x');
  scene.limits.unsent_bytes_max = 1u << 20;
  scene.open();
  Http2Peer client(scene, 0);
  for (int i = 0; i < 20; ++i) client.ask();
  scene.rig.world().run_for(10s);
  EXPECT_EQ(scene.count, 2);
  // What waits has its turn when the others are given up.
  scene.rig.world().run_for(120s);
  EXPECT_GT(scene.count, 2);
}

TEST(Hostile, AnHttp2RequestThatIsNeverWholeIsRefused) {
  Scene scene;
  scene.open();
  Http2Peer client(scene, 65'535);
  const auto id = client.ask(false);
  scene.rig.world().run_for(50s);
  client.listen();
  EXPECT_TRUE(client.statuses.empty());
  scene.rig.world().run_for(20s);
  client.listen();
  EXPECT_EQ(client.statuses[id], "408");
  EXPECT_EQ(scene.count, 0);
}

}  // namespace
}  // namespace keelway::http
