#include "runtime/linux/linux_runtime.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "runtime/linux/socket_options.h"
#include "runtime/testing/certificates.h"
#include "runtime/testing/rig.h"

namespace keelway::runtime {
namespace {

using namespace std::chrono_literals;
using testing::Identity;
using testing::make_identity;

struct TlsTest : ::testing::Test {
  testing::LinuxRig rig;
  Identity authority = make_identity("ca", nullptr);
  Identity server_id = make_identity("server", &authority, "DNS:localhost,IP:127.0.0.1");
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> server, client;
  std::optional<base::Error> error;
  std::string heard;

  void listen(TlsMode mode, base::Duration handshake_timeout = 10s, int handshakes_max = 1'000) {
    rig.run([&] {
      ListenOptions options{.address = {"127.0.0.1", 0}, .tls_mode = mode, .tls = {}};
      options.tls = {server_id.certificate_pem, server_id.key_pem, authority.certificate_pem};
      options.handshake_timeout = handshake_timeout;
      options.handshakes_max = handshakes_max;
      listener = *rig.runtime().network().listen(
          rig.executor(), options, [this](std::unique_ptr<Stream> stream) {
            server = std::move(stream);
            server->start({[this](std::string_view bytes) { heard += bytes; }, {}, {}});
          });
    });
  }
  void connect(std::optional<TlsClient> tls, std::string host = "127.0.0.1") {
    server.reset();
    client.reset();
    error.reset();
    heard.clear();
    rig.run([&] {
      rig.runtime().network().connect(rig.executor(), {host, listener->port()}, tls, 5s,
                                      [this](auto stream) {
                                        if (!stream) {
                                          error = stream.error();
                                          return;
                                        }
                                        client = std::move(*stream);
                                        client->start({});
                                        client->write("hello");
                                      });
    });
    ASSERT_TRUE(rig.wait([this] { return error || heard == "hello"; }));
  }
  TlsClient trusting() const {
    return {.server_name = "", .ca_pem = authority.certificate_pem, .alpn = {"http/1.1", "h2"}};
  }
  ~TlsTest() override {
    rig.run([this] {
      server.reset();
      client.reset();
      listener.reset();
    });
  }
};

TEST_F(TlsTest, SpeaksTlsAndAgreesOnAProtocol) {
  listen(TlsMode::tls);
  connect(trusting());
  ASSERT_FALSE(error);
  EXPECT_EQ(server->tls()->alpn, "h2");
  EXPECT_EQ(client->tls()->alpn, "h2");
  EXPECT_TRUE(server->tls()->certificates.empty());
}

// Both ends, so that neither keeps what belonged to a machine that lost its power.
TEST_F(TlsTest, APeerThatIsGoneIsNoticedWithinMinutes) {
  listen(TlsMode::tls);
  connect(trusting());
  ASSERT_FALSE(error);
  const auto option = [](int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, IPPROTO_TCP, name, &value, &size) == 0 ? value : -1;
  };
  int connections = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) continue;
    if (info.tcpi_state != TCP_ESTABLISHED) continue;
    ++connections;
    const int silence =
        option(fd, TCP_KEEPIDLE) + option(fd, TCP_KEEPINTVL) * option(fd, TCP_KEEPCNT);
    EXPECT_EQ(std::chrono::seconds(silence), peer_lost_after);
    EXPECT_EQ(std::chrono::milliseconds(option(fd, TCP_USER_TIMEOUT)), peer_lost_after);
  }
  EXPECT_EQ(connections, 2);
}

TEST_F(TlsTest, ResolvesNamesAndTellsThemToTheServer) {
  listen(TlsMode::tls);
  connect(trusting(), "localhost");
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(server->tls()->server_name, "localhost");
}

TEST_F(TlsTest, TheFirstByteDecides) {
  listen(TlsMode::detect);
  connect(std::nullopt);
  ASSERT_FALSE(error);
  EXPECT_EQ(server->tls(), nullptr);
  connect(trusting());
  ASSERT_FALSE(error);
  EXPECT_NE(server->tls(), nullptr);
}

TEST_F(TlsTest, AServerMustProveItsName) {
  listen(TlsMode::tls);
  auto options = trusting();
  options.server_name = "example.org";
  connect(options);
  ASSERT_TRUE(error);
  options = trusting();
  options.ca_pem = make_identity("stranger", nullptr).certificate_pem;
  connect(options);
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("certificate verify failed"), std::string::npos);
}

TEST_F(TlsTest, AClientCertificateNamesTheClientOnlyIfItVerifies) {
  listen(TlsMode::tls);
  const auto stranger = make_identity("stranger", nullptr);
  for (const bool ours : {true, false, true}) {
    const auto id = make_identity("me", ours ? &authority : &stranger);
    auto options = trusting();
    options.certificate_chain_pem = id.certificate_pem;
    options.private_key_pem = id.key_pem;
    connect(options);
    ASSERT_FALSE(error) << error->message;
    ASSERT_EQ(server->tls()->certificates.size(), ours ? 1u : 0u);
  }
}

TEST_F(TlsTest, AClientIsNoAuthority) {
  listen(TlsMode::tls);
  const auto client_id = make_identity("client", &authority);
  const auto forged = make_identity("admin", &client_id);
  for (const std::string& chain :
       {forged.certificate_pem, forged.certificate_pem + client_id.certificate_pem,
        forged.certificate_pem + client_id.certificate_pem + authority.certificate_pem}) {
    auto options = trusting();
    options.certificate_chain_pem = chain;
    options.private_key_pem = forged.key_pem;
    connect(options);
    ASSERT_FALSE(error) << error->message;
    EXPECT_TRUE(server->tls()->certificates.empty());
    EXPECT_TRUE(server->tls()->certificate_refused);
  }
}

// A reader that takes nothing is let go of by the kernel, too.
TEST_F(TlsTest, WhatIsCutShortIsReset) {
  for (const TlsMode mode : {TlsMode::plain, TlsMode::tls}) {
    listen(mode);
    server.reset();
    bool closed = false;
    error.reset();
    rig.run([&] {
      const auto tls = mode == TlsMode::tls ? std::optional(trusting()) : std::nullopt;
      rig.runtime().network().connect(rig.executor(), {"127.0.0.1", listener->port()}, tls, 5s,
                                      [&](auto stream) {
                                        client = std::move(*stream);
                                        client->pause_reading();
                                        client->start({{}, {}, [&](std::optional<base::Error> why) {
                                                         closed = true;
                                                         error = why;
                                                       }});
                                      });
    });
    ASSERT_TRUE(rig.wait([&] { return server && client; }));
    rig.run([&] {
      for (int i = 0; i < 64; ++i) server->write(std::string(1u << 20, 'x'));
    });
    ASSERT_TRUE(rig.wait([&] { return server->pending_bytes() < (64u << 20); }));
    rig.run([&] {
      EXPECT_GT(server->pending_bytes(), 0u);
      server.reset();
      client->resume_reading();
    });
    ASSERT_TRUE(rig.wait([&] { return closed; }));
    EXPECT_TRUE(error);
    rig.run([&] {
      client.reset();
      listener.reset();
    });
  }
}

// Whoever says nothing makes room for whoever does.
TEST_F(TlsTest, TheOldestOfTooManyHandshakesGoes) {
  listen(TlsMode::tls, 10s, 4);
  std::vector<std::unique_ptr<Stream>> silent(6);
  std::vector<int> closed;
  for (int i = 0; i < 6; ++i) {
    rig.run([&, i] {
      rig.runtime().network().connect(rig.executor(), {"127.0.0.1", listener->port()}, {}, 5s,
                                      [&, i](auto stream) {
                                        silent[static_cast<std::size_t>(i)] = std::move(*stream);
                                        silent[static_cast<std::size_t>(i)]->start(
                                            {{}, {}, [&closed, i](auto) { closed.push_back(i); }});
                                      });
    });
    ASSERT_TRUE(rig.wait([&] { return silent[static_cast<std::size_t>(i)] != nullptr; }));
  }
  ASSERT_TRUE(rig.wait([&] { return closed.size() == 2; }));
  EXPECT_EQ(closed, (std::vector{0, 1}));
  connect(trusting());
  ASSERT_FALSE(error) << error->message;
  ASSERT_TRUE(rig.wait([&] { return closed.size() == 3; }));
  ListenerFacts facts;
  rig.run([&] { facts = listener->facts(); });
  EXPECT_EQ(facts.handshakes, 3u);
  EXPECT_EQ(facts.handshakes_dropped, 3u);
  rig.run([&] { silent.clear(); });
}

TEST_F(TlsTest, ASilentClientIsLetGo) {
  listen(TlsMode::detect, 20ms);
  bool closed = false;
  rig.run([&] {
    rig.runtime().network().connect(rig.executor(), {"127.0.0.1", listener->port()}, {}, 5s,
                                    [&](auto stream) {
                                      client = std::move(*stream);
                                      client->start({{}, {}, [&](auto) { closed = true; }});
                                    });
  });
  EXPECT_TRUE(rig.wait([&] { return closed; }));
  EXPECT_EQ(server, nullptr);
}

TEST_F(TlsTest, BigBodiesPassTls) {
  listen(TlsMode::tls);
  connect(trusting());
  ASSERT_FALSE(error);
  rig.run([&] { client->write(std::string(8u << 20, 'z')); });
  EXPECT_TRUE(rig.wait([&] { return heard.size() == 5 + (8u << 20); }));
}

TEST(LinuxRuntime, DestroyingAnExecutorWaitsForItsRunningTask) {
  auto runtime = make_linux_runtime();
  for (int i = 0; i < 200; ++i) {
    auto executor = runtime->make_executor("e");
    std::atomic<bool> begun = false;
    std::atomic<bool> ended = false;
    executor->post([&] {
      begun = true;
      std::string text;
      for (int n = 0; n < 2000; ++n) text += std::to_string(n);
      ended = !text.empty();
    });
    while (!begun) std::this_thread::yield();
    executor.reset();
    EXPECT_TRUE(ended);
  }
}

TEST(LinuxRuntime, ManyThreadsMayPost) {
  auto runtime = make_linux_runtime();
  auto executor = runtime->make_executor("e");
  int count = 0;  // the executor's own: no lock
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) executor->post([&] { ++count; });
    });
  }
  for (auto& thread : threads) thread.join();
  std::promise<int> seen;
  executor->post([&] { seen.set_value(count); });
  EXPECT_EQ(seen.get_future().get(), 20000);
}

TEST(LinuxRuntime, RequestStopEndsTheWait) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    auto runtime = make_linux_runtime({.take_signals = true});
    runtime->request_stop();
    EXPECT_EQ(runtime->wait_for_signal(), 0);
    kill(getpid(), SIGTERM);
    EXPECT_EQ(runtime->wait_for_signal(), SIGTERM);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(LinuxFiles, WritePrivateAndLock) {
  std::string folder = ::testing::TempDir() + "keelwayXXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  auto runtime = make_linux_runtime();
  auto& files = runtime->files();
  ASSERT_TRUE(files.make_folders(folder + "/a/b"));
  ASSERT_TRUE(files.write_private(folder + "/a/b/key", "one"));
  ASSERT_TRUE(files.write_private(folder + "/a/b/key", "two"));
  EXPECT_EQ(*files.read(folder + "/a/b/key"), "two");
  struct stat found{};
  ASSERT_EQ(stat((folder + "/a/b/key").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_EQ(files.read(folder + "/absent").error().code, base::ErrorCode::not_found);
  auto lock = files.lock_folder(folder);
  ASSERT_TRUE(lock);
  auto second = files.lock_folder(folder);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::conflict);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
  lock->reset();
  EXPECT_TRUE(files.lock_folder(folder));
  ASSERT_TRUE(files.remove(folder + "/a/b/key"));
  EXPECT_EQ(files.remove(folder + "/a/b/key").error().code, base::ErrorCode::not_found);
}

}  // namespace
}  // namespace keelway::runtime
