// The sink through its entry, against real files and FIFOs. Lines are `{"n":1}` and the like: the fake host renders an
// event as its payload.
#pragma once

#include <nfbus/testing/fake_host.hpp>

#include "file_sink_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace nfbus::test {

class JsonlTest : public FileSinkTest {
 protected:
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

  [[nodiscard]] int open_reader() const { return ::open(file().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }
};

}  // namespace nfbus::test
