#include "config/secrets.hpp"

#include "temporary_folder.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace nfbus::host {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kStranger = 4711;

// Needs root.
TEST(WayToASecret, OnlyAHostOfRootsMindsWhoLinkedToOne) {
  const nfbus::test::TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  std::ofstream(folder / "file") << "text";
  fs::create_symlink(folder / "file", folder / "link");
  ASSERT_EQ(::lchown((folder / "link").c_str(), kStranger, kStranger), 0);
  const auto schema = nlohmann::json::parse(R"({"properties": {"token": {"type": "string", "x-secret": true}}})");
  for (const bool started_as_root : {false, true}) {
    nlohmann::json value = {{"token_file", "link"}};
    const SecretFindings found = resolve_secrets(schema, value, {}, folder.string(), started_as_root);
    EXPECT_EQ(found.findings.empty(), !started_as_root);
    EXPECT_EQ(value.value("token", ""), started_as_root ? "" : "text");
  }
}

}  // namespace
}  // namespace nfbus::host
