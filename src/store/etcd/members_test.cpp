// Members of an etcd cluster that stop, stand still or refuse. Those that play them know only as
// much of etcd as the client needs to call them one.
#include <gtest/gtest.h>

#include "runtime/virtual/world.h"
#include "store/etcd/client.h"
#include "store/etcd/etcd.h"
#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

using namespace std::chrono_literals;
namespace http2 = wire::http2;

constexpr std::uint16_t port = 2379;

// Answers every call at once: streams with an empty message for each that it hears.
class Member {
 public:
  Member(runtime::World& world, const std::string& name)
      : host_(world.make_host(name)), executor_(host_->runtime().make_executor("etcd")) {
    executor_->post([this] {
      runtime::ListenOptions options;
      options.address = {host_->name(), port};
      auto made = host_->runtime().network().listen(
          *executor_, options,
          [this](std::unique_ptr<runtime::Stream> stream) { accept(std::move(stream)); });
      ASSERT_TRUE(made) << made.error().message;
      listener_ = std::move(*made);
    });
  }
  runtime::Address address() const { return {host_->name(), port}; }
  // Takes no new call; streams go on.
  void go_away() {
    for (auto& peer : peers_) {
      peer->session->go_away();
      flush(*peer);
    }
  }

  bool silent = false;                // accepts, and says nothing
  std::string refusal;                // code of gRPC; empty: it answers
  std::map<std::string, int> calls;   // by path
  int open() const { return open_; }  // connections

 private:
  struct Peer {
    std::unique_ptr<http2::Session> session = http2::make_server_session({});
    std::unique_ptr<runtime::Stream> stream;
    std::map<http2::StreamId, std::string> paths;
  };

  void accept(std::unique_ptr<runtime::Stream> stream) {
    auto& peer = *peers_.emplace_back(std::make_unique<Peer>());
    peer.stream = std::move(stream);
    ++open_;
    runtime::StreamEvents events;
    events.on_data = [this, &peer](std::string_view bytes) {
      if (silent) return;
      peer.session->feed(bytes, executor_->now());
      flush(peer);
    };
    events.on_closed = [this](std::optional<base::Error>) { --open_; };
    peer.stream->start(std::move(events));
    if (!silent) flush(peer);
  }

  void flush(Peer& peer) {
    for (auto& event : peer.session->take_events()) {
      if (const auto* head = std::get_if<http2::HeadReceived>(&event)) begin(peer, *head);
      if (const auto* data = std::get_if<http2::DataReceived>(&event)) {
        if (peer.paths[data->stream] == method::watch) say(peer, data->stream);
      }
      if (const auto* end = std::get_if<http2::EndReceived>(&event)) {
        if (refusal.empty()) say(peer, end->stream);
        peer.session->end(end->stream);
      }
    }
    for (auto out = peer.session->take_output(1 << 20); !out.empty();
         out = peer.session->take_output(1 << 20)) {
      peer.stream->write(std::move(out));
    }
  }

  void begin(Peer& peer, const http2::HeadReceived& head) {
    for (const auto& [name, value] : head.headers) {
      if (name == ":path") peer.paths[head.stream] = value;
    }
    const std::string& path = peer.paths[head.stream];
    ++calls[path];
    std::vector<http2::Header> headers;
    if (path != method::watch) {
      headers.emplace_back("grpc-status", refusal.empty() ? "0" : refusal);
    }
    peer.session->respond(head.stream, {200, headers}, false);
  }

  static void say(Peer& peer, http2::StreamId stream) {
    peer.session->write(stream, std::string(5, '\0'));  // one message of no bytes
  }

  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<runtime::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
  int open_ = 0;
};

class Members : public ::testing::Test {
 protected:
  ~Members() override {
    if (client_) on_executor([this] { client_->stop(); });
    client_.reset();
    if (engine_) on_executor([this] { engine_.reset(); });
  }

  template <class Task>
  void on_executor(Task task) {
    bool ran = false;
    executor_->post([&] {
      task();
      ran = true;
    });
    ASSERT_TRUE(world_->run_while_waiting([&] { return ran; }));
  }

  // With a stream that says something whenever the client asks for a sign of life.
  void start_client(ClientOptions options) {
    options.members = {one_.address(), two_.address()};
    client_ = std::make_shared<Client>(host_->runtime(), *executor_, std::move(options));
    on_executor([this] {
      Client::StreamOwner owner;
      owner.on_connected = [this] {
        CallEvents events;
        events.on_message = [](std::string_view) {};
        events.on_end = [](const CallEnd&) {};
        stream_ = client_->open_stream(method::watch, "x", std::move(events));
      };
      owner.on_quiet = [this] { client_->send(stream_, "x"); };
      client_->start(std::move(owner));
    });
  }

  bool call_succeeds(std::string_view path, Repeat repeat, base::Duration within) {
    std::optional<base::Result<std::string>> answer;
    on_executor([&] {
      client_->call(path, "", repeat,
                    [&](base::Result<std::string> result) { answer = std::move(result); });
    });
    world_->run_while_waiting([&] { return answer.has_value(); }, within);
    EXPECT_TRUE(answer) << "no answer in time";
    if (!answer) return false;
    EXPECT_TRUE(*answer) << answer->error().message;
    return answer->has_value();
  }

  std::unique_ptr<runtime::World> world_ = runtime::make_world(1);
  Member one_{*world_, "one"}, two_{*world_, "two"};
  std::unique_ptr<runtime::Host> host_ = world_->make_host("server");
  std::unique_ptr<runtime::Executor> executor_ = host_->runtime().make_executor("store");
  std::shared_ptr<Client> client_;
  std::unique_ptr<Engine> engine_;
  CallId stream_ = 0;
};

TEST_F(Members, OneThatStopsIsLeftThoughItsStreamsGoOn) {
  start_client({});
  world_->run_for(1s);
  Member& stopping = one_.open() > 0 ? one_ : two_;
  Member& other = one_.open() > 0 ? two_ : one_;
  ASSERT_EQ(stopping.open(), 1);
  ASSERT_EQ(other.open(), 0);
  stopping.go_away();
  ASSERT_TRUE(call_succeeds(method::transact, Repeat::never, 1s));
  EXPECT_EQ(other.calls[std::string(method::transact)], 1);
  EXPECT_EQ(other.calls[std::string(method::watch)], 1) << "the watch moved too";
  world_->run_for(1s);
  EXPECT_EQ(stopping.open(), 0);
}

TEST_F(Members, OneThatSaysNothingToALogInIsLeft) {
  // Which is the first is drawn, so each takes its turn.
  for (Member* silent : {&one_, &two_}) {
    one_.silent = two_.silent = false;
    silent->silent = true;
    ClientOptions options;
    options.user = "keelway";
    options.password = "secret";
    start_client(std::move(options));
    EXPECT_TRUE(call_succeeds(method::range, Repeat::freely, 6s));
    on_executor([this] { client_->stop(); });
    client_.reset();
  }
}

EtcdOptions engine_options(const Member& member) {
  EtcdOptions options;
  options.members = {member.address()};
  return options;
}

TEST_F(Members, OneThatRefusesToReadIsAskedOnceASecond) {
  one_.refusal = "7";  // permission_denied
  on_executor([this] { engine_ = make_etcd(host_->runtime(), *executor_, engine_options(one_)); });
  world_->run_for(20s);
  const int asked = one_.calls[std::string(method::range)];
  EXPECT_GE(asked, 10);
  EXPECT_LE(asked, 21);
}

TEST_F(Members, AFullQueueOfCallsHoldsTheWatchBackAndNothingElse) {
  auto options = engine_options(one_);
  options.pending_bytes_max = 0;  // refuses inside the call
  options.load = std::make_shared<EtcdLoad>();
  on_executor([&] { engine_ = make_etcd(host_->runtime(), *executor_, options); });
  world_->run_for(20s);
  EXPECT_GE(options.load->refused, 10u);
  EXPECT_LE(options.load->refused, 21u);
}

}  // namespace
}  // namespace keelway::store::etcd
