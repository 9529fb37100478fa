// Tests that change what a process is allowed to do run in a child of their own, in a network namespace of its own.
#pragma once

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

namespace nfbus::host {

// What `body` returned in the child; what went wrong, if it could not.
inline std::string in_own_namespace(const std::function<std::string()>& body) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said;
    try {
      said = ::unshare(CLONE_NEWNET) == 0 ? body() : "unshare: " + std::string(std::strerror(errno));
    } catch (const std::exception& error) {
      said = error.what();
    }
    [[maybe_unused]] const auto written = ::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = ::read(ends[0], part.data(), part.size())) > 0;) {
    said.append(part.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return said;
}

// The value of a line of /proc/PID/status: "CapEff", "Uid", ...
inline std::string status_of(pid_t pid, std::string_view name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(std::string(name) + ':')) continue;
    return line.substr(std::min(line.size(), line.find_first_not_of(": \t", name.size())));
  }
  return "no " + std::string(name);
}

}  // namespace nfbus::host
