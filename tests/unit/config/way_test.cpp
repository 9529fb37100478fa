#include "config/way.hpp"

#include "config/secrets.hpp"
#include "temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

namespace nfbus::host {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t kUser = 65534;
constexpr uid_t kStranger = 4711;

// Needs root.
class WayTest : public testing::Test {
 protected:
  WayTest() {
    fs::create_directory(folder / "sub");
    file = folder / "sub/file";
    std::ofstream(file) << "text";
    set_mode(file, 0644);
  }

  static void set_mode(const fs::path& path, mode_t mode) { ASSERT_EQ(::chmod(path.c_str(), mode), 0); }
  static void give(const fs::path& path, uid_t uid) { ASSERT_EQ(::lchown(path.c_str(), uid, uid), 0); }
  static Way way_to(const fs::path& path) { return Way::to_file(path.string()).value(); }

  const nfbus::test::TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  fs::path file;
};

TEST_F(WayTest, OfRootsOwnIsRootsAloneThoughTmpIsEverybodys) {
  const Way way = way_to(file);
  EXPECT_TRUE(way.is_roots());
  EXPECT_THAT(way.faults(kUser), IsEmpty());
  EXPECT_EQ(way.end().path, file);
  std::array<char, 8> text{};
  EXPECT_EQ(::read(way.descriptor(), text.data(), text.size()), 4);
}

TEST_F(WayTest, NamesWhoeverElseMayChangeAFileOrAFolderAndTheCommandAgainstIt) {
  set_mode(file, 0646);
  give(folder / "sub", kStranger);
  const Way way = way_to(file);
  EXPECT_FALSE(way.is_roots());
  EXPECT_THAT(
      way.faults(kUser),
      ElementsAre((folder / "sub").string() + " belongs to uid 4711, neither to root nor to the user that runs " +
                      "nfbus (uid 65534): chown root " + (folder / "sub").string(),
                  file.string() + " is writable by others than its owner (mode 0646): chmod go-w " + file.string()));
}

TEST_F(WayTest, OfTheUserIsItsButNotRootsAlone) {
  give(file, kUser);
  EXPECT_FALSE(way_to(file).is_roots());
  EXPECT_THAT(way_to(file).faults(kUser), IsEmpty());
  EXPECT_THAT(way_to(file).faults(0), ElementsAre(HasSubstr("belongs to uid 65534")));
}

TEST_F(WayTest, AGroupThatHasOthersInItMayNotWrite) {
  ASSERT_EQ(::chown(file.c_str(), 0, kStranger), 0);
  set_mode(file, 0664);
  EXPECT_THAT(way_to(file).faults(kUser), ElementsAre(HasSubstr("(mode 0664)")));
}

TEST_F(WayTest, FollowsLinksAndJudgesBothThemAndWhatTheyLeadTo) {
  fs::create_symlink(folder / "sub", folder / "absolute");
  fs::create_symlink("../sub/../sub/file", folder / "sub/relative");
  EXPECT_EQ(way_to(folder / "absolute/relative").end().path, file);
  EXPECT_TRUE(way_to(folder / "absolute/relative").is_roots());
  give(folder / "absolute", kStranger);
  EXPECT_FALSE(way_to(folder / "absolute/file").is_roots());
  EXPECT_THAT(way_to(folder / "absolute/file").planted(kUser).value_or(""),
              HasSubstr((folder / "absolute").string() + " is a link that belongs to uid 4711"));
  give(folder / "absolute", kUser);
  EXPECT_EQ(way_to(folder / "absolute/file").planted(kUser), std::nullopt);
  EXPECT_FALSE(way_to(folder / "absolute/file").is_roots());
}

TEST_F(WayTest, AFurtherNameInAFolderOfOthersMayBeAnybodys) {
  fs::create_hard_link(file, folder / "other");
  EXPECT_EQ(way_to(folder / "other").planted(kUser), std::nullopt);
  for (const mode_t mode : {0777U, 01777U}) {
    set_mode(folder, mode);
    EXPECT_THAT(way_to(folder / "other").planted(kUser).value_or(""), HasSubstr("one of 2 names"));
  }
}

TEST_F(WayTest, AFileOfRootsInAStickyFolderMayHaveBeenMovedThere) {
  set_mode(folder / "sub", 01777);
  EXPECT_FALSE(way_to(file).is_roots());
  EXPECT_THAT(way_to(file).faults(kUser), IsEmpty());
}

TEST_F(WayTest, TellsWhatIsNoFile) {
  const auto text = [](const fs::path& path) { return Way::to_file(path.string()).error().text; };
  EXPECT_EQ(text(folder), "is a directory; name a file in it");
  EXPECT_EQ(text(folder / "none"), "no such file");
  EXPECT_EQ(text(file / "below"), "no such file");
  EXPECT_EQ(text(file.string() + "/"), "no such file");
  EXPECT_EQ(text(""), "no file name was given");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(text(folder / "fifo"), "is not a regular file");
  fs::create_symlink("loop", folder / "loop");
  EXPECT_THAT(text(folder / "loop"), HasSubstr("Too many levels of symbolic links"));
}

TEST_F(WayTest, TakesRelativePathsAndFolders) {
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  EXPECT_EQ(way_to("sub/./../sub/file").end().path, file);
  EXPECT_EQ(Way::to_folder("sub/").value().end().path, folder / "sub");
  EXPECT_EQ(Way::to_folder(".").value().end().path, folder);
  fs::current_path(before);
  EXPECT_FALSE(Way::to_folder(file.string()).ok());
}

TEST_F(WayTest, GoesThroughDescriptorsThatProcShows) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_TRUE(Way::to_file("/proc/self/fd/" + std::to_string(fd)).ok());
  ::close(fd);
}

TEST_F(WayTest, OnlyAHostOfRootsMindsWhoLinkedToASecret) {
  fs::create_symlink(file, folder / "link");
  give(folder / "link", kStranger);
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
