// A plugin folder for one test, and the plugins built for tests.
#pragma once

#include "plugins/registry.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace nfbus::host::test {

namespace fs = std::filesystem;

inline const fs::path kBad = fs::path(NFBUS_BUILD_DIR) / "tests/plugins_bad";
inline const fs::path kGood = fs::path(NFBUS_BUILD_DIR) / "tests/plugins";

// Lies in /tmp, which is sticky; removed with all in it.
class Folder {
 public:
  Folder() : path_(fs::canonical(::mkdtemp(template_.data()))) { chmod(path_, 0755); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }

  [[nodiscard]] const fs::path& path() const { return path_; }

  // A copy of `file`, writable by its owner alone, as `name` or under its own name.
  fs::path add(const fs::path& file, const std::string& name = {}) const {
    const fs::path copy = path_ / (name.empty() ? file.filename() : fs::path(name));
    fs::copy_file(file, copy);
    chmod(copy, 0644);
    return copy;
  }
  [[nodiscard]] fs::path add_bytes(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    chmod(path_ / name, 0644);
    return path_ / name;
  }
  [[nodiscard]] PluginRegistry scan() const { return PluginRegistry::scan({path_}); }

  static void chmod(const fs::path& file, unsigned mode) { fs::permissions(file, static_cast<fs::perms>(mode)); }

 private:
  std::string template_ = "/tmp/nfbus-plugins-XXXXXX";
  fs::path path_;
};

// Why the host refuses the only plugin of `folder`; fails the test when it does not.
inline std::string refusal(const Folder& folder) {
  const PluginRegistry registry = folder.scan();
  EXPECT_TRUE(registry.plugins().empty());
  EXPECT_EQ(registry.refused().size(), 1U);
  return registry.refused().empty() ? std::string() : registry.refused().front().error.text;
}

}  // namespace nfbus::host::test
