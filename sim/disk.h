// The disk of the server process: a folder in memory that is gone with the run.
#pragma once

#include <string>

namespace keelway::sim {

class Disk {
 public:
  Disk();
  ~Disk();
  Disk(const Disk&) = delete;

  std::string database() const;
  // What the process had written by now is what its next life finds: a destructor that runs
  // afterwards writes to the disk of the dead.
  void crash();
  // The dead process is gone.
  void bury();

 private:
  std::string folder() const;
  std::string path_;
  int life_ = 0;
};

}  // namespace keelway::sim
