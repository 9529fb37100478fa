// Which groups have nobody else in them, and who is of outside.
#include <nfbus/util/who_may_write.hpp>

#include <nfbus/util/descriptor.hpp>

#include "temporary_folder.hpp"
#include "world.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace {

using namespace nfbus::util;
using nfbus::test::in_user_namespace;
using nfbus::test::in_world;
using nfbus::test::World;

constexpr uid_t kAlice = 4713;
constexpr gid_t kStaff = 50;

constexpr char kAccounts[] = "alice:x:4713:4713::/:/bin/sh\nbob:x:4714:4714::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n";

// "yes": nobody but root and alice is in the group.
std::string is_alone(gid_t group, const std::string& groups, const std::string& accounts = kAccounts,
                     const std::string& nsswitch = World().nsswitch) {
  return in_world({.passwd = accounts, .group = groups, .nsswitch = nsswitch},
                  [&] { return has_nobody_else(group, kAlice) ? "yes" : "no"; });
}

class WhoMayWrite : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(WhoMayWrite, TheOwnGroupOfAnAccountHasNobodyElse) {
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:\n"), "yes");
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:alice,root,toor\n"), "yes");
  EXPECT_EQ(is_alone(0, ""), "yes");
}

TEST_F(WhoMayWrite, AGroupWithAnotherMemberHas) {
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:bob\n"), "no");
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:alice,bob\n"), "no");
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:nobody_knows\n"), "no");
  EXPECT_EQ(is_alone(4714, "bob:x:4714:\n"), "no");
}

TEST_F(WhoMayWrite, AGroupThatIsSomebodysFirstOneHasThatMember) {
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:\n", std::string(kAccounts) + "carol:x:4715:4713::/:/bin/sh\n"), "no");
  EXPECT_EQ(is_alone(kStaff, "staff:x:50:\n", std::string(kAccounts) + "carol:x:4715:50::/:/bin/sh\n"), "no");
}

TEST_F(WhoMayWrite, AGroupWithoutMembersHasNobody) {
  EXPECT_EQ(is_alone(kStaff, "staff:x:50:\n"), "yes");
  EXPECT_EQ(is_alone(kStaff, "staff:x:50:root\n"), "yes");
  EXPECT_EQ(is_alone(kStaff, "staff:x:50:bob\n"), "no");
}

TEST_F(WhoMayWrite, AllLinesOfANumberCount) {
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:\nshared:x:4713:bob\n"), "no");
  EXPECT_EQ(is_alone(kAlice, "shared:x:4713:\nalice:x:4713:alice\n"), "yes");
}

TEST_F(WhoMayWrite, AGroupThatNoFileHasIsUnknown) { EXPECT_EQ(is_alone(kAlice, ""), "no"); }

TEST_F(WhoMayWrite, LongLinesAreReadToTheirEnd) {
  std::string members = "alice";
  for (int i = 0; i < 2000; ++i) members += ",alice";
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:" + members + "\n"), "yes");
  EXPECT_EQ(is_alone(kAlice, "alice:x:4713:" + members + ",bob\n"), "no");
}

TEST_F(WhoMayWrite, WhereADirectoryHasAccountsTooOnlyTheOwnGroupIsSure) {
  for (const char* const nsswitch : {"passwd: files sss\n", "group: files ldap\n", "passwd : compat\n",
                                     "initgroups: files [SUCCESS=continue] sss\n"}) {
    EXPECT_EQ(is_alone(kStaff, "staff:x:50:\n", kAccounts, nsswitch), "no") << nsswitch;
    EXPECT_EQ(is_alone(kAlice, "alice:x:4713:\n", kAccounts, nsswitch), "yes") << nsswitch;
    EXPECT_EQ(is_alone(kAlice, "users:x:4713:\n", kAccounts, nsswitch), "no") << nsswitch;
  }
  for (const char* const nsswitch : {"", "passwd: files systemd # sss\n#group: sss\nhosts: files dns\n",
                                     "passwd: files [NOTFOUND = return] systemd\n"}) {
    EXPECT_EQ(is_alone(kStaff, "staff:x:50:\n", kAccounts, nsswitch), "yes") << nsswitch;
  }
}

TEST_F(WhoMayWrite, WhomANamespaceDoesNotHaveIsOfOutside) {
  EXPECT_FALSE(is_unmapped_user(65534));
  EXPECT_FALSE(is_unmapped_group(65534));
  const std::string said = in_user_namespace(kAlice, [] {
    std::string out;
    for (const uid_t uid : {0U, 1U, 65534U}) out += is_unmapped_user(uid) ? "u" : "-";
    for (const gid_t gid : {0U, 1U, 65534U}) out += is_unmapped_group(gid) ? "g" : "-";
    return out + (has_nobody_else(65534, 0) ? " alone" : "");
  });
  if (said == "no namespace of users") GTEST_SKIP() << said;
  EXPECT_EQ(said, "--u--g");
}

TEST_F(WhoMayWrite, OthersMayWriteWhatTheModeGivesThem) {
  const nfbus::test::TemporaryFolder folder;
  for (const auto& [mode, expected] : {std::pair(0755U, false), {0757U, true}, {0775U, false}, {02775U, false}}) {
    const std::string path = folder.path();
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const std::string said = in_world({}, [&] {
      struct stat found {};
      const nfbus::util::Descriptor fd(open(path.c_str(), O_PATH | O_CLOEXEC));
      return fstat(fd.get(), &found) == 0 && others_may_write(fd.get(), found, kAlice) ? "yes" : "no";
    });
    EXPECT_EQ(said, expected ? "yes" : "no") << mode;
  }
}

}  // namespace
