#include "privileged/helper.hpp"

#include "isolated.hpp"

#include <nfbus/util/dac_override.hpp>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <semaphore>
#include <string>
#include <thread>

namespace nfbus::host {
namespace {

using ::testing::HasSubstr;

// An account that every system has and nothing runs as.
constexpr char kUser[] = "nobody";
constexpr char kNoUser[] = "nfbus-no-such-user";

std::string capabilities(pid_t thread) {
  return status_of(thread, "CapPrm") + ' ' + status_of(thread, "CapEff") + ' ' + status_of(thread, "CapBnd");
}

constexpr char kNothing[] = "0000000000000000 0000000000000000 0000000000000000";

std::string text_of(const Result<void>& result) { return result ? "done" : result.error().text; }

TEST(Privileges, BecomesTheUserInTwoMovesOnAllThreads) {
  const std::string said = in_own_namespace([] {
    if (auto lowered = lower_privileges(kUser, true); !lowered) return lowered.error().text;
    const uid_t half_way = ::geteuid();
    std::binary_semaphore finish(0);
    std::atomic<pid_t> other = 0;
    std::thread thread([&] {
      other = ::gettid();
      other.notify_one();
      finish.acquire();
    });
    other.wait(0);
    const auto dropped = drop_privileges();
    std::string result = text_of(dropped) + (half_way != 0 ? "" : ", uid 0 half way");
    for (const pid_t id : {::getpid(), other.load()}) {
      if (capabilities(id) != kNothing) result += ", capabilities " + capabilities(id);
      if (status_of(id, "Uid") != status_of(::getpid(), "Uid")) result += ", other uid";
      if (status_of(id, "NoNewPrivs") != "1") result += ", may gain privileges";
    }
    finish.release();
    thread.join();
    if (::setresuid(0, 0, 0) == 0) result += ", the way back is open";
    return result;
  });
  EXPECT_EQ(said, "done");
}

TEST(Privileges, BetweenTheMovesFilesAreTheUsersAndWhatIsRootsIsReachedOnlyOnPurpose) {
  const auto folder = std::filesystem::temp_directory_path() / ("nfbus-privileges-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  ::chmod(folder.c_str(), 0700);  // root's alone
  const std::string said = in_own_namespace([&] {
    if (auto lowered = lower_privileges(kUser, true); !lowered) return lowered.error().text;
    if (std::ofstream(folder / "other")) return std::string("open to anything");
    struct stat made {};
    {
      const util::DacOverride override;
      std::ofstream(folder / "out") << "x";
      if (::stat((folder / "out").c_str(), &made) != 0) return std::string("cannot write there");
    }
    if (std::ifstream(folder / "out")) return std::string("open again to anything");
    if (made.st_uid != ::geteuid() || made.st_gid != ::getegid()) return std::string("not the user's");
    if (auto dropped = drop_privileges(); !dropped) return dropped.error().text;
    return ::access(folder.c_str(), R_OK) == 0 ? std::string("still reachable") : "ours, then closed";
  });
  std::filesystem::remove_all(folder);
  EXPECT_EQ(said, "ours, then closed");
}

TEST(Privileges, WithoutAnAccountUidZeroStaysWithoutCapabilities) {
  EXPECT_EQ(in_own_namespace([] {
              if (auto lowered = lower_privileges(kNoUser, false); !lowered) return lowered.error().text;
              const std::string half_way = capabilities(::getpid());
              if (half_way != kNothing) return "half way: " + half_way;
              return text_of(drop_privileges()) + ' ' + std::to_string(::geteuid());
            }),
            "done 0");
}

TEST(Privileges, AUserWhoIsNamedMustExist) {
  EXPECT_THAT(in_own_namespace([] { return text_of(lower_privileges(kNoUser, true)); }),
              HasSubstr("there is no user nfbus-no-such-user"));
}

TEST(Privileges, AnOrdinaryUserHasNothingToLose) {
  EXPECT_EQ(in_own_namespace([] {
              if (::setresuid(65534, 65534, 65534) != 0) return std::string("no setresuid");
              if (auto lowered = lower_privileges(kUser, true); !lowered) return lowered.error().text;
              return text_of(drop_privileges()) + ' ' + std::to_string(::geteuid());
            }),
            "done 65534");
}

TEST(Privileges, WorkInAUserNamespaceWithOneUser) {
  EXPECT_EQ(in_own_namespace([] {
              if (::unshare(CLONE_NEWUSER) != 0) return std::string("no user namespace");
              std::ofstream("/proc/self/setgroups") << "deny";
              std::ofstream("/proc/self/uid_map") << "0 0 1";
              std::ofstream("/proc/self/gid_map") << "0 0 1";
              if (auto lowered = lower_privileges(kUser, false); !lowered) return lowered.error().text;
              return text_of(drop_privileges()) + ' ' + std::to_string(::geteuid());
            }),
            "done 0");
}

TEST(Privileges, SayWhichThreadKeptSome) {
  EXPECT_THAT(in_own_namespace([] {
                std::binary_semaphore finish(0);
                std::thread thread([&] { finish.acquire(); });  // started before anything was dropped
                std::string result = text_of(drop_privileges());
                finish.release();
                thread.join();
                return result;
              }),
              HasSubstr("still has capabilities"));
}

}  // namespace
}  // namespace nfbus::host
