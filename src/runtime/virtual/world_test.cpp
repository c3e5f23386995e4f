#include "runtime/virtual/world.h"

#include <gtest/gtest.h>

#include "runtime/testing/certificates.h"

namespace keelway::runtime {
namespace {

using namespace std::chrono_literals;

struct History {
  std::string order;
  std::uint64_t hash = 0;
};

History play(std::uint64_t seed) {
  History history;
  auto world = make_world(seed);
  auto host = world->make_host("a");
  std::vector<std::unique_ptr<Executor>> executors;
  for (char name = 'a'; name < 'k'; ++name) {
    executors.push_back(host->runtime().make_executor(std::string(1, name)));
    executors.back()->post([&history, name] { history.order += name; });
  }
  world->run_for(1s);
  history.hash = world->trace_hash();
  return history;
}

TEST(World, OneSeedIsOneHistory) {
  EXPECT_EQ(play(5).order, play(5).order);
  EXPECT_EQ(play(5).hash, play(5).hash);
}

TEST(World, SeedsDifferInOrder) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) orders.insert(play(seed).order);
  EXPECT_GT(orders.size(), 10u);
}

TEST(World, TimeMovesOnlyBetweenEvents) {
  auto world = make_world(1);
  auto host = world->make_host("a");
  auto executor = host->runtime().make_executor("e");
  base::Instant fired;
  executor->post([&] { executor->after(90min, [&] { fired = executor->now(); }); });
  world->run_for(2h);
  EXPECT_EQ(fired, base::Instant{} + 90min);
  EXPECT_EQ(world->now(), base::Instant{} + 2h);
}

TEST(World, AKilledHostRunsNothingAndKeepsItsFiles) {
  auto world = make_world(1);
  auto host = world->make_host("a");
  auto executor = host->runtime().make_executor("e");
  int ran = 0;
  auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = token;
  executor->post([&] {
    ++ran;
    executor->after(1s, [&ran] { ++ran; });
    host->runtime().workers().run(*executor, [token = std::move(token)] {}, [&ran] { ++ran; });
  });
  ASSERT_TRUE(world->run_while_waiting([&] { return ran == 1; }));
  ASSERT_TRUE(host->runtime().files().write_private("/data/key", "secret"));
  ASSERT_TRUE(host->runtime().files().lock_folder("/data"));
  host->kill();
  EXPECT_TRUE(watch.expired());
  executor->post([&] { ++ran; });
  world->run_for(1min);
  EXPECT_EQ(ran, 1);
  executor.reset();
  host->restart();
  EXPECT_EQ(*host->runtime().files().read("/data/key"), "secret");
  auto again = host->runtime().make_executor("e");
  again->post([&] { ++ran; });
  world->run_for(1s);
  EXPECT_EQ(ran, 2);
}

// Two hosts and one connection between them.
struct Link {
  std::unique_ptr<World> world = make_world(3);
  std::unique_ptr<Host> a = world->make_host("a");
  std::unique_ptr<Host> b = world->make_host("b");
  std::unique_ptr<Executor> on_a = a->runtime().make_executor("a");
  std::unique_ptr<Executor> on_b = b->runtime().make_executor("b");
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> server, client;
  std::string heard;
  bool closed = false;
  std::optional<base::Error> error;
  std::optional<base::Error> refused;

  void open(ListenOptions listen = {.tls = {}}, std::optional<TlsClient> tls = {}) {
    listen.address = {"0.0.0.0", 443};
    listener = *a->runtime().network().listen(
        *on_a, std::move(listen), [this](std::unique_ptr<Stream> stream) {
          server = std::move(stream);
          server->start({[this](std::string_view bytes) { heard += bytes; }, {}, {}});
        });
    on_b->post([this, tls] {
      b->runtime().network().connect(*on_b, {"a", 443}, tls, 3s, [this](auto stream) {
        if (!stream) {
          refused = stream.error();
          return;
        }
        client = std::move(*stream);
        client->start({{}, {}, [this](std::optional<base::Error> e) {
                         closed = true;
                         error = std::move(e);
                       }});
      });
    });
    world->run_for(5s);
  }
};

TEST(World, APartitionDelaysAndHealingDelivers) {
  Link link;
  link.open();
  link.world->partition(*link.a, *link.b);
  link.on_b->post([&] { link.client->write("hello"); });
  link.world->run_for(1min);
  EXPECT_EQ(link.heard, "");
  link.world->heal(*link.a, *link.b);
  link.world->run_for(1s);
  EXPECT_EQ(link.heard, "hello");
}

TEST(World, SilenceHasADirection) {
  Link link;
  link.open();
  std::string answer;
  link.on_b->post([&] {
    link.client->start({[&](std::string_view bytes) { answer += bytes; }, {}, {}});
    link.client->write("hello");
  });
  link.world->silence(*link.a, *link.b);
  link.on_a->post([&] { link.server->write("world"); });
  link.world->run_for(1min);
  EXPECT_EQ(link.heard, "hello");
  EXPECT_EQ(answer, "");
  link.world->heal(*link.a, *link.b);
  link.world->run_for(1s);
  EXPECT_EQ(answer, "world");
}

TEST(World, ASlowPathTakesLonger) {
  Link link;
  link.open();
  link.world->slow(*link.a, *link.b, 60s);
  link.on_b->post([&] { link.client->write("hello"); });
  link.world->run_for(1ms);
  EXPECT_EQ(link.heard, "");
  link.world->run_for(2min);
  EXPECT_EQ(link.heard, "hello");
}

TEST(World, APausedHostRunsWhatWasDueWhenItWakes) {
  auto world = make_world(1);
  auto host = world->make_host("a");
  auto executor = host->runtime().make_executor("e");
  std::string order;
  executor->post([&] {
    executor->after(1s, [&] { order += "1"; });
    executor->after(2s, [&] { order += "2"; });
  });
  world->run_for(1ms);
  host->pause(1min);
  world->run_for(59s);
  EXPECT_EQ(order, "");
  world->run_for(2s);
  EXPECT_EQ(order, "12");
}

TEST(World, NobodyHearsOfAMachineThatLostItsPower) {
  Link link;
  link.open();
  link.a->lose_power();
  link.world->run_for(1min);
  EXPECT_FALSE(link.closed);
}

TEST(World, AMachineThatRunsAgainRefusesConnectionsOfItsPast) {
  Link link;
  link.open();
  link.a->lose_power();
  link.server.reset();
  link.listener.reset();
  link.on_a.reset();
  link.a->restart();
  link.world->run_for(1min);
  EXPECT_FALSE(link.closed) << "nothing was sent";
  link.on_b->post([&] { link.client->write("are you there?"); });
  link.world->run_for(1s);
  EXPECT_TRUE(link.closed);
  EXPECT_TRUE(link.error);
}

TEST(World, ADeathDuringSilenceIsHeardAfterwards) {
  Link link;
  link.open();
  link.world->silence(*link.a, *link.b);
  link.a->kill();
  link.server.reset();
  link.listener.reset();
  link.on_a.reset();
  link.world->run_for(1min);
  EXPECT_FALSE(link.closed);
  link.world->heal(*link.a, *link.b);
  link.world->run_for(1s);
  EXPECT_TRUE(link.closed);
}

TEST(World, MarksReachTheOneWhoListens) {
  struct Book : Marks {
    bool sometimes(std::string_view site) override { return site == "site"; }
    void reached(std::string_view mark) override { heard += mark; }
    std::string heard;
  } book;
  auto world = make_world(1);
  auto host = world->make_host("a");
  auto executor = host->runtime().make_executor("e");
  EXPECT_FALSE(executor->sometimes("site"));
  world->set_marks(&book);
  EXPECT_TRUE(executor->sometimes("site"));
  EXPECT_FALSE(executor->sometimes("other"));
  executor->reached("mark");
  EXPECT_EQ(book.heard, "mark");
}

TEST(World, NoConnectionCrossesAPartition) {
  Link link;
  link.world->partition(*link.a, *link.b);
  link.open();
  ASSERT_TRUE(link.refused);
  EXPECT_NE(link.refused->message.find("timed out"), std::string::npos);
}

TEST(World, ACutConnectionIsHeardAsAnError) {
  Link link;
  link.open();
  link.world->cut_connections(*link.a, *link.b);
  link.world->run_for(1s);
  EXPECT_TRUE(link.closed);
  EXPECT_TRUE(link.error);
}

TEST(World, TheDeathOfAHostIsHeardByItsPeers) {
  Link link;
  link.open();
  link.a->kill();
  link.world->run_for(1s);
  EXPECT_TRUE(link.closed);
  EXPECT_TRUE(link.error);
}

TEST(World, ClientCertificatesCountOnlyFromTheListenersAuthority) {
  const auto authority = testing::make_identity("ca", nullptr);
  const auto stranger = testing::make_identity("other", nullptr);
  for (const bool ours : {true, false}) {
    const auto client = testing::make_identity("me", ours ? &authority : &stranger);
    Link link;
    link.open({.tls_mode = TlsMode::detect, .tls = {.client_ca_pem = authority.certificate_pem}},
              TlsClient{.certificate_chain_pem = client.certificate_pem,
                        .private_key_pem = client.key_pem,
                        .alpn = {"http/1.1", "h2"}});
    ASSERT_TRUE(link.server && link.server->tls());
    EXPECT_EQ(link.server->tls()->alpn, "h2");
    EXPECT_EQ(link.server->tls()->certificates.size(), ours ? 1u : 0u);
  }
}

TEST(World, WallClocksFollowTheEpochAndTheirSkew) {
  auto world = make_world(1);
  auto host = world->make_host("a");
  auto executor = host->runtime().make_executor("e");
  host->set_wall_skew(2s);
  world->run_for(1s);
  EXPECT_EQ(base::format_rfc3339(executor->wall_now()), "2026-01-01T00:00:03Z");
}

}  // namespace
}  // namespace keelway::runtime
