// Every kept input of every target through the entry points that libFuzzer calls: what once broke
// stays mended. An input that breaks its target again ends this program; its name is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

#include "fuzz/targets.h"

namespace {

namespace fs = std::filesystem;

char current[4096];

void name_current(int signal) {
  // Only what a signal handler may call.
  static_cast<void>(!write(STDERR_FILENO, "fuzz input: ", 12));
  static_cast<void>(!write(STDERR_FILENO, current, std::strlen(current)));
  static_cast<void>(!write(STDERR_FILENO, "\n", 1));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

class Corpus : public ::testing::TestWithParam<keelway::fuzz::Target> {};

TEST_P(Corpus, EveryInputIsTaken) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(signal, name_current);
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(fs::path(KEELWAY_CORPUS) / GetParam().name)) {
    inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  ASSERT_FALSE(inputs.empty());
  for (const fs::path& path : inputs) {
    std::strncpy(current, path.c_str(), sizeof current - 1);
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    GetParam().run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  GetParam().run(nullptr, 0);
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(keelway::fuzz::targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
