// Takes a path one name after another, for a walk along it: path_resolution(7).
#pragma once

#include <nfbus/util/descriptor.hpp>

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace nfbus::util {

constexpr int kMostLinks = 40;  // as the kernel's

// Takes the first name off what is left of a path; empty: nothing is left.
inline std::string take_name(std::string& rest) {
  const std::size_t begin = rest.find_first_not_of('/');
  if (begin == std::string::npos) return {};
  const std::size_t end = std::min(rest.find('/', begin), rest.size());
  std::string name = rest.substr(begin, end - begin);
  rest.erase(0, end);
  return name;
}

// A link of which the kernel knows the target though it is no text, as /proc/self/fd/1. The link is open with O_PATH.
inline bool is_link_of_proc(const Descriptor& link) noexcept {
  struct statfs found {};
  return fstatfs(link.get(), &found) == 0 && found.f_type == PROC_SUPER_MAGIC;
}

// The text of a link that is open with O_PATH. errno; 0: done.
inline int read_link(const Descriptor& link, std::string& target) {
  target.resize(PATH_MAX);
  const ssize_t size = readlinkat(link.get(), "", target.data(), target.size());
  if (size < 0) return errno;
  target.resize(static_cast<std::size_t>(size));
  return 0;
}

}  // namespace nfbus::util
