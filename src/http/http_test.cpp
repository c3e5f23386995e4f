// Server and client against each other: over the seeded world, and over real sockets with TLS.
#include <gtest/gtest.h>

#include <algorithm>

#include "http/client.h"
#include "http/hand_over.h"
#include "runtime/testing/certificates.h"
#include "runtime/testing/rig.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

using namespace std::chrono_literals;
using runtime::testing::Identity;
using runtime::testing::LinuxRig;
using runtime::testing::make_identity;
using runtime::testing::VirtualRig;

struct TestHandler : Handler {
  std::function<void(Request, std::shared_ptr<Exchange>)> act;
  int count = 0;
  void handle(Request request, std::shared_ptr<Exchange> exchange) override {
    ++count;
    act(std::move(request), std::move(exchange));
  }
};

void echo(Request request, std::shared_ptr<Exchange> exchange) {
  Response response{200, {{"content-type", "text/plain"}}, request.method + ' ' + request.target};
  if (!request.body.empty()) response.body += ' ' + request.body;
  response.headers.emplace_back("x-http2", request.http2 ? "yes" : "no");
  exchange->respond(std::move(response));
}

enum class Form { plain, http1_tls, http2_tls };

struct StreamEar {
  int status = 0;
  std::string heard;
  bool ended = false;
  std::optional<base::Error> error;
  ResponseEvents events() {
    return {[this](int s, const std::vector<Header>&) { status = s; },
            [this](std::string_view bytes) { heard += bytes; },
            [this](std::optional<base::Error> e) {
              ended = true;
              error = std::move(e);
            }};
  }
};

// Server, client and handler on one rig; the server on an executor of its own where `apart`.
template <class R, bool apart = false>
struct Scene {
  R rig;
  std::unique_ptr<runtime::Executor> front;  // null: the rig's
  Identity authority = make_identity("ca", nullptr);
  Identity id = make_identity("server", &authority, "DNS:localhost,IP:127.0.0.1");
  TestHandler handler;
  Limits limits;
  std::unique_ptr<HandOver> hand_over;
  std::unique_ptr<Server> server;
  std::unique_ptr<Client> client;

  void on_server(std::function<void()> task) {
    if (!front) return rig.run(std::move(task));
    bool ran = false;
    front->post([&] {
      task();
      rig.executor().post([&] { ran = true; });
    });
    ASSERT_TRUE(rig.wait([&] { return ran; }));
  }

  void open(Form form) {
    if (!handler.act) handler.act = echo;
    if (apart) {
      front = rig.runtime().make_executor("front", runtime::Lane::connections);
      hand_over = std::make_unique<HandOver>(*front, rig.executor(), handler);
    }
    on_server([&] {
      runtime::ListenOptions listen{.address = {"127.0.0.1", 0}};
      listen.tls_mode = form == Form::plain ? runtime::TlsMode::plain : runtime::TlsMode::detect;
      listen.tls = {id.certificate_pem, id.key_pem, ""};
      Handler& first = hand_over ? static_cast<Handler&>(*hand_over) : handler;
      server = *serve(rig.runtime(), front ? *front : rig.executor(), listen, limits, first);
    });
    rig.run([&] {
      std::optional<runtime::TlsClient> tls;
      if (form != Form::plain) {
        tls.emplace();
        tls->ca_pem = authority.certificate_pem;
        if (form == Form::http1_tls) tls->alpn = {"http/1.1"};
      }
      client = make_client(rig.runtime(), rig.executor(), {"127.0.0.1", server->port()}, tls);
    });
  }
  ~Scene() {
    rig.run([&] { client.reset(); });
    on_server([&] { server.reset(); });
    hand_over.reset();
  }

  void drain(bool& drained) {
    on_server([&] { server->drain([&] { rig.executor().post([&] { drained = true; }); }); });
  }

  // A client that goes once it has the head of a streamed answer.
  void come_and_go(StreamEar& ear) {
    std::unique_ptr<PendingRequest> pending;
    rig.run([&] { pending = client->stream({}, ear.events()); });
    ASSERT_TRUE(rig.wait([&] { return ear.status == 200; }));
    rig.run([&] { pending.reset(); });
  }

  base::Result<Response> ask(ClientRequest request) {
    std::optional<base::Result<Response>> answer;
    rig.run([&] {
      client->request(std::move(request),
                      [&](base::Result<Response> got) { answer = std::move(got); });
    });
    if (!rig.wait([&] { return answer.has_value(); })) {
      return base::fail(base::ErrorCode::internal, "no answer came");
    }
    return std::move(*answer);
  }
};

std::string header_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

template <class T>
class HttpPair : public ::testing::Test {};
template <class R, Form f, bool apart = false>
struct Setup {
  using Stage = Scene<R, apart>;
  static constexpr Form form = f;
};
using Setups =
    ::testing::Types<Setup<VirtualRig, Form::plain>, Setup<VirtualRig, Form::http2_tls>,
                     Setup<LinuxRig, Form::plain>, Setup<LinuxRig, Form::http1_tls>,
                     Setup<LinuxRig, Form::http2_tls>, Setup<VirtualRig, Form::plain, true>,
                     Setup<VirtualRig, Form::http2_tls, true>,
                     Setup<LinuxRig, Form::http1_tls, true>,
                     Setup<LinuxRig, Form::http2_tls, true>>;
TYPED_TEST_SUITE(HttpPair, Setups);

TYPED_TEST(HttpPair, ConstantHeadersComeOnceBesideTheOthers) {
  typename TypeParam::Stage scene;
  static const std::vector<Header> constant = {{"cache-control", "no-cache, private"},
                                               {"x-constant", "yes"}};
  scene.handler.act = [](Request request, std::shared_ptr<Exchange> exchange) {
    Response response{request.target == "/304" ? 304 : 200, {{"x-own", "too"}}, "body"};
    response.constant = constant;
    exchange->respond(std::move(response));
  };
  scene.open(TypeParam::form);
  for (const char* method : {"GET", "HEAD", "GET"}) {
    for (const char* target : {"/", "/304"}) {
      const auto answer = scene.ask({.method = method, .target = target});
      ASSERT_TRUE(answer) << answer.error().message;
      for (const char* name : {"cache-control", "x-constant", "x-own", "date"}) {
        EXPECT_EQ(std::count_if(answer->headers.begin(), answer->headers.end(),
                                [name](const Header& header) { return header.first == name; }),
                  1)
            << method << ' ' << target << ' ' << name;
      }
      EXPECT_EQ(header_of(*answer, "cache-control"), "no-cache, private");
    }
  }
}

TYPED_TEST(HttpPair, AnswersOnKeptConnections) {
  typename TypeParam::Stage scene;
  scene.open(TypeParam::form);
  for (int i = 0; i < 5; ++i) {
    const auto answer = scene.ask({.method = "POST", .target = "/a?b=c", .body = "hello"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "POST /a?b=c hello");
    EXPECT_EQ(header_of(*answer, "x-http2"), TypeParam::form == Form::http2_tls ? "yes" : "no");
    EXPECT_TRUE(header_of(*answer, "date").ends_with(" GMT"));
  }
  const auto head = scene.ask({.method = "HEAD"});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->body, "");
  EXPECT_EQ(header_of(*head, "content-length"), "6");
}

TYPED_TEST(HttpPair, BigBodiesBothWays) {
  typename TypeParam::Stage scene;
  scene.handler.act = [](Request request, std::shared_ptr<Exchange> exchange) {
    exchange->respond({200, {}, request.body + std::string(20u << 20, 'x')});
  };
  scene.open(TypeParam::form);
  const auto answer = scene.ask({.method = "PUT", .body = std::string(3u << 20, 'y')});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.size(), 23u << 20);
}

TYPED_TEST(HttpPair, ManyAtOnce) {
  typename TypeParam::Stage scene;
  scene.open(TypeParam::form);
  int answered = 0;
  scene.rig.run([&] {
    for (int i = 0; i < 300; ++i) {
      scene.client->request({.target = "/" + std::to_string(i)},
                            [&, i](base::Result<Response> got) {
                              ASSERT_TRUE(got) << got.error().message;
                              EXPECT_EQ(got->body, "GET /" + std::to_string(i));
                              ++answered;
                            });
    }
    EXPECT_EQ(answered, 0);
  });
  EXPECT_TRUE(scene.rig.wait([&] { return answered == 300; }));
}

TYPED_TEST(HttpPair, TooLargeIsSaid) {
  typename TypeParam::Stage scene;
  scene.limits.body_bytes_max = 1000;
  scene.limits.target_bytes_max = 500;
  scene.limits.header_bytes_max = 4000;
  scene.open(TypeParam::form);
  const auto body = scene.ask({.method = "POST", .body = std::string(1001, 'x')});
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->status, 413);
  const auto target = scene.ask({.target = '/' + std::string(1000, 'x')});
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->status, 414);
  const auto header = scene.ask({.headers = {{"x-big", std::string(5000, 'x')}}});
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->status, 431);
  EXPECT_EQ(scene.handler.count, 0);
  EXPECT_EQ(scene.ask({})->status, 200);
}

TYPED_TEST(HttpPair, StreamsArriveAsTheyAreWritten) {
  typename TypeParam::Stage scene;
  std::shared_ptr<Exchange> held;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->start(200, {{"content-type", "application/json"}});
    held = std::move(exchange);
  };
  scene.open(TypeParam::form);
  StreamEar ear;
  std::unique_ptr<PendingRequest> pending;
  scene.rig.run([&] { pending = scene.client->stream({.target = "/watch"}, ear.events()); });
  ASSERT_TRUE(scene.rig.wait([&] { return ear.status == 200; }));
  scene.rig.run([&] { held->write("one\n"); });
  ASSERT_TRUE(scene.rig.wait([&] { return ear.heard == "one\n"; }));
  scene.rig.run([&] {
    held->write("two\n");
    held->finish();
    held.reset();
  });
  ASSERT_TRUE(scene.rig.wait([&] { return ear.ended; }));
  EXPECT_EQ(ear.heard, "one\ntwo\n");
  EXPECT_FALSE(ear.error);
  scene.rig.run([&] { pending.reset(); });
}

TYPED_TEST(HttpPair, AnAbortedStreamIsNotWhole) {
  typename TypeParam::Stage scene;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->start(200, {});
    exchange->write("part");
    exchange->on_drained([exchange] { exchange->abort(); });
  };
  scene.open(TypeParam::form);
  StreamEar ear;
  std::unique_ptr<PendingRequest> pending;
  scene.rig.run([&] { pending = scene.client->stream({}, ear.events()); });
  ASSERT_TRUE(scene.rig.wait([&] { return ear.ended; }));
  EXPECT_TRUE(ear.error);
  scene.rig.run([&] { pending.reset(); });
}

TYPED_TEST(HttpPair, TheHandlerHearsThatTheClientWent) {
  typename TypeParam::Stage scene;
  std::shared_ptr<Exchange> held;
  bool gone = false;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->start(200, {});
    exchange->on_gone([&] {
      gone = true;
      held.reset();
    });
    held = std::move(exchange);
  };
  scene.open(TypeParam::form);
  StreamEar ear;
  ASSERT_NO_FATAL_FAILURE(scene.come_and_go(ear));
  EXPECT_TRUE(scene.rig.wait([&] { return gone; }));
  EXPECT_FALSE(ear.ended);
}

// What waits to go on writing owns the exchange alone, as a long list's stream does.
TYPED_TEST(HttpPair, AClientThatGoesIsHeardByWhatOwnsItsExchange) {
  typename TypeParam::Stage scene;
  bool gone = false;
  std::weak_ptr<bool> of_callback;  // lives as long as what on_gone() was given
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->start(200, {});
    auto own = std::make_shared<bool>();
    of_callback = own;
    exchange->on_gone([&, own = std::move(own)] { gone = !of_callback.expired(); });
    Exchange& raw = *exchange;
    raw.on_drained([&raw, exchange = std::move(exchange)] { raw.write("more"); });
  };
  scene.open(TypeParam::form);
  StreamEar ear;
  ASSERT_NO_FATAL_FAILURE(scene.come_and_go(ear));
  EXPECT_TRUE(scene.rig.wait([&] { return gone; }));
}

TYPED_TEST(HttpPair, BackpressureReachesTheHandler) {
  typename TypeParam::Stage scene;
  std::size_t written = 0, most_pending = 0;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->start(200, {});
    auto more = [&, raw = exchange.get()] {
      while (written < (16u << 20) && raw->pending_bytes() < (256u << 10)) {
        raw->write(std::string(64u << 10, 'x'));
        written += 64u << 10;
      }
      most_pending = std::max(most_pending, raw->pending_bytes());
      if (written >= (16u << 20)) raw->finish();
    };
    exchange->on_drained([more, exchange]() mutable { more(); });
    more();
  };
  scene.open(TypeParam::form);
  const auto answer = scene.ask({});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.size(), 16u << 20);
  EXPECT_LT(most_pending, 1u << 20);
}

TYPED_TEST(HttpPair, AForgottenExchangeAnswers500) {
  typename TypeParam::Stage scene;
  scene.handler.act = [](Request, std::shared_ptr<Exchange>) {};
  scene.open(TypeParam::form);
  const auto answer = scene.ask({});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 500);
}

TYPED_TEST(HttpPair, DrainDoesNotWaitForEver) {
  typename TypeParam::Stage scene;
  std::shared_ptr<Exchange> held;
  scene.limits.drain_timeout = std::chrono::milliseconds(20);
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    held = std::move(exchange);
  };
  scene.open(TypeParam::form);
  scene.rig.run([&] { scene.client->request({}, [](base::Result<Response>) {}); });
  ASSERT_TRUE(scene.rig.wait([&] { return held != nullptr; }));
  bool drained = false;
  scene.drain(drained);
  EXPECT_TRUE(scene.rig.wait([&] { return drained; }));
  scene.rig.run([&] { held.reset(); });
}

TYPED_TEST(HttpPair, DrainWaitsForTheLastAnswer) {
  typename TypeParam::Stage scene;
  std::shared_ptr<Exchange> held;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    held = std::move(exchange);
  };
  scene.open(TypeParam::form);
  bool drained = false;
  std::optional<base::Result<Response>> answer;
  scene.rig.run([&] {
    scene.client->request({}, [&](base::Result<Response> got) { answer = std::move(got); });
  });
  ASSERT_TRUE(scene.rig.wait([&] { return held != nullptr; }));
  bool replaced = false;
  scene.drain(replaced);
  scene.drain(drained);
  scene.rig.run([] {});
  EXPECT_FALSE(drained);
  scene.rig.run([&] {
    held->respond({200, {}, "last"});
    held.reset();
  });
  EXPECT_TRUE(scene.rig.wait([&] { return drained && answer; }));
  EXPECT_FALSE(replaced);
  drained = false;
  scene.drain(drained);
  EXPECT_TRUE(scene.rig.wait([&] { return drained; })) << "long after the last answer";
  ASSERT_TRUE(*answer) << answer->error().message;
  EXPECT_EQ((*answer)->body, "last");
  EXPECT_FALSE(scene.ask({.timeout = 2s}));
}

TYPED_TEST(HttpPair, ClientTimeoutsFire) {
  typename TypeParam::Stage scene;
  std::shared_ptr<Exchange> held;
  scene.handler.act = [&](Request, std::shared_ptr<Exchange> exchange) {
    held = std::move(exchange);
  };
  scene.open(TypeParam::form);
  const auto answer = scene.ask({.timeout = 50ms});
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("timed out"), std::string::npos);
  scene.rig.run([&] { held.reset(); });
}

// A client that speaks bytes.
struct RawTest : ::testing::Test {
  Scene<VirtualRig> scene;
  std::unique_ptr<runtime::Stream> stream;
  std::string heard;
  bool closed = false;

  void dial() {
    scene.open(Form::plain);
    scene.rig.run([&] {
      scene.rig.runtime().network().connect(
          scene.rig.executor(), {"127.0.0.1", scene.server->port()}, {}, 5s, [&](auto made) {
            stream = std::move(*made);
            stream->start({[&](std::string_view bytes) { heard += bytes; },
                           {},
                           [&](std::optional<base::Error>) { closed = true; }});
          });
    });
    ASSERT_TRUE(scene.rig.wait([&] { return stream != nullptr; }));
  }
  void send(std::string bytes) {
    scene.rig.run([&] { stream->write(bytes); });
  }
  bool hears(std::string_view what) {
    return scene.rig.wait([&] { return heard.find(what) != std::string::npos; });
  }
  ~RawTest() override { stream.reset(); }
};

TEST_F(RawTest, PipelinedRequestsAreAnsweredInOrder) {
  dial();
  send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(scene.rig.wait([&] { return closed; }));
  const auto one = heard.find("GET /1"), two = heard.find("GET /2"), three = heard.find("GET /3");
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_NE(three, std::string::npos);
}

TEST_F(RawTest, ExpectContinueIsAnsweredFirst) {
  dial();
  send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(hears("HTTP/1.1 100 Continue\r\n\r\n"));
  send("ok");
  EXPECT_TRUE(hears("POST / ok"));
}

TEST_F(RawTest, SmugglingIsRefusedAndTheConnectionCloses) {
  dial();
  send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(scene.rig.wait([&] { return closed; }));
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_EQ(scene.handler.count, 0);
}

TEST_F(RawTest, ASlowRequestTimesOut) {
  dial();
  const auto begun = scene.rig.world().now();
  send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(hears("HTTP/1.1 408 "));
  EXPECT_GE(scene.rig.world().now() - begun, 31s);
  EXPECT_LT(scene.rig.world().now() - begun, 40s);
}

TEST_F(RawTest, SilentAndIdleConnectionsAreClosed) {
  dial();
  send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(hears("GET /"));
  const auto begun = scene.rig.world().now();
  ASSERT_TRUE(scene.rig.wait([&] { return closed; }));
  EXPECT_GE(scene.rig.world().now() - begun, 179s);
}

TEST_F(RawTest, Http2ByPriorKnowledge) {
  dial();
  auto session = wire::http2::make_client_session({});
  const auto id = session->request(
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/pk"}}, true);
  EXPECT_GT(id, 0);
  for (const char c : session->take_output(1u << 20)) send(std::string(1, c));
  std::string body;
  EXPECT_TRUE(scene.rig.wait([&] {
    session->feed(std::exchange(heard, {}), scene.rig.world().now());
    for (auto& event : session->take_events()) {
      if (auto* data = std::get_if<wire::http2::DataReceived>(&event)) body += data->bytes;
    }
    return body == "GET /pk";
  }));
}

TEST(HttpWorld, ADeadServerIsHeardByTheClient) {
  auto world = runtime::make_world(9);
  auto a = world->make_host("a");
  auto b = world->make_host("b");
  auto on_a = a->runtime().make_executor("a");
  auto on_b = b->runtime().make_executor("b");
  TestHandler handler;
  std::shared_ptr<Exchange> held;
  handler.act = [&](Request, std::shared_ptr<Exchange> exchange) { held = std::move(exchange); };
  std::unique_ptr<Server> server;
  std::unique_ptr<Client> client;
  std::optional<base::Result<Response>> answer;
  on_a->post([&] {
    server = *serve(a->runtime(), *on_a, {.address = {"0.0.0.0", 80}}, {}, handler);
    on_b->post([&] {
      client = make_client(b->runtime(), *on_b, {"a", 80}, {});
      client->request({}, [&](base::Result<Response> got) { answer = std::move(got); });
    });
  });
  ASSERT_TRUE(world->run_while_waiting([&] { return held != nullptr; }));
  a->kill();
  ASSERT_TRUE(world->run_while_waiting([&] { return answer.has_value(); }));
  EXPECT_FALSE(*answer);
  held.reset();
  server.reset();
  client.reset();
}

}  // namespace
}  // namespace keelway::http
