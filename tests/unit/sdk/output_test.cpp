// Where outputs are opened, and where not: links, hard links and folders of others, as root and as the user that the
// host is about to become.
#include <nfbus/util/output_access.hpp>
#include <nfbus/util/output_lock.hpp>
#include <nfbus/util/output_place.hpp>

#include "as_user.hpp"
#include "temporary_folder.hpp"
#include "world.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;
using namespace nfbus::util;
using nfbus::test::as_user;
using nfbus::test::kNobody;
using nfbus::test::read_file;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kStranger = 4711;

// Opens the path as a sink does, adds a line, and says "written", or why not.
std::string append_to(const fs::path& path) {
  nfbus::Result<OutputPlace> place = find_output(path.string());
  if (!place.ok()) return place.error().text;
  const Opening opened = place->open_or_make(O_WRONLY | O_APPEND);
  if (!opened.fd.valid()) return cannot_open(path.string(), opened).text;
  return ::write(opened.fd.get(), "ours\n", 5) == 5 ? "written" : "cannot write";
}

class OutputTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    fs::permissions(folder_, fs::perms(0755));
    umask(022);
    std::ofstream(secret()) << "secret\n";
    fs::permissions(secret(), fs::perms(0600));
  }

  [[nodiscard]] fs::path secret() const { return folder_ / "secret"; }
  // A folder of that user.
  [[nodiscard]] fs::path folder_of(uid_t uid, int mode = 0755) const {
    fs::path path = folder_ / ("of-" + std::to_string(uid));
    fs::create_directory(path);
    EXPECT_EQ(chown(path.c_str(), uid, uid), 0);
    fs::permissions(path, fs::perms(mode));
    return path;
  }
  static void link_as(uid_t uid, const fs::path& target, const fs::path& link) {
    fs::create_symlink(target, link);
    EXPECT_EQ(lchown(link.c_str(), uid, uid), 0);
  }

  const nfbus::test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

// ---- As root ----

TEST_F(OutputTest, MakesAFileThatOthersMayNotRead) {
  EXPECT_EQ(append_to(folder_ / "out"), "written");
  EXPECT_EQ(append_to(folder_ / "out"), "written");
  EXPECT_EQ(read_file(folder_ / "out"), "ours\nours\n");
  struct stat found {};
  ASSERT_EQ(stat((folder_ / "out").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0640U);
}

TEST_F(OutputTest, FollowsNoLinkOfAStrangerAtTheEndOrOnTheWay) {
  const fs::path strange = folder_of(kStranger);
  link_as(kStranger, secret(), strange / "out");
  link_as(kStranger, folder_, strange / "way");
  link_as(0, strange / "way", folder_ / "chain");
  EXPECT_THAT(append_to(strange / "out"),
              AllOf(HasSubstr("belongs to uid 4711"), HasSubstr(secret().string()), HasSubstr("remove it")));
  EXPECT_THAT(append_to(strange / "way" / "secret"), HasSubstr("way is a link to"));
  EXPECT_THAT(append_to(folder_ / "chain" / "secret"), HasSubstr("way is a link to"));
  EXPECT_EQ(read_file(secret()), "secret\n");
}

TEST_F(OutputTest, FollowsLinksOfRoot) {
  fs::create_directory(folder_ / "disk");
  link_as(0, "disk", folder_ / "logs");
  link_as(0, "logs/there", folder_ / "out");
  std::ofstream(folder_ / "disk" / "there").put('\n');
  EXPECT_EQ(append_to(folder_ / "logs" / "new"), "written");
  EXPECT_EQ(append_to(folder_ / "out"), "written");
  EXPECT_EQ(read_file(folder_ / "disk" / "new"), "ours\n");
  EXPECT_EQ(read_file(folder_ / "disk" / "there"), "\nours\n");
}

TEST_F(OutputTest, ALinkToNothingMakesNothing) {
  link_as(0, folder_ / "cron" / "job", folder_ / "nowhere");
  link_as(0, folder_ / "job", folder_ / "out");
  link_as(0, folder_ / "loop", folder_ / "loop");
  EXPECT_THAT(append_to(folder_ / "out"), AllOf(HasSubstr("is a link to"), HasSubstr("remove the link")));
  EXPECT_THAT(append_to(folder_ / "nowhere"), HasSubstr("cannot open"));
  EXPECT_THAT(append_to(folder_ / "loop"), HasSubstr("levels of symbolic links"));
  EXPECT_FALSE(fs::exists(folder_ / "job"));
}

TEST_F(OutputTest, AHardLinkCountsWhereOthersMayMakeOne) {
  const fs::path strange = folder_of(kStranger);
  fs::create_hard_link(secret(), strange / "out");
  EXPECT_THAT(append_to(strange / "out"), AllOf(HasSubstr("is a hard link"), HasSubstr("2 names")));
  fs::create_directory(folder_ / "all");
  fs::create_hard_link(secret(), folder_ / "all" / "out");
  fs::permissions(folder_ / "all", fs::perms(01777));
  EXPECT_THAT(append_to(folder_ / "all" / "out"), HasSubstr("is a hard link"));
  fs::create_directory(strange / "roots");
  fs::create_hard_link(secret(), strange / "roots" / "out");
  EXPECT_THAT(append_to(strange / "roots" / "out"), HasSubstr("is a hard link")) << "its folder can be exchanged";
  EXPECT_EQ(read_file(secret()), "secret\n");
  fs::create_hard_link(secret(), folder_ / "second");
  EXPECT_EQ(append_to(folder_ / "second"), "written") << "root alone made that name";
}

TEST_F(OutputTest, WhatAStrangerMadeFirstInAFolderOfAllIsNotWrittenTo) {
  const fs::path all = folder_ / "all";
  fs::create_directory(all);
  fs::permissions(all, fs::perms(01777));
  std::ofstream(all / "file").close();
  ASSERT_EQ(mkfifo((all / "fifo").c_str(), 0666), 0);
  const int reader = ::open((all / "fifo").c_str(), O_RDONLY | O_NONBLOCK);
  for (const char* name : {"file", "fifo"}) {
    fs::permissions(all / name, fs::perms(0666));
    ASSERT_EQ(chown((all / name).c_str(), kStranger, kStranger), 0);
    EXPECT_THAT(append_to(all / name), AllOf(HasSubstr("belongs to uid 4711"), HasSubstr("remove it"))) << name;
    EXPECT_THAT(as_user(kNobody, false, [&] { return append_to(all / name); }), HasSubstr("belongs to uid 4711"));
  }
  EXPECT_EQ(read_file(all / "file"), "");
  std::ofstream(all / "ours").close();
  ASSERT_EQ(chown((all / "ours").c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(as_user(kNobody, false, [&] { return append_to(all / "ours"); }), "written");
  const fs::path strange = folder_of(kStranger);
  std::ofstream(strange / "file").close();
  ASSERT_EQ(chown((strange / "file").c_str(), kStranger, kStranger), 0);
  EXPECT_EQ(append_to(strange / "file"), "written") << "its folder is his as well";
  close(reader);
}

TEST_F(OutputTest, AFolderThatIsExchangedAfterwardsDoesNotMatter) {
  const fs::path strange = folder_of(kStranger);
  nfbus::Result<OutputPlace> place = find_output((strange / "secret").string());
  ASSERT_TRUE(place.ok());
  fs::rename(strange, folder_ / "away");
  link_as(kStranger, folder_, strange);
  EXPECT_TRUE(place->open_or_make(O_WRONLY).fd.valid());
  EXPECT_EQ(place->folder.remove("secret"), 0);
  EXPECT_EQ(read_file(secret()), "secret\n");
}

TEST_F(OutputTest, OpensAFifoAndADeviceByTheSameRules) {
  const fs::path strange = folder_of(kStranger);
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const int reader = ::open((folder_ / "fifo").c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_EQ(append_to(folder_ / "fifo"), "written");
  link_as(kStranger, folder_ / "fifo", strange / "fifo");
  EXPECT_THAT(append_to(strange / "fifo"), HasSubstr("is a link"));
  close(reader);
  EXPECT_EQ(append_to("/dev/null"), "written");
  EXPECT_THAT(append_to(folder_), HasSubstr("it is a folder"));
  EXPECT_THAT(append_to(folder_ / "sub" / "x"), HasSubstr("create " + (folder_ / "sub").string()));
}

TEST_F(OutputTest, OnlyAFifoIsGivenAwayAndNeverWithMoreThanPermissions) {
  const nfbus::Result<OutputFolder> folder = find_output_folder(folder_.string());
  ASSERT_TRUE(folder.ok());
  struct stat like {};
  ASSERT_EQ(mkfifo((folder_ / "strange").c_str(), 0600) + chown((folder_ / "strange").c_str(), kStranger, kStranger) +
                chmod((folder_ / "strange").c_str(), 06777) + stat((folder_ / "strange").c_str(), &like),
            0);
  struct stat found {};
  EXPECT_EQ(folder->give_fifo_away("secret", like), EEXIST) << "renamed onto it in between";
  ASSERT_EQ(stat(secret().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
  EXPECT_EQ(found.st_uid, 0U);
  ASSERT_EQ(folder->make_fifo("next", 0600), 0);
  EXPECT_EQ(folder->give_fifo_away("next", like), 0);
  ASSERT_EQ(stat((folder_ / "next").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0777U);
  EXPECT_EQ(found.st_uid, kStranger);
}

// ---- One writer ----

// A file of another file system with the same inode number is another file.
TEST_F(OutputTest, WhoHoldsAFileIsToldByItsFileSystemToo) {
  const int held = open(secret().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_TRUE(hold(held));
  EXPECT_EQ(holder_of(held, "nobody knows"), "another sink of this host");
  struct stat file {};
  ASSERT_EQ(fstat(held, &file), 0);
  std::ifstream locks("/proc/locks");
  const std::string text{std::istreambuf_iterator<char>(locks), {}};
  EXPECT_THAT(text, HasSubstr(' ' + detail::place_in_locks(file) + ' '));
  ++file.st_dev;
  EXPECT_THAT(text, Not(HasSubstr(' ' + detail::place_in_locks(file) + ' ')));
  close(held);
}

TEST_F(OutputTest, AReaderWhoLocksAFileStopsNoWriterButAWriterDoes) {
  const Descriptor reader(open(secret().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(reader.get(), LOCK_EX), 0);
  struct flock all {};
  all.l_type = F_RDLCK;
  ASSERT_EQ(fcntl(reader.get(), F_OFD_SETLK, &all), 0);
  Descriptor writer(open(secret().c_str(), O_RDWR | O_CLOEXEC));
  OutputLock lock;
  EXPECT_TRUE(lock.take(writer, secret()).ok());
  all.l_type = F_UNLCK;
  ASSERT_EQ(fcntl(reader.get(), F_OFD_SETLK, &all), 0);
  EXPECT_TRUE(lock.take(writer, secret()).ok());
  Descriptor other(open(secret().c_str(), O_RDWR | O_CLOEXEC));
  OutputLock second;
  const nfbus::Result<void> refused = second.take(other, secret());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, nfbus::Code::busy);
  EXPECT_TRUE(second.waits(secret()).has_value());
  writer.close();
  EXPECT_FALSE(second.waits(secret()).has_value());
}

// ---- While the host starts ----

TEST_F(OutputTest, AStartMakesAFileInAFolderThatRootAloneCanChange) {
  const fs::path own = folder_of(0, 0700);
  EXPECT_EQ(as_user(kNobody, true, [&] { return append_to(own / "out"); }), "written");
  EXPECT_EQ(as_user(kNobody, true, [&] { return append_to(own / "out"); }), "written");
  EXPECT_EQ(read_file(own / "out"), "ours\nours\n");
  struct stat found {};
  ASSERT_EQ(stat((own / "out").c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, kNobody);
  EXPECT_THAT(as_user(kNobody, false, [&] { return append_to(own / "out"); }),
              HasSubstr("Permission denied; let uid 65534"));
}

TEST_F(OutputTest, AStartGivesNothingThatTheUserCouldNotOpen) {
  const fs::path own = folder_of(0, 0755);
  const fs::path users = folder_of(kNobody);
  const fs::path hidden = folder_ / "hidden";
  fs::create_directory(hidden);
  fs::permissions(hidden, fs::perms(0700));
  std::ofstream(hidden / "seen") << "secret\n";
  std::ofstream(own / "roots") << "secret\n";
  std::ofstream(own / "two") << "secret\n";
  ASSERT_EQ(chown((own / "two").c_str(), kNobody, kNobody), 0);
  fs::permissions(own / "two", fs::perms(0400));
  fs::create_hard_link(own / "two", own / "names");
  link_as(kNobody, secret(), users / "file");
  link_as(kNobody, hidden / "made", users / "dangling");
  link_as(kNobody, hidden, users / "folder");
  const auto refusal = [&](const fs::path& path) { return as_user(kNobody, true, [&] { return append_to(path); }); };
  for (const fs::path& path : {users / "file", users / "dangling", users / "folder" / "made", users / "folder" / "seen",
                               own / "roots", own / "two", hidden / "seen"}) {
    EXPECT_THAT(refusal(path), HasSubstr("cannot open")) << path;
  }
  EXPECT_EQ(read_file(secret()) + read_file(own / "roots") + read_file(own / "two") + read_file(hidden / "seen"),
            "secret\nsecret\nsecret\nsecret\n");
  EXPECT_FALSE(fs::exists(hidden / "made"));
}

TEST_F(OutputTest, AStartMakesNothingInAFolderThatAStrangerMayChange) {
  const fs::path strange = folder_of(kStranger);
  const fs::path shared = folder_ / "shared";
  fs::create_directories(shared / "below");
  ASSERT_EQ(chown(shared.c_str(), 0, kStranger), 0);
  fs::permissions(shared, fs::perms(0775));
  for (const fs::path& path : {strange / "out", shared / "below" / "out"}) {
    EXPECT_THAT(as_user(kNobody, true, [&] { return append_to(path); }), HasSubstr("Permission denied")) << path;
    EXPECT_FALSE(fs::exists(path));
  }
}

// ---- What will not work later ----

std::string later(const fs::path& path) {
  return as_user(kNobody, true, [&] {
    const std::optional<nfbus::Error> trouble = output_trouble(path.string());
    return trouble ? trouble->text : "fine";
  });
}

TEST_F(OutputTest, SaysWhatWillNotWorkLaterWithTheCommandThatMendsIt) {
  const fs::path own = folder_of(0);
  const fs::path users = folder_of(kNobody);
  EXPECT_EQ(later(users / "out"), "fine");
  EXPECT_EQ(later("/dev/null"), "fine");
  EXPECT_THAT(later(own / "out"), HasSubstr("; chown nobody " + own.string()));
  std::ofstream(own / "out").put('\n');
  EXPECT_THAT(later(own / "out"), HasSubstr("; chown nobody " + (own / "out").string()));
  ASSERT_EQ(chown((own / "out").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(later(own / "out"), AllOf(HasSubstr("not rotated"), HasSubstr("; chown nobody " + own.string())));
  fs::permissions(users, fs::perms(0555));
  EXPECT_THAT(later(users / "out"), HasSubstr("; chmod u+rwx " + users.string()));
  fs::permissions(own, fs::perms(0700));
  EXPECT_THAT(later(own / "sub" / "out"), HasSubstr("; chmod a+x " + own.string()));
  EXPECT_THAT(later(folder_ / "none" / "out"),
              HasSubstr("; install -d -o nobody -g nogroup " + (folder_ / "none").string()));
  EXPECT_THAT(later("/var/log/nfbus-packets.json"), HasSubstr("install -d -o nobody"))
      << "nobody should be told to give /var/log away";
  EXPECT_EQ(access(own.c_str(), F_OK), 0);
  EXPECT_FALSE(fs::exists(users / "out")) << "it only looks";
}

TEST_F(OutputTest, NeverTellsToGiveAwayWhatALinkOfTheUserLeadsTo) {
  const fs::path own = folder_of(0);
  const fs::path users = folder_of(kNobody);
  const fs::path closed = folder_ / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms(0700));
  link_as(kNobody, secret(), users / "file");
  link_as(kNobody, own / "none", users / "dangling");
  link_as(kNobody, own, users / "folder");
  link_as(kNobody, "folder", users / "chain");
  link_as(kNobody, closed, users / "closed");
  for (const fs::path& path : {users / "file", users / "dangling", users / "folder" / "out",
                               users / "folder" / "none" / "out", users / "chain" / "out", users / "closed" / "out"}) {
    const fs::path link = users / *path.lexically_relative(users).begin();
    EXPECT_THAT(later(path),
                AllOf(HasSubstr("remove the link " + link.string()), Not(HasSubstr("chown")), Not(HasSubstr("chmod")),
                      Not(HasSubstr("install")), Not(HasSubstr("make that file"))))
        << path;
  }
  link_as(kNobody, closed / "seen", users / "unseen");
  EXPECT_THAT(later(users / "unseen"),
              AllOf(HasSubstr("remove the link " + (users / "unseen").string()), Not(HasSubstr("is not there"))))
      << "nobody can say what is in a closed folder";
  fs::create_hard_link(secret(), users / "hard");
  EXPECT_THAT(later(users / "hard"), AllOf(HasSubstr("a hard link"), Not(HasSubstr("chown"))));
  link_as(0, own, folder_ / "logs");
  EXPECT_THAT(later(folder_ / "logs" / "out"), HasSubstr("; chown nobody " + own.string())) << "root chose it";
}

TEST_F(OutputTest, APathIsOneWordOfACommand) {
  const fs::path odd = folder_ / "x;reboot";
  const fs::path quoted = folder_ / "it's";
  fs::create_directory(odd);
  fs::create_directory(quoted);
  EXPECT_THAT(later(odd / "out"), EndsWith("; chown nobody '" + odd.string() + "'"));
  EXPECT_THAT(later(quoted / "out"), EndsWith("; chown nobody '" + folder_.string() + "/it'\\''s'"));
  EXPECT_THAT(later(folder_ / "no $(reboot)" / "out"), EndsWith(" '" + folder_.string() + "/no $(reboot)'"));
  std::ofstream(odd / "out").put('\n');
  EXPECT_THAT(later(odd / "out"), EndsWith("; chown nobody '" + odd.string() + "/out'"));
  fs::permissions(odd, fs::perms(0700));
  EXPECT_THAT(later(odd / "sub" / "out"), EndsWith("; chmod a+x '" + odd.string() + "'"));
}

TEST_F(OutputTest, AFolderOfManyProgramsIsNotGivenAwayHoweverItIsSpelt) {
  for (const char* path :
       {"/var/log/../log/x", "/var/log/./x", "/usr/local/x", "/var/cache/x", "/usr/bin/x", "/etc/x"}) {
    EXPECT_THAT(later(path), AllOf(HasSubstr("install -d -o nobody"), Not(HasSubstr("chown")))) << path;
  }
  const auto later_in = [](const fs::path& folder, const fs::path& path) {
    const fs::path before = fs::current_path();
    fs::current_path(folder);
    std::string said = later(path);
    fs::current_path(before);
    return said;
  };
  EXPECT_THAT(later_in("/var/log", "x"), HasSubstr("install -d -o nobody -g nogroup /var/log/nfbus,"));
  const fs::path own = folder_of(0);
  EXPECT_THAT(later_in(own, "x"), EndsWith("; chown nobody " + own.string()));
  EXPECT_THAT(later_in(own, "sub/x"), EndsWith(" " + (own / "sub").string()));
}

TEST_F(OutputTest, AStickyFolderKeepsWhatIsNotTheUsers) {
  const fs::path shared = folder_ / "shared";
  fs::create_directory(shared);
  std::ofstream(shared / "out").put('\n');
  ASSERT_EQ(chown(shared.c_str(), 0, kNobody) + chown((shared / "out").c_str(), 0, kNobody), 0);
  fs::permissions(shared / "out", fs::perms(0660));
  fs::permissions(shared, fs::perms(0775));
  EXPECT_EQ(later(shared / "out"), "fine");
  fs::permissions(shared, fs::perms(01775));
  EXPECT_THAT(later(shared / "out"),
              AllOf(HasSubstr("is sticky"), EndsWith("; chown nobody " + (shared / "out").string())));
  EXPECT_EQ(later(shared / "new"), "fine");
  ASSERT_EQ(chown((shared / "out").c_str(), kNobody, 0), 0);
  EXPECT_EQ(later(shared / "out"), "fine");
}

TEST_F(OutputTest, JudgesByTheUsersOwnRightsThoughMoreIsPermitted) {
  const fs::path own = folder_of(0);
  EXPECT_EQ(as_user(kNobody, true,
                    [&] {
                      const DacOverride override;
                      return std::string(override.raised() ? "raised" : "not raised");
                    }),
            "raised");
  EXPECT_THAT(later(own / "out"), HasSubstr("cannot make files"));
}

// ---- Groups and namespaces of users: as configurations and plugins are judged ----

TEST_F(OutputTest, APrivateGroupOfTheUserIsNobodyElse) {
  const fs::path shared = folder_ / "shared";
  fs::create_directory(shared);
  ASSERT_EQ(chown(shared.c_str(), kStranger, kStranger), 0);
  fs::permissions(shared, fs::perms(02775));
  std::ofstream(shared / "out") << "";
  ASSERT_EQ(chown((shared / "out").c_str(), kStranger, kStranger), 0);
  fs::create_hard_link(shared / "out", shared / "other");
  const auto said = [&](const std::string& group) {
    return nfbus::test::in_world({.passwd = "stranger:x:4711:4711::/:/bin/sh\n", .group = group},
                                 [&] { return as_user(kStranger, false, [&] { return append_to(shared / "out"); }); });
  };
  EXPECT_EQ(said("stranger:x:4711:\n"), "written");
  EXPECT_THAT(said("stranger:x:4711:bin\n"), HasSubstr("is a hard link"));
  EXPECT_THAT(said(""), HasSubstr("is a hard link"));
}

TEST_F(OutputTest, WhatTheUserMayChangeByItsGroupLendsNoRightsOfRoots) {
  const fs::path shared = folder_ / "shared";
  fs::create_directories(shared / "closed");
  ASSERT_EQ(chown(shared.c_str(), 0, kStranger), 0);
  fs::permissions(shared, fs::perms(0775));
  fs::permissions(shared / "closed", fs::perms(0755));
  const auto said = [&] {
    return nfbus::test::in_world({.passwd = "stranger:x:4711:4711::/:/bin/sh\n", .group = "stranger:x:4711:\n"}, [&] {
      return as_user(kStranger, true, [&] { return append_to(shared / "closed" / "out"); });
    });
  };
  EXPECT_THAT(said(), HasSubstr("Permission denied"));
  fs::permissions(shared, fs::perms(0755));
  EXPECT_EQ(said(), "written");  // root's alone
}

TEST_F(OutputTest, InANamespaceOfUsersLinksOfTheMachinesRootAreFollowedButWhereAllMayMakeOne) {
  const fs::path own = folder_of(kStranger);
  fs::create_directory(folder_ / "all");
  link_as(0, own, folder_ / "link");
  link_as(0, own, folder_ / "all" / "link");
  fs::permissions(folder_ / "all", fs::perms(01777));
  const auto said = [&](const fs::path& path) {
    return nfbus::test::in_user_namespace(kStranger, [&] { return append_to(path); });
  };
  const std::string first = said(folder_ / "link" / "out");
  if (first == "no namespace of users") GTEST_SKIP() << first;
  EXPECT_EQ(first, "written");
  EXPECT_THAT(said(folder_ / "all" / "link" / "out"), HasSubstr("that belongs to uid 65534"));
}

}  // namespace
