#include "privileged/holder.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kNetlinkNetfilter = 12;  // NETLINK_NETFILTER, linux/netlink.h; column Eth of /proc/net/netlink

// The netlink port that the group is bound to: net/netfilter/nfnetlink_log.c, seq_show().
std::optional<std::uint32_t> port_of_group(std::uint16_t group) {
  std::ifstream table("/proc/net/netfilter/nfnetlink_log");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    unsigned number = 0;
    std::uint32_t port = 0;
    if (row >> number >> port && number == group) return port;
  }
  return std::nullopt;
}

// The inode of the netlink socket with that port: net/netlink/af_netlink.c, netlink_native_seq_show().
std::optional<std::string> inode_of_port(std::uint32_t port) {
  std::ifstream table("/proc/net/netlink");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::vector<std::string> words;
    for (std::string word; row >> word;) words.push_back(std::move(word));
    if (words.size() >= 10 && words[1] == std::to_string(kNetlinkNetfilter) && words[2] == std::to_string(port)) {
      return words[9];
    }
  }
  return std::nullopt;
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

bool has_descriptor(const fs::path& process, const std::string& target) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(entry->path(), unreadable) == target) return true;
  }
  return false;
}

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The lowest pid that has the socket open: of a program and its helper, the program.
std::optional<unsigned> process_with_socket(const std::string& inode) {
  const std::string target = "socket:[" + inode + "]";
  std::optional<unsigned> found;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = number(entry->path().filename().string());
    if (pid && (!found || *pid < *found) && has_descriptor(entry->path(), target)) found = pid;
  }
  return found;
}

std::string comm(unsigned pid) { return first_line(fmt::format("/proc/{}/comm", pid)); }

unsigned parent(unsigned pid) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", pid));  // pid (comm) state ppid ...
  std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string state;
  unsigned ppid = 0;
  rest >> state >> ppid;
  return ppid;
}

}  // namespace

std::optional<std::string> find_group_holder(std::uint16_t group) {
  const auto port = port_of_group(group);
  if (!port) return std::nullopt;
  std::optional<unsigned> pid;
  if (const auto inode = inode_of_port(*port)) pid = process_with_socket(*inode);
  // Other users' descriptors are not ours to see; but the kernel gives a process its pid as its first socket's port.
  if (!pid && !comm(*port).empty()) pid = *port;
  if (!pid) return fmt::format("another process (netlink port {})", *port);
  // A helper is not what the user started.
  if (comm(*pid).ends_with("-helper")) {
    if (const unsigned starter = parent(*pid); starter > 1) pid = starter;
  }
  return fmt::format("{} (pid {})", comm(*pid), *pid);
}

}  // namespace nfbus::host
