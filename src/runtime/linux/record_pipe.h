// Carries TLS records between OpenSSL and a socket with as few system calls as they need: what
// OpenSSL writes is gathered until send(), and a read that came back short is not tried again
// before the kernel says that there is more.
#pragma once

#include <openssl/bio.h>

#include <cstddef>
#include <string>

namespace keelway::runtime {

class RecordPipe {
 public:
  explicit RecordPipe(int fd) : fd_(fd) {}
  RecordPipe(const RecordPipe&) = delete;

  // For SSL_set_bio, which owns it; the pipe outlives it. Null where OpenSSL has no memory.
  BIO* make_bio();

  // The kernel has an event of reading. `last`: the peer's end or an error, after which it will
  // not tell again.
  void readable(bool last) {
    drained_ = false;
    last_ = last_ || last;
  }

  enum class Sent { all, some, failed };
  // To the kernel as much as it takes. failed: errno says why.
  Sent send();
  std::size_t pending() const { return out_.size() - sent_; }
  std::size_t held() const { return out_.capacity(); }

 private:
  static int bio_read(BIO* bio, char* to, int size);
  static int bio_write(BIO* bio, const char* from, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  int read(BIO* bio, char* to, int size);
  Sent forget_sent();

  const int fd_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool drained_ = false;  // the last read took all there was
  bool last_ = false;
  bool ended_ = false;
};

}  // namespace keelway::runtime
