#include "runtime/linux/record_pipe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace keelway::runtime {
namespace {

// A reader who takes a little at a time, while the writer always has a little more.
TEST(RecordPipe, KeepsLittleOfWhatItHasSent) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  const int small = 16 << 10;
  setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  RecordPipe pipe(ends[0]);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(pipe.make_bio(), &BIO_free);
  ASSERT_NE(bio, nullptr);
  const std::string record(16 << 10, 'x');
  std::string taken(8 << 10, '\0');
  std::size_t most = 0, heard = 0;
  while (heard < (16u << 20)) {
    while (pipe.pending() < (128u << 10)) {
      BIO_write(bio.get(), record.data(), static_cast<int>(record.size()));
    }
    EXPECT_EQ(pipe.send(), RecordPipe::Sent::some);
    most = std::max(most, pipe.held());
    const ssize_t got = read(ends[1], taken.data(), taken.size());
    ASSERT_GT(got, 0);
    heard += static_cast<std::size_t>(got);
  }
  EXPECT_LT(most, 1u << 20);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace keelway::runtime
