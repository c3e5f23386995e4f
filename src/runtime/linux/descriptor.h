// What the files of Linux share: an owned descriptor, and errno in words.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace keelway::runtime {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<base::Error> refuse_file(const std::string& what, const std::string& path,
                                         int error);
std::string folder_of(const std::string& path);

}  // namespace keelway::runtime
