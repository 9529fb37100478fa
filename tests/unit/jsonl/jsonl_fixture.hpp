// The sink through its entry, against real files and FIFOs. Lines are `{"n":1}` and the like: the fake host renders an
// event as its payload.
#pragma once

#include <nfbus/testing/fake_host.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace nfbus::test {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

class JsonlTest : public testing::Test {
 protected:
  JsonlTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nfbus-jsonl-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    // A SIGPIPE or SIGXFSZ that reached the process would end this test.
    (void)std::signal(SIGPIPE, SIG_DFL);
    (void)std::signal(SIGXFSZ, SIG_IGN);
  }
  ~JsonlTest() override {
    limit_file_size(RLIM_INFINITY);
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] Values options(std::int64_t rotate_bytes = 0, std::int64_t rotate_age_s = 0,
                               std::int64_t keep = 2) const {
    return {
        {"/file", file().string()},      {"/format", "ulogd"},  {"/payload", "none"}, {"/rotate_bytes", rotate_bytes},
        {"/rotate_age_s", rotate_age_s}, {"/rotate_keep", keep}};
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "out.json"; }
  [[nodiscard]] std::filesystem::path numbered(int number) const {
    return file().string() + '.' + std::to_string(number);
  }

  // A disk that is full for every file beyond so many bytes.
  static void limit_file_size(rlim_t size_bytes) {
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size_bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }

  [[nodiscard]] int open_reader() const { return ::open(file().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }

  std::filesystem::path folder_;
};

}  // namespace nfbus::test
