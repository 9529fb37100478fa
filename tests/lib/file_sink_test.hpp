// What the tests of sinks share that write to files and FIFOs.
#pragma once

#include "temporary_folder.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

namespace nfbus::test {

// A folder of its own, and limits that end with the test.
class FileSinkTest : public testing::Test {
 protected:
  FileSinkTest() {
    // A SIGPIPE or SIGXFSZ that reached the process would end this test.
    (void)std::signal(SIGPIPE, SIG_DFL);
    (void)std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSinkTest() override { limit_file_size(RLIM_INFINITY); }

  // A disk that is full for every file beyond so many bytes.
  static void limit_file_size(rlim_t size_bytes) {
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size_bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }

 private:
  const TemporaryFolder temporary_;

 protected:
  const std::filesystem::path folder_ = temporary_.path();
};

}  // namespace nfbus::test
