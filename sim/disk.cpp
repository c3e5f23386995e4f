#include "sim/disk.h"

#include <stdlib.h>

#include <filesystem>

#include "base/error.h"

namespace keelway::sim {

namespace files = std::filesystem;

Disk::Disk() {
  char path[] = "/dev/shm/keelway-sim-XXXXXX";
  KEELWAY_INVARIANT(mkdtemp(path) != nullptr, "the simulator needs /dev/shm");
  path_ = path;
  files::create_directory(folder());
}

Disk::~Disk() {
  std::error_code ignored;
  files::remove_all(path_, ignored);
}

std::string Disk::folder() const {
  return path_ + "/" + std::to_string(life_);
}

std::string Disk::database() const {
  return folder() + "/keelway.db";
}

void Disk::crash() {
  const std::string before = database();
  ++life_;
  files::create_directory(folder());
  // The file of shared memory belongs to the process and dies with it.
  for (const char* part : {"", "-wal"}) {
    if (files::exists(before + part)) files::copy_file(before + part, database() + part);
  }
}

void Disk::bury() {
  for (int dead = 0; dead < life_; ++dead) files::remove_all(path_ + "/" + std::to_string(dead));
}

}  // namespace keelway::sim
