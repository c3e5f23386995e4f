#include "runtime/linux/record_pipe.h"

#include <sys/socket.h>

#include <cerrno>

namespace keelway::runtime {
namespace {

constexpr std::size_t kKeptBytes = 4096;  // of an idle connection's buffer
// What has been sent may stay in front of what has not up to here: moving costs, too.
constexpr std::size_t kSentBytesMax = 64u << 10;

RecordPipe& pipe_of(BIO* bio) {
  return *static_cast<RecordPipe*>(BIO_get_data(bio));
}

}  // namespace

BIO* RecordPipe::make_bio() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "record pipe");
    BIO_meth_set_read(method, &RecordPipe::bio_read);
    BIO_meth_set_write(method, &RecordPipe::bio_write);
    BIO_meth_set_ctrl(method, &RecordPipe::bio_control);
    return method;
  }();
  BIO* bio = BIO_new(kMethod);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

int RecordPipe::bio_read(BIO* bio, char* to, int size) {
  return pipe_of(bio).read(bio, to, size);
}

int RecordPipe::read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  if (drained_) {
    errno = EAGAIN;
    BIO_set_retry_read(bio);
    return -1;
  }
  const ssize_t got = recv(fd_, to, static_cast<std::size_t>(size), 0);
  if (got > 0) {
    drained_ = got < size && !last_;
  } else if (got == 0) {
    ended_ = true;
  } else if (errno == EAGAIN || errno == EINTR) {
    drained_ = errno == EAGAIN && !last_;
    BIO_set_retry_read(bio);
  }
  return static_cast<int>(got);
}

int RecordPipe::bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  pipe_of(bio).out_.append(from, static_cast<std::size_t>(size));
  return size;
}

long RecordPipe::bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;  // whoever calls OpenSSL calls send()
  if (command == BIO_CTRL_EOF) return pipe_of(bio).ended_ ? 1 : 0;
  return 0;
}

RecordPipe::Sent RecordPipe::forget_sent() {
  if (sent_ >= kSentBytesMax) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return Sent::some;
}

RecordPipe::Sent RecordPipe::send() {
  while (sent_ < out_.size()) {
    const ssize_t sent = ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return Sent::failed;
    if (sent < 0) return forget_sent();
    sent_ += static_cast<std::size_t>(sent);
  }
  sent_ = 0;
  if (out_.capacity() > kKeptBytes)
    out_ = std::string();
  else
    out_.clear();
  return Sent::all;
}

}  // namespace keelway::runtime
