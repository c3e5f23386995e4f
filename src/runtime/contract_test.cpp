// What both runtimes promise, run against both.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "runtime/files.h"
#include "runtime/testing/rig.h"

namespace keelway::runtime {
namespace {

using namespace std::chrono_literals;
using testing::LinuxRig;
using testing::VirtualRig;

template <class T>
class RuntimeContract : public ::testing::Test {
 protected:
  T rig_;
};
using Rigs = ::testing::Types<VirtualRig, LinuxRig>;
TYPED_TEST_SUITE(RuntimeContract, Rigs);

// Collects what one stream hears.
struct Ear {
  std::unique_ptr<Stream> stream;
  std::string heard;
  bool closed = false;
  std::optional<base::Error> error;
  int drained = 0;

  void listen() {
    stream->start({[this](std::string_view bytes) { heard += bytes; }, [this] { ++drained; },
                   [this](std::optional<base::Error> e) {
                     closed = true;
                     error = std::move(e);
                   }});
  }
};

// A listener and one connection to it.
struct Pair {
  std::unique_ptr<Listener> listener;
  Ear server, client;
  base::Error connect_error;

  void open(testing::Rig& rig, bool start_server = true) {
    rig.run([&] {
      auto made =
          rig.runtime().network().listen(rig.executor(), {.address = {"127.0.0.1", 0}, .tls = {}},
                                         [this, start_server](std::unique_ptr<Stream> stream) {
                                           server.stream = std::move(stream);
                                           if (start_server) server.listen();
                                         });
      ASSERT_TRUE(made) << made.error().message;
      listener = std::move(*made);
      rig.runtime().network().connect(rig.executor(), {"127.0.0.1", listener->port()}, {}, 5s,
                                      [this](base::Result<std::unique_ptr<Stream>> stream) {
                                        if (!stream) return;
                                        client.stream = std::move(*stream);
                                        client.listen();
                                      });
    });
    ASSERT_TRUE(rig.wait([this] { return server.stream && client.stream; }));
  }
  void close(testing::Rig& rig) {
    rig.run([this] {
      server.stream.reset();
      client.stream.reset();
      listener.reset();
    });
  }
};

TYPED_TEST(RuntimeContract, TasksOfOnePosterKeepTheirOrder) {
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    this->rig_.executor().post([&order, i] { order.push_back(i); });
  }
  ASSERT_TRUE(this->rig_.wait([&] { return order.size() == 1000; }));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TYPED_TEST(RuntimeContract, TimersFireInOrderAndNotOnceCancelled) {
  std::vector<int> fired;
  this->rig_.run([&] {
    auto& executor = this->rig_.executor();
    executor.after(30ms, [&] { fired.push_back(3); });
    executor.after(10ms, [&] { fired.push_back(1); });
    const TimerId gone = executor.after(20ms, [&] { fired.push_back(2); });
    executor.cancel(gone);
    executor.cancel(987654);
  });
  ASSERT_TRUE(this->rig_.wait([&] { return fired.size() == 2; }));
  EXPECT_EQ(fired, (std::vector<int>{1, 3}));
}

TYPED_TEST(RuntimeContract, TimeStandsStillDuringATask) {
  this->rig_.run([&] {
    const auto before = this->rig_.executor().now();
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
    EXPECT_EQ(this->rig_.executor().now(), before);
    EXPECT_FALSE(text.empty());
  });
}

TYPED_TEST(RuntimeContract, WorkHappensBeforeItsEndIsTold) {
  int result = 0;
  bool done = false;
  this->rig_.run([&] {
    this->rig_.runtime().workers().run(
        this->rig_.executor(), [&] { result = 42; },
        [&] {
          EXPECT_EQ(result, 42);
          done = true;
        });
    EXPECT_FALSE(done);
  });
  EXPECT_TRUE(this->rig_.wait([&] { return done; }));
}

TYPED_TEST(RuntimeContract, AnExecutorThatIsGoneDropsItsTasks) {
  auto other = this->rig_.runtime().make_executor("other");
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watch = token;
  other->post([&other, token] { other->after(1h, [token] { FAIL(); }); });
  token.reset();
  other.reset();
  this->rig_.run([] {});
  EXPECT_TRUE(watch.expired());
}

TYPED_TEST(RuntimeContract, BytesArriveWholeAndInOrder) {
  Pair pair;
  pair.open(this->rig_);
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + ' ';
  this->rig_.run([&] { pair.client.stream->write(text); });
  EXPECT_TRUE(this->rig_.wait([&] { return pair.server.heard.size() == text.size(); }));
  EXPECT_EQ(pair.server.heard, text);
  EXPECT_TRUE(this->rig_.wait([&] { return pair.client.drained > 0; }));
  EXPECT_EQ(pair.client.stream->pending_bytes(), 0u);
  pair.close(this->rig_);
}

TYPED_TEST(RuntimeContract, AReaderWhoPausesIsFeltByTheWriter) {
  Pair pair;
  pair.open(this->rig_);
  this->rig_.run([&] {
    pair.server.stream->pause_reading();
    pair.client.stream->write(std::string(64u << 20, 'x'));
  });
  int turns = 0;
  this->rig_.wait([&] { return ++turns > 2000; });
  this->rig_.run([&] {
    EXPECT_GT(pair.client.stream->pending_bytes(), 1u << 20);
    EXPECT_LT(pair.server.heard.size(), 32u << 20);
    pair.server.stream->resume_reading();
  });
  EXPECT_TRUE(this->rig_.wait([&] { return pair.server.heard.size() == 64u << 20; }));
  pair.close(this->rig_);
}

TYPED_TEST(RuntimeContract, FinishSendsTheRestAndClosesBothEnds) {
  Pair pair;
  pair.open(this->rig_);
  this->rig_.run([&] {
    pair.server.stream->write(std::string(1u << 20, 'y'));
    pair.server.stream->finish();
  });
  EXPECT_TRUE(this->rig_.wait([&] { return pair.client.closed && pair.server.closed; }));
  EXPECT_EQ(pair.client.heard.size(), 1u << 20);
  EXPECT_FALSE(pair.client.error);
  EXPECT_FALSE(pair.server.error);
  pair.close(this->rig_);
}

TYPED_TEST(RuntimeContract, AStreamMayGoInItsOwnCallback) {
  Pair pair;
  pair.open(this->rig_, false);
  bool gone = false;
  this->rig_.run([&] {
    pair.server.stream->start({[&](std::string_view) {
                                 pair.server.stream.reset();
                                 gone = true;
                               },
                               {},
                               [](std::optional<base::Error>) { FAIL(); }});
    pair.client.stream->write("bye");
  });
  EXPECT_TRUE(this->rig_.wait([&] { return gone && pair.client.closed; }));
  pair.close(this->rig_);
}

TYPED_TEST(RuntimeContract, NobodyListensThere) {
  std::optional<base::Error> error;
  this->rig_.run([&] {
    this->rig_.runtime().network().connect(this->rig_.executor(), {"127.0.0.1", 1}, {}, 5s,
                                           [&](base::Result<std::unique_ptr<Stream>> stream) {
                                             ASSERT_FALSE(stream);
                                             error = stream.error();
                                           });
    EXPECT_FALSE(error);
  });
  ASSERT_TRUE(this->rig_.wait([&] { return error.has_value(); }));
  EXPECT_EQ(error->code, base::ErrorCode::unavailable);
}

TYPED_TEST(RuntimeContract, APortHasOneListener) {
  this->rig_.run([&] {
    auto& network = this->rig_.runtime().network();
    auto first = network.listen(this->rig_.executor(), {.address = {"127.0.0.1", 0}, .tls = {}},
                                [](std::unique_ptr<Stream>) {});
    ASSERT_TRUE(first);
    auto second = network.listen(this->rig_.executor(),
                                 {.address = {"127.0.0.1", (*first)->port()}, .tls = {}},
                                 [](std::unique_ptr<Stream>) {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, base::ErrorCode::conflict);
  });
}

TYPED_TEST(RuntimeContract, RandomBytesHaveTheAskedSizeAndDiffer) {
  const auto a = this->rig_.runtime().random_bytes(32);
  EXPECT_EQ(a.size(), 32u);
  EXPECT_NE(a, this->rig_.runtime().random_bytes(32));
}

TYPED_TEST(RuntimeContract, OpenFilesReadWhatWasWrittenWhereItWasWritten) {
  char folder[] = "/tmp/keelway-files-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  Files& files = this->rig_.runtime().files();
  const std::string path = std::string(folder) + "/file";
  EXPECT_FALSE(files.open(path, FileAccess::write)) << "nothing there";
  EXPECT_FALSE(*files.exists(path));
  {
    const auto file = files.open(path, FileAccess::create);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(3, "def"));
    ASSERT_TRUE((*file)->write_at(0, "abc"));
    ASSERT_TRUE((*file)->sync());
    EXPECT_EQ(*(*file)->size(), 6u);
    std::string read(10, '.');
    EXPECT_EQ(*(*file)->read_at(4, read), 2u);
    EXPECT_EQ(read.substr(0, 3), "ef.");
    EXPECT_EQ(*(*file)->read_at(6, read), 0u);
    ASSERT_TRUE((*file)->truncate(2));
    ASSERT_TRUE((*file)->truncate(4));
  }
  EXPECT_EQ(*files.read(path), std::string("ab\0\0", 4));
  const auto reader = files.open(path, FileAccess::read);
  ASSERT_TRUE(reader);
  EXPECT_FALSE((*reader)->write_at(0, "x"));
  ASSERT_TRUE(files.write_private(std::string(folder) + "/another", "x"));
  EXPECT_EQ(*files.list(folder), (std::vector<std::string>{"another", "file"}));
  ASSERT_TRUE(files.remove(path));
  ASSERT_TRUE(files.sync_folder(folder));
  EXPECT_FALSE(*files.exists(path));
  EXPECT_EQ(*(*reader)->size(), 4u) << "an open file lives without its name";
  ASSERT_TRUE(files.remove(std::string(folder) + "/another"));
  rmdir(folder);
}

}  // namespace
}  // namespace keelway::runtime
