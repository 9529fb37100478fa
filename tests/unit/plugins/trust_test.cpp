#include "plugins/trust.hpp"

#include "as_user.hpp"
#include "folder.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfbus::host::test {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kStranger = 4711;

void give_to_stranger(const fs::path& file) { ASSERT_EQ(::lchown(file.c_str(), kStranger, kStranger), 0); }

TEST(PluginTrust, AcceptsAPluginThatOnlyItsOwnerMayWrite) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  EXPECT_NE(folder.scan().find("noop"), nullptr);
}

TEST(PluginTrust, RefusesAFileThatOthersMayWrite) {
  const Folder folder;
  for (const unsigned mode : {0664U, 0646U, 0666U}) {
    const fs::path file = folder.add(kGood / "noop.so");
    Folder::chmod(file, mode);
    EXPECT_THAT(refusal(folder), HasSubstr("it is writable by others than its owner (mode 06"));
    fs::remove(file);
  }
}

TEST(PluginTrust, RefusesAFileOfAnotherUser) {
  const Folder folder;
  give_to_stranger(folder.add(kGood / "noop.so"));
  EXPECT_EQ(refusal(folder),
            "it belongs to uid 4711, neither to root nor to the user that runs nfbus (uid 0): chown it");
}

// The effective user opens a plugin, while the host starts and has a right of root's, or later.
std::string opened_by_stranger(const Folder& folder, bool starting) {
  return nfbus::test::as_user(kStranger, starting, [&]() -> std::string {
    const auto opened = open_trusted_folder(folder.path());
    if (!opened) return opened.error().text;
    const auto file = open_trusted_file(*opened, "noop.so");
    return file ? "opened" : file.error().text;
  });
}

TEST(PluginTrust, AcceptsAFileOfTheUserThatRunsTheHost) {
  const Folder folder;
  give_to_stranger(folder.add(kGood / "noop.so"));
  EXPECT_EQ(opened_by_stranger(folder, false), "opened");
}

TEST(PluginTrust, RefusesAllThatIsNotRootsWhileThereAreRightsOfRoots) {
  const Folder folder;
  give_to_stranger(folder.add(kGood / "noop.so"));
  EXPECT_EQ(opened_by_stranger(folder, true),
            "it belongs to uid 4711, not to root, whose rights nfbus still has: chown it");
  give_to_stranger(folder.path());
  EXPECT_THAT(opened_by_stranger(folder, true),
              HasSubstr(folder.path().string() + " belongs to uid 4711, not to root"));
}

TEST(PluginTrust, OpensFoldersOfRootsAloneOnlyWhileThereAreRightsOfRoots) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  Folder::chmod(folder.path(), 0700);
  EXPECT_EQ(opened_by_stranger(folder, true), "opened");
  EXPECT_THAT(opened_by_stranger(folder, false), HasSubstr("Permission denied"));
}

TEST(PluginTrust, RefusesAFileThatTheLoaderCouldOpenWithRightsOfRootsAlone) {
  const Folder folder;
  Folder::chmod(folder.add(kGood / "noop.so"), 0600);
  EXPECT_EQ(opened_by_stranger(folder, true),
            "it may not be read by the user that runs nfbus (uid 4711): chmod a+r it");
}

TEST(PluginTrust, RefusesASymbolicLinkAndNamesItsTarget) {
  const Folder folder;
  fs::create_symlink(kGood / "noop.so", folder.path() / "link.so");
  EXPECT_EQ(refusal(folder),
            "it is a symbolic link to " + (kGood / "noop.so").string() + ": use the real file or folder instead");
}

TEST(PluginTrust, RefusesAFolderThatOthersMayWriteEvenIfItIsSticky) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  Folder::chmod(folder.path(), 0775);
  EXPECT_EQ(refusal(folder), "no plugins are loaded from here: " + folder.path().string() +
                                 " is writable by others than its owner (mode 0775): chmod go-w it");
  Folder::chmod(folder.path(), 01777);
  EXPECT_THAT(refusal(folder), HasSubstr("(mode 1777)"));
}

TEST(PluginTrust, RefusesAFolderOfAnotherUser) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  give_to_stranger(folder.path());
  EXPECT_THAT(refusal(folder), HasSubstr(folder.path().string() + " belongs to uid 4711"));
}

TEST(PluginTrust, RefusesAFolderBelowOneThatOthersMayWrite) {
  const Folder above;
  fs::create_directories(above.path() / "open/plugins");
  fs::copy_file(kGood / "noop.so", above.path() / "open/plugins/noop.so");
  const auto scan = [&] { return PluginRegistry::scan({above.path() / "open/plugins"}); };
  ASSERT_NE(scan().find("noop"), nullptr);

  Folder::chmod(above.path() / "open", 0777);
  const PluginRegistry open = scan();
  EXPECT_EQ(open.find("noop"), nullptr);
  ASSERT_EQ(open.refused().size(), 1U);
  EXPECT_EQ(open.refused()[0].file, above.path() / "open/plugins");
  EXPECT_THAT(open.refused()[0].error.text, HasSubstr("/open is writable by others"));

  Folder::chmod(above.path() / "open", 01777);  // as /tmp
  EXPECT_NE(scan().find("noop"), nullptr);

  give_to_stranger(above.path() / "open");  // a stranger's sticky folder is his to change
  EXPECT_EQ(scan().find("noop"), nullptr);
}

TEST(PluginTrust, RefusesAPathThatLeadsThroughASymbolicLink) {
  const Folder folder;
  fs::create_directories(folder.path() / "real/plugins");
  fs::create_directory_symlink(folder.path() / "real", folder.path() / "link");
  const auto opened = open_trusted_folder(folder.path() / "link/plugins");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::refused);
  EXPECT_EQ(opened.error().text, (folder.path() / "link").string() + " is a symbolic link to " +
                                     (folder.path() / "real").string() + ": use the real file or folder instead");
}

TEST(PluginTrust, TakesRelativePathsAndTrailingSlashes) {
  const Folder folder;
  fs::create_directory(folder.path() / "plugins");
  EXPECT_TRUE(open_trusted_folder(folder.path().string() + "/plugins/").ok());
  EXPECT_TRUE(open_trusted_folder(folder.path() / "plugins/../plugins/.").ok());
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  EXPECT_TRUE(open_trusted_folder("plugins").ok());
  fs::current_path(before);
}

TEST(PluginTrust, NamesAMissingFolder) {
  const Folder folder;
  const PluginRegistry registry = PluginRegistry::scan({folder.path() / "nowhere"});
  ASSERT_EQ(registry.refused().size(), 1U);
  EXPECT_EQ(registry.refused()[0].error.code, Code::not_found);
  EXPECT_EQ(registry.refused()[0].error.text, "no plugins are loaded from here: cannot open " +
                                                  (folder.path() / "nowhere").string() + ": No such file or directory");
}

TEST(PluginTrust, NamesAPluginFolderThatIsAFile) {
  const Folder folder;
  const fs::path file = folder.add_bytes("plugins", "");
  const auto opened = open_trusted_folder(file);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().text, file.string() + " is not a folder");
}

TEST(PluginTrust, RefusesWhatIsNoRegularFileWithoutWaitingForIt) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder.path() / "fifo.so").c_str(), 0600), 0);
  EXPECT_EQ(refusal(folder), "it is not a regular file");
  fs::remove(folder.path() / "fifo.so");
  fs::create_directory(folder.path() / "folder.so");
  EXPECT_EQ(refusal(folder), "it is not a regular file");
}

}  // namespace
}  // namespace nfbus::host::test
