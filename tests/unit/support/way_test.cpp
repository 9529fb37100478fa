#include "support/way.hpp"

#include "temporary_folder.hpp"
#include "world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
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

TEST_F(WayTest, SaysWhereItStopped) {
  WayStop stop;
  EXPECT_FALSE(Way::to_file((folder / "none/file").string(), &stop).ok());
  EXPECT_EQ(stop.path, folder / "none");
  EXPECT_EQ(stop.error_number, ENOENT);
  EXPECT_TRUE(stop.is_owned_by_root);
  fs::create_symlink("sub/none", folder / "link");
  give(folder / "link", kUser);
  EXPECT_FALSE(Way::to_file((folder / "link").string(), &stop).ok());
  EXPECT_EQ(stop.path, folder / "sub/none");
  EXPECT_FALSE(stop.is_owned_by_root);
}

TEST_F(WayTest, AGroupWithNobodyElseMayWrite) {
  ASSERT_EQ(::chown((folder / "sub").c_str(), 0, 50), 0);
  set_mode(folder / "sub", 02775);
  const auto faults = [&](const std::string& group) {
    return nfbus::test::in_world({.passwd = "bob:x:4714:4714::/:/bin/sh\n", .group = group}, [&] {
      const Way way = way_to(file);
      std::string all = way.is_roots() ? "roots " : "";
      for (const std::string& fault : way.faults(kUser)) all += fault;
      return all;
    });
  };
  EXPECT_EQ(faults("staff:x:50:\n"), "roots ");
  EXPECT_THAT(faults("staff:x:50:bob\n"), HasSubstr("(mode 2775): chmod go-w " + (folder / "sub").string()));
}

TEST_F(WayTest, InANamespaceOfUsersWhatIsOfOutsideIsRootsButWhereAllMayWrite) {
  give(folder, kStranger);
  set_mode(folder, 0755);
  const auto faults = [&](uid_t uid) {
    return nfbus::test::in_user_namespace(uid, [&] {
      std::string all;
      for (const std::string& fault : way_to(file).faults(0)) all += fault;
      return all;
    });
  };
  const std::string said = faults(kStranger);
  if (said == "no namespace of users") GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
  EXPECT_EQ(faults(4714), folder.string() +
                              " belongs to uid 65534, not to root: that is anybody outside of this user "
                              "namespace; name a copy of your own");
}

}  // namespace
}  // namespace nfbus::host
