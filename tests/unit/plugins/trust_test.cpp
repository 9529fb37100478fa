#include "plugins/trust.hpp"

#include "as_user.hpp"
#include "folder.hpp"
#include "world.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfbus::host::test {
namespace {

using ::testing::AllOf;
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
    ASSERT_EQ(::chown(file.c_str(), 0, kStranger), 0);
    Folder::chmod(file, mode);
    EXPECT_THAT(refusal(folder), AllOf(HasSubstr("it is writable by others than its owner (mode 06"),
                                       HasSubstr("): chmod go-w " + file.string())));
    fs::remove(file);
  }
}

TEST(PluginTrust, RefusesAFileOfAnotherUser) {
  const Folder folder;
  const fs::path file = folder.add(kGood / "noop.so");
  give_to_stranger(file);
  EXPECT_EQ(
      refusal(folder),
      "it belongs to uid 4711, neither to root nor to the user that runs nfbus (uid 0): chown root " + file.string());
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
  const fs::path file = folder.add(kGood / "noop.so");
  give_to_stranger(file);
  EXPECT_EQ(opened_by_stranger(folder, true),
            "it belongs to uid 4711, not to root, whose rights nfbus still has: chown root " + file.string());
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
  const fs::path file = folder.add(kGood / "noop.so");
  Folder::chmod(file, 0600);
  EXPECT_EQ(opened_by_stranger(folder, true),
            "it may not be read by the user that runs nfbus (uid 4711): chmod a+r " + file.string());
}

TEST(PluginTrust, FollowsLinksOfLibrariesOneByOne) {
  const Folder folder;
  folder.add(kGood / "noop.so", "libnoop.so.1.2");
  fs::create_symlink("libnoop.so.1.2", folder.path() / "libnoop.so.1");
  fs::create_symlink(folder.path() / "libnoop.so.1", folder.path() / "libnoop.so");
  const PluginRegistry registry = folder.scan();
  ASSERT_NE(registry.find("noop"), nullptr);
  EXPECT_EQ(registry.find("noop")->file, folder.path() / "libnoop.so");
}

TEST(PluginTrust, TakesALibraryOnceThatALinkNamesAgain) {
  const Folder folder;
  folder.add(kGood / "noop.so", "libnoop-1.2.so");
  fs::create_symlink("libnoop-1.2.so", folder.path() / "libnoop.so");
  fs::create_symlink("libnoop-1.2.so", folder.path() / "a.so");
  const PluginRegistry registry = folder.scan();
  EXPECT_NE(registry.find("noop"), nullptr);
  EXPECT_TRUE(registry.refused().empty());
  // A copy is a plugin of the same name.
  folder.add(kGood / "noop.so", "z.so");
  EXPECT_EQ(folder.scan().refused().size(), 1U);
}

TEST(PluginTrust, JudgesALinkAndTheWholeWayOfItsTarget) {
  const Folder folder;
  const Folder other;
  fs::create_directory(other.path() / "sub");
  fs::copy_file(kGood / "noop.so", other.path() / "sub/noop.so");
  Folder::chmod(other.path() / "sub/noop.so", 0644);
  const fs::path link = folder.path() / "noop.so";
  fs::create_symlink(other.path() / "sub/noop.so", link);
  ASSERT_NE(folder.scan().find("noop"), nullptr);

  give_to_stranger(link);
  EXPECT_EQ(refusal(folder), link.string() +
                                 " is a link that belongs to uid 4711, neither to root nor to the user that "
                                 "runs nfbus (uid 0): remove it, or name the file that is meant");
  ASSERT_EQ(::lchown(link.c_str(), 0, 0), 0);

  Folder::chmod(other.path() / "sub/noop.so", 0646);
  EXPECT_EQ(refusal(folder), (other.path() / "sub/noop.so").string() +
                                 " is writable by others than its owner (mode 0646): chmod go-w " +
                                 (other.path() / "sub/noop.so").string());
  Folder::chmod(other.path() / "sub/noop.so", 0644);

  give_to_stranger(other.path() / "sub");
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr((other.path() / "sub").string() + " belongs to uid 4711"),
                                     HasSubstr(": chown root " + (other.path() / "sub").string())));
  ASSERT_EQ(::chown((other.path() / "sub").c_str(), 0, 0), 0);

  Folder::chmod(other.path(), 0777);
  EXPECT_THAT(refusal(folder), HasSubstr(other.path().string() + " is writable by others"));
  Folder::chmod(other.path(), 0755);
  EXPECT_NE(folder.scan().find("noop"), nullptr);
}

TEST(PluginTrust, SaysWhereALinkLeadsThatLeadsNowhere) {
  const Folder folder;
  const std::string missing = (folder.path() / "nowhere.so.1").string();
  fs::create_symlink("nowhere.so.1", folder.path() / "link.so");
  EXPECT_EQ(refusal(folder), "it is a link: cannot open " + missing + ": No such file or directory");
  fs::remove(folder.path() / "link.so");
  fs::create_symlink("link.so", folder.path() / "link.so");
  EXPECT_THAT(refusal(folder), HasSubstr("Too many levels of symbolic links"));
  fs::remove(folder.path() / "link.so");
  fs::create_symlink("/dev/null", folder.path() / "link.so");
  EXPECT_EQ(refusal(folder), "/dev/null is not a regular file");
}

TEST(PluginTrust, RefusesAFurtherNameThatSomebodyMayHaveMade) {
  const Folder folder;
  const Folder open;
  folder.add(kGood / "noop.so", "noop.real");
  fs::create_hard_link(folder.path() / "noop.real", open.path() / "noop.so");
  Folder::chmod(open.path(), 01777);
  fs::create_symlink(open.path() / "noop.so", folder.path() / "noop.so");
  EXPECT_THAT(refusal(folder), HasSubstr("noop.so is one of 2 names of a file"));
}

TEST(PluginTrust, RefusesALinkOfProcWhoseWayNobodySees) {
  const Folder folder;
  const fs::path file = folder.add(kGood / "noop.so", "noop.real");
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  fs::create_symlink("/proc/self/fd/" + std::to_string(fd.get()), folder.path() / "noop.so");
  EXPECT_THAT(refusal(folder), HasSubstr("is reached through a link of /proc"));
}

// ---- Groups and namespaces of users ----

constexpr char kAccounts[] = "stranger:x:4711:4711::/:/bin/sh\nbob:x:4714:4714::/:/bin/sh\n";

// What the stranger, who runs the host, says of what his group may write.
std::string opened_with_group(const Folder& folder, const std::string& group, bool starting = false) {
  return nfbus::test::in_world({.passwd = kAccounts, .group = group},
                               [&] { return opened_by_stranger(folder, starting); });
}

TEST(PluginTrust, ThePrivateGroupOfTheUserMayWrite) {
  const Folder folder;
  const fs::path file = folder.add(kGood / "noop.so");
  for (const fs::path& path : {folder.path(), file}) {
    give_to_stranger(path);
    Folder::chmod(path, 0775);
  }
  EXPECT_EQ(opened_with_group(folder, "stranger:x:4711:\n"), "opened");
  EXPECT_EQ(opened_with_group(folder, "stranger:x:4711:bob\n"),
            folder.path().string() + " is writable by others than its owner (mode 0775): chmod go-w " +
                folder.path().string());
  EXPECT_THAT(opened_with_group(folder, ""), HasSubstr("(mode 0775)"));
}

TEST(PluginTrust, ThePrivateGroupOfTheUserMayNotWriteWhileThereAreRightsOfRoots) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  ASSERT_EQ(::chown(folder.path().c_str(), 0, kStranger), 0);
  Folder::chmod(folder.path(), 0775);
  EXPECT_EQ(opened_with_group(folder, "stranger:x:4711:\n"), "opened");
  EXPECT_THAT(opened_with_group(folder, "stranger:x:4711:\n", true), HasSubstr("(mode 0775)"));
}

TEST(PluginTrust, AGroupOfNobodyMayWriteAsDebiansStaffInUsrLocal) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  ASSERT_EQ(::chown(folder.path().c_str(), 0, 50), 0);
  Folder::chmod(folder.path(), 02775);
  EXPECT_EQ(opened_with_group(folder, "staff:x:50:\n"), "opened");
  EXPECT_EQ(opened_with_group(folder, "staff:x:50:\n", true), "opened");
  EXPECT_THAT(opened_with_group(folder, "staff:x:50:bob\n"),
              HasSubstr("(mode 2775): chmod go-w " + folder.path().string()));
}

TEST(PluginTrust, InANamespaceOfUsersWhatIsOfOutsideIsRootsButWhereAllMayWrite) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  const auto opened = [&](uid_t uid) {
    return nfbus::test::in_user_namespace(uid, [&]() -> std::string {
      const auto found = open_trusted_folder(folder.path());
      if (!found) return found.error().text;
      const auto file = open_trusted_file(*found, "noop.so");
      return file ? "opened" : file.error().text;
    });
  };
  give_to_stranger(folder.path());
  const std::string said = opened(kStranger);
  if (said == "no namespace of users") GTEST_SKIP() << said;
  EXPECT_EQ(said, "opened");  // "/" and /tmp are the machine's root's, the file is, too
  Folder::chmod(folder.path(), 0777);
  EXPECT_THAT(opened(kStranger), HasSubstr("(mode 0777)"));
  Folder::chmod(folder.path(), 0755);
  EXPECT_EQ(opened(4714), folder.path().string() +
                              " belongs to uid 65534, neither to root nor to the user that runs nfbus (uid 0): that is "
                              "anybody outside of this user namespace; name a copy of your own");
}

TEST(PluginTrust, WhatTheUserMayChangeByItsGroupIsNotRootsAlone) {
  const Folder folder;
  ASSERT_EQ(::chown(folder.path().c_str(), 0, kStranger), 0);
  Folder::chmod(folder.path(), 0775);
  const auto judged = [&](const std::string& group) {
    return nfbus::test::in_world({.passwd = kAccounts, .group = group},
                                 [&] { return are_roots_alone({folder.path()}, kStranger) ? "root's" : "the user's"; });
  };
  EXPECT_EQ(judged("stranger:x:4711:\n"), "the user's");
  EXPECT_EQ(judged("stranger:x:4711:bob\n"), "root's");  // it is refused
}

TEST(PluginTrust, OwnersAreRootsOnlyIfThoseOfTargetsAreToo) {
  const Folder folder;
  const Folder other;
  EXPECT_TRUE(are_roots_alone({folder.path(), folder.path() / "missing"}, kStranger));
  const fs::path target = other.add(kGood / "noop.so", "noop.so.1");
  fs::create_symlink(target, folder.path() / "noop.so");
  fs::create_directory_symlink(folder.path(), other.path() / "link");
  EXPECT_TRUE(are_roots_alone({folder.path(), other.path() / "link"}, kStranger));
  give_to_stranger(target);
  EXPECT_FALSE(are_roots_alone({folder.path()}, kStranger));
  EXPECT_FALSE(are_roots_alone({other.path() / "link"}, kStranger));
  fs::remove(folder.path() / "noop.so");
  EXPECT_TRUE(are_roots_alone({folder.path(), other.path() / "link"}, kStranger));
  give_to_stranger(other.path() / "link");
  EXPECT_FALSE(are_roots_alone({other.path() / "link"}, kStranger));
  give_to_stranger(folder.path());
  EXPECT_FALSE(are_roots_alone({folder.path() / "missing"}, kStranger));
}

TEST(PluginTrust, RefusesAFolderThatOthersMayWriteEvenIfItIsSticky) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  ASSERT_EQ(::chown(folder.path().c_str(), 0, kStranger), 0);
  Folder::chmod(folder.path(), 0775);
  EXPECT_EQ(refusal(folder), "no plugins are loaded from here: " + folder.path().string() +
                                 " is writable by others than its owner (mode 0775): chmod go-w " +
                                 folder.path().string());
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

TEST(PluginTrust, TakesAPathThatLeadsThroughALinkOfRootsAsUsrmergeMakes) {
  const Folder folder;
  fs::create_directories(folder.path() / "usr/lib/plugins");
  fs::copy_file(kGood / "noop.so", folder.path() / "usr/lib/plugins/noop.so");
  fs::create_directory_symlink("usr/lib", folder.path() / "lib");
  const PluginRegistry both = PluginRegistry::scan({folder.path() / "lib/plugins", folder.path() / "usr/lib/plugins"});
  EXPECT_NE(both.find("noop"), nullptr);
  EXPECT_TRUE(both.refused().empty());  // one folder, named twice

  give_to_stranger(folder.path() / "lib");
  const auto opened = open_trusted_folder(folder.path() / "lib/plugins");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::refused);
  EXPECT_THAT(opened.error().text, HasSubstr((folder.path() / "lib").string() + " is a link that belongs to uid 4711"));
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
