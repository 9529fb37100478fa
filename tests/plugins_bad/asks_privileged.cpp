// The privileged part of the sink `asks`: sets the MTU of the loopback device within its options, says with which
// rights it runs, and misbehaves on request.
#include <nfbus/privileged.hpp>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

nfbus::Result<std::string> set_mtu(int mtu) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_mtu = mtu;
  const int error = ::ioctl(socket, SIOCSIFMTU, &request) == 0 ? 0 : errno;
  ::close(socket);
  if (error != 0) return nfbus::Error{nfbus::Code::refused, std::strerror(error)};
  return "mtu " + std::to_string(mtu);
}

// The lines of its status that tell its rights.
std::string rights() {
  std::ifstream status("/proc/self/status");
  std::string out;
  for (std::string line; std::getline(status, line);) {
    for (const char* name : {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",
                             "NoNewPrivs:", "Seccomp:"}) {
      if (line.starts_with(name)) out += line + '|';
    }
  }
  std::ranges::replace(out, '\t', ' ');
  return out;
}

std::string descriptors() {
  std::string out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!gone && !target.ends_with("/fd")) out += entry.path().filename().string() + '=' + target + ' ';
  }
  return out;
}

std::string environment() {
  std::string out;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) out += *variable;
  return out.empty() ? "empty" : out;
}

class Part {
 public:
  explicit Part(const nfbus::Options& options) : json_(options.json()), most_mtu_(options.integer("most_mtu")) {
    if (most_mtu_ == 0) throw std::invalid_argument("most_mtu = 0 makes no sense");
  }

  nfbus::Result<std::string> request(std::string_view request) {
    const auto blank = request.find(' ');
    const std::string_view word = request.substr(0, blank);
    const std::string_view rest = blank == std::string_view::npos ? "" : request.substr(blank + 1);
    if (word == "mtu" && number(rest) > most_mtu_) return nfbus::Error{nfbus::Code::refused, "more than most_mtu"};
    if (word == "mtu") return set_mtu(number(rest));
    if (word == "rights") return rights();
    if (word == "descriptors") return descriptors();
    if (word == "environment") return environment();
    if (word == "options") return json_;
    if (word == "become-root") return std::to_string(::setuid(0) == 0 ? 0 : errno);
    if (word == "bytes") return std::string(static_cast<std::size_t>(number(rest)), 'x');
    if (word == "size") return std::to_string(request.size());
    if (word == "throw") throw std::runtime_error("thrown in the part");
    if (word == "sleep") ::usleep(static_cast<useconds_t>(number(rest)) * 1000);
    if (word == "crash") std::abort();
    return std::string(word);
  }

 private:
  const std::string json_;
  const std::int64_t most_mtu_;
};

}  // namespace

NFBUS_PRIVILEGED_PART(Part);
