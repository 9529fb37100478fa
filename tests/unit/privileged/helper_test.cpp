#include "privileged/helper.hpp"

#include "isolated.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include <cap-ng.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr GroupBinding kBinding{.group = 3,
                                .copy_range_bytes = 128,
                                .recv_buffer_bytes = 1U << 20U,
                                .batch_bytes = 130000,
                                .queue_threshold = 5000,
                                .timeout_10ms = 25};

// The row of a group in /proc/net/netfilter/nfnetlink_log, without the port: group, queued, mode, range, timeout, uses.
std::string kernel_row(unsigned group) {
  std::ifstream table("/proc/net/netfilter/nfnetlink_log");
  for (std::string line; std::getline(table, line);) {
    std::istringstream row(line);
    unsigned number = 0, port = 0, queued = 0, mode = 0, range = 0, timeout = 0;
    row >> number >> port >> queued >> mode >> range >> timeout;
    if (number == group) {
      return "mode " + std::to_string(mode) + " range " + std::to_string(range) + " timeout " + std::to_string(timeout);
    }
  }
  return "not bound";
}

pid_t only_child() {
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = 0;
  children >> child;
  return child;
}

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

// A line of /proc/PID/status with the real, effective, saved and file system's id.
std::string all_four(unsigned id) {
  const std::string text = std::to_string(id);
  return text + '\t' + text + '\t' + text + '\t' + text;
}

// The first message on a group's socket, which is to be the kernel's answer.
std::string answer_on(int socket) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, 5000) != 1) return "no answer";
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  ::recv(socket, &answer, sizeof answer, 0);
  return answer.header.nlmsg_type == NLMSG_ERROR ? "answer " + std::to_string(answer.error.error) : "not an answer";
}

std::string text_of(const Result<int>& bound) { return bound ? "bound" : bound.error().text; }

TEST(PrivilegedHelper, BindsAGroupAsAskedAndHandsItsSocketOver) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const auto bound = helper->bind_group(kBinding);
              if (!bound) return bound.error().text;
              int size_bytes = 0;
              socklen_t length = sizeof size_bytes;
              ::getsockopt(*bound, SOL_SOCKET, SO_RCVBUF, &size_bytes, &length);
              return kernel_row(3) + " buffer " + std::to_string(size_bytes / 2);
            }),
            "mode 2 range 128 timeout 25 buffer 1048576");
}

TEST(PrivilegedHelper, BindsManyGroups) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              for (std::uint16_t group = 0; group < 20; ++group) {
                GroupBinding binding = kBinding;
                binding.group = group;
                if (const auto bound = helper->bind_group(binding); !bound) return bound.error().text;
              }
              return kernel_row(0) == kernel_row(19) ? std::string("all") : kernel_row(19);
            }),
            "all");
}

TEST(PrivilegedHelper, NamesTheProcessThatHoldsATakenGroup) {
  EXPECT_THAT(in_own_namespace([] {
                ::prctl(PR_SET_NAME, "firsthost");
                auto first = PrivilegedHelper::start();
                if (const auto bound = first->bind_group(kBinding); !bound) return bound.error().text;
                auto second = PrivilegedHelper::start();
                const auto refused = second->bind_group(kBinding);
                const std::string expected = "firsthost (pid " + std::to_string(::getpid()) + ")";
                if (refused || refused.error().code != Code::busy) return "not busy: " + text_of(refused);
                if (refused.error().text.find(expected) == std::string::npos)
                  return "no " + expected + ": " + text_of(refused);
                return text_of(refused);
              }),
              StartsWith("group 3 is taken by firsthost (pid "));
}

TEST(PrivilegedHelper, SaysThatTheCapabilityIsMissing) {
  EXPECT_THAT(in_own_namespace([] {
                capng_clear(CAPNG_SELECT_ALL);
                capng_apply(CAPNG_SELECT_CAPS);
                auto helper = PrivilegedHelper::start();
                const auto refused = helper->bind_group(kBinding);
                if (refused || refused.error().code != Code::refused) return "not refused: " + text_of(refused);
                return refused.error().text;
              }),
              HasSubstr("run as root, or grant CAP_NET_ADMIN"));
}

TEST(PrivilegedHelper, IsTheUserWithNetAdminAloneOnceItIsSealed) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              static_cast<void>(helper->bind_group(kBinding));
              if (auto lowered = lower_privileges("nobody", true); !lowered) return lowered.error().text;
              if (auto sealed = helper->seal(); !sealed) return sealed.error().text;
              const pid_t child = only_child();
              if (status_of(child, "Uid") != all_four(::geteuid())) return "uids " + status_of(child, "Uid");
              if (status_of(child, "Gid") != all_four(::getegid())) return "gids " + status_of(child, "Gid");
              std::string said = "groups " + status_of(child, "Groups");
              for (const char* const name : {"CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"}) {
                said += std::string(", ") + name + ' ' + status_of(child, name);
              }
              return said + ", " + status_of(child, "NoNewPrivs") + ' ' + status_of(child, "Seccomp");
            }),
            "groups , CapPrm 0000000000001000, CapEff 0000000000001000, CapBnd 0000000000000000, "
            "CapInh 0000000000000000, CapAmb 0000000000000000, 1 2");
}

TEST(PrivilegedHelper, StaysWhoItIsWhereThereIsNobodyToBecome) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              if (auto sealed = helper->seal(); !sealed) return sealed.error().text;
              return status_of(only_child(), "CapPrm") + ' ' + status_of(only_child(), "Uid");
            }),
            "0000000000001000 " + all_four(0));
}

TEST(PrivilegedHelper, SealedItBindsNoMoreGroupsAndServesThoseItHas) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const auto bound = helper->bind_group(kBinding);
              if (!bound) return bound.error().text;
              if (auto lowered = lower_privileges("nobody", true); !lowered) return lowered.error().text;
              for (int i = 0; i < 2; ++i) {
                if (auto sealed = helper->seal(); !sealed) return sealed.error().text;
              }
              GroupBinding other = kBinding;
              other.group = 4;
              const auto refused = helper->bind_group(other);
              if (refused || refused.error().code != Code::refused) return "not refused: " + text_of(refused);
              if (kernel_row(4) != "not bound") return std::string("refused, but bound");
              helper->set_queue_threshold(3, 1);
              helper->set_queue_threshold(4, 1);
              if (!helper->release_group(3, in(5s))) return std::string("not asked");
              // An answer to the threshold would come first.
              const std::string answer = answer_on(*bound);
              return refused.error().text + "; " + answer + ", " + kernel_row(3);
            }),
            "the privileged helper is sealed and binds no more groups; answer 0, not bound");
}

TEST(PrivilegedHelper, NoProcessOfItsUserLooksIntoIt) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              if (auto lowered = lower_privileges("nobody", true); !lowered) return lowered.error().text;
              if (auto sealed = helper->seal(); !sealed) return sealed.error().text;
              if (auto dropped = drop_privileges(); !dropped) return dropped.error().text;
              const pid_t child = only_child();
              std::string said = ::kill(child, 0) == 0 ? "ours" : "another's";
              if (::ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0) said += ", traced";
              if (::access(("/proc/" + std::to_string(child) + "/fd/3").c_str(), F_OK) == 0) said += ", seen";
              return said;
            }),
            "ours");
}

TEST(PrivilegedHelper, WhenItIsStuckNothingWaitsForItForEverAndItEndsWithTheHost) {
  EXPECT_EQ(in_own_namespace([] {
              pid_t child = 0;
              std::string said;
              {
                auto helper = PrivilegedHelper::start();
                child = only_child();
                ::kill(child, SIGSTOP);
                said = text_of(helper->bind_group(kBinding));
              }
              return said + (::kill(child, 0) == 0 ? ", still there" : ", gone");
            }),
            "the privileged helper does not answer, gone");
}

TEST(PrivilegedHelper, ALookTellsWhetherItServesIsStuckOrGone) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const pid_t child = only_child();
              const auto becomes = [&](HelperState state) {
                for (int i = 0; i < 1000 && helper->state() != state; ++i) {
                  ::usleep(10000);
                  helper->check();
                }
                return helper->state() == state ? std::string("yes ") : std::string("no ");
              };
              helper->check();
              std::string said = becomes(HelperState::running);
              ::kill(child, SIGSTOP);
              for (int i = 0; i < 1000; ++i) helper->set_queue_threshold(3, 1);  // more than there is room for
              said += becomes(HelperState::stuck);
              ::kill(child, SIGCONT);
              said += becomes(HelperState::running);
              ::kill(child, SIGKILL);
              return said + becomes(HelperState::gone);
            }),
            "yes yes yes yes ");
}

TEST(PrivilegedHelper, HoldsNoDescriptorOfTheHost) {
  EXPECT_EQ(
      in_own_namespace([] {
        auto helper = PrivilegedHelper::start();
        static_cast<void>(helper->bind_group(kBinding));
        std::string open;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(only_child()) + "/fd")) {
          const std::string target = std::filesystem::read_symlink(entry).string();
          if (target != "/dev/null" && !target.starts_with("socket:")) open += target + ' ';
        }
        return open.empty() ? std::string("none") : open;
      }),
      "none");
}

TEST(PrivilegedHelper, OutlivesSignalsForTheWholeGroupAndEndsWithTheHost) {
  EXPECT_EQ(in_own_namespace([] {
              ::setpgid(0, 0);
              ::signal(SIGTERM, SIG_IGN);
              ::signal(SIGINT, SIG_IGN);
              ::signal(SIGHUP, SIG_IGN);
              pid_t child = 0;
              {
                auto helper = PrivilegedHelper::start();
                GroupBinding binding = kBinding;
                static_cast<void>(helper->bind_group(binding));
                child = only_child();
                for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::kill(0, number);
                binding.group = 4;
                if (const auto bound = helper->bind_group(binding); !bound) return bound.error().text;
              }
              return ::kill(child, 0) == 0 ? std::string("still there") : kernel_row(4);
            }),
            // The socket in this process keeps the group.
            "mode 2 range 128 timeout 25");
}

TEST(PrivilegedHelper, ReleasingAGroupUnbindsItAndTheKernelSaysSoOnItsSocket) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const auto bound = helper->bind_group(kBinding);
              if (!bound) return bound.error().text;
              if (!helper->release_group(kBinding.group, in(5s))) return std::string("not asked");
              const std::string answer = answer_on(*bound);
              return answer + ", " + kernel_row(3);
            }),
            "answer 0, not bound");
}

TEST(PrivilegedHelper, NoReleaseIsLostHoweverManyThereAreAndHoweverLateTheHelperComes) {
  EXPECT_EQ(in_own_namespace([] {
              constexpr std::uint16_t kGroups = 600;  // about 278 requests have room
              auto helper = PrivilegedHelper::start();
              for (std::uint16_t group = 0; group < kGroups; ++group) {
                GroupBinding binding = kBinding;
                binding.group = group;
                const auto bound = helper->bind_group(binding);
                if (!bound) return bound.error().text;
              }
              const pid_t child = only_child();
              ::kill(child, SIGSTOP);
              std::thread wakes([&] {
                ::usleep(50'000);
                ::kill(child, SIGCONT);
              });
              int asked = 0;
              for (std::uint16_t group = 0; group < kGroups; ++group) asked += helper->release_group(group, in(20s));
              wakes.join();
              for (int i = 0; i < 500 && kernel_row(kGroups - 1) != "not bound"; ++i) ::usleep(10'000);
              int bound = 0;
              for (std::uint16_t group = 0; group < kGroups; ++group) bound += kernel_row(group) != "not bound";
              return std::to_string(asked) + " asked, " + std::to_string(bound) + " bound";
            }),
            "600 asked, 0 bound");
}

TEST(PrivilegedHelper, AReleaseDoesNotWaitBeyondItsDeadlineForAHelperThatIsStuck) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const pid_t child = only_child();
              ::kill(child, SIGSTOP);
              const auto deadline = in(100ms);
              int refused = 0;
              for (std::uint16_t group = 0; group < 1000; ++group) refused += !helper->release_group(group, deadline);
              const bool in_time = std::chrono::steady_clock::now() < deadline + 5s;
              ::kill(child, SIGKILL);
              return std::string(refused > 0 && refused < 1000 ? "some refused" : "?") +
                     (in_time ? " in time" : " late");
            }),
            "some refused in time");
}

TEST(PrivilegedHelper, ReleasingMakesRoomForWhatTheKernelStillHoldsInAFullSocket) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const auto bound = helper->bind_group(kBinding);
              if (!bound) return bound.error().text;
              const auto buffer_bytes = [&] {
                int bytes = 0;
                socklen_t length = sizeof bytes;
                ::getsockopt(*bound, SOL_SOCKET, SO_RCVBUF, &bytes, &length);
                return bytes;
              };
              const int before = buffer_bytes();
              if (!helper->release_group(kBinding.group, in(5s))) return std::string("not asked");
              pollfd waiting{.fd = *bound, .events = POLLIN, .revents = 0};
              if (::poll(&waiting, 1, 5000) != 1) return std::string("no answer");
              return std::string(buffer_bytes() - before >= 1'000'000 ? "room" : "no room");
            }),
            "room");
}

TEST(PrivilegedHelper, ChangingTheThresholdNeedsNoAnswer) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              const auto bound = helper->bind_group(kBinding);
              if (!bound) return bound.error().text;
              for (int i = 0; i < 100; ++i) helper->set_queue_threshold(3, 1);
              helper->set_queue_threshold(77, 1);  // a group that is not bound
              GroupBinding next = kBinding;
              next.group = 4;
              if (const auto other = helper->bind_group(next); !other) return other.error().text;
              char byte = 0;
              return ::recv(*bound, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 ? std::string("silent") : "an answer came";
            }),
            "silent");
}

TEST(PrivilegedHelper, ItsEndIsAnErrorNotACrash) {
  EXPECT_EQ(in_own_namespace([] {
              auto helper = PrivilegedHelper::start();
              static_cast<void>(helper->bind_group(kBinding));
              const pid_t child = only_child();
              ::kill(child, SIGKILL);
              siginfo_t ended{};
              ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
              helper->set_queue_threshold(3, 1);
              if (helper->release_group(3, in(20s))) return std::string("asked a dead one");
              GroupBinding next = kBinding;
              next.group = 4;
              return text_of(helper->bind_group(next));
            }),
            "the privileged helper has ended");
}

}  // namespace
}  // namespace nfbus::host
