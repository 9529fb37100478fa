#include "running/bus_socket.hpp"

#include "support/log.hpp"
#include "support/way.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace nfbus::host {

namespace {

Result<SocketOwner> owner_of(const EarlyConfig& config) {
  SocketOwner owner;
  // Only root becomes somebody else.
  if (const passwd* user = ::geteuid() == 0 ? ::getpwnam(config.user.c_str()) : nullptr) {
    owner.user = user->pw_uid;
    owner.user_group = user->pw_gid;
  }
  if (config.bus_group.empty()) return owner;
  const group* found = ::getgrnam(config.bus_group.c_str());
  // As its user's, the account of this name need not be there: the configuration warns of it.
  if (found == nullptr && config.bus_group == defaults::kUser) return owner;
  if (found == nullptr) {
    return Error{.code = Code::not_found,
                 .text = fmt::format("bus.group: there is no group {0}: create it (groupadd --system {0}) or remove "
                                     "the key",
                                     config.bus_group)};
  }
  owner.group = found->gr_gid;
  return owner;
}

// Whether nobody but root and `user` can exchange the folder, which may be the user's own.
bool is_folder_safe(const std::filesystem::path& folder, uid_t user) {
  const Result<Way> way = Way::to_folder(folder.empty() ? "." : folder.string());
  if (way) return way->is_roots_above() && (way->end().owner == 0 || way->end().owner == user);
  if (way.error().code != Code::not_found) return false;
  const Result<Way> above = Way::to_folder(folder.has_parent_path() ? folder.parent_path().string() : ".");
  return above && above->is_roots() && (above->end().mode & S_IWOTH) == 0;
}

}  // namespace

bool is_socket_by_root(const ConfigFile& file, const EarlyConfig& config, uid_t user) {
  if (!file.way) return false;
  if (!file.way->is_roots() && config.bus_socket != defaults::kBusSocket) return false;
  return is_folder_safe(std::filesystem::path(config.bus_socket).parent_path(), user);
}

Result<std::optional<Listener>> open_bus_socket(const EarlyConfig& config, bool replay) {
  if (!config.has_bus && replay) return std::optional<Listener>();
  const auto owner = owner_of(config);
  if (!owner) return owner.error();
  auto listener = Listener::open(config.bus_socket, *owner);
  if (listener) return std::optional<Listener>(std::move(listener).value());
  if (config.has_bus) {
    Error error = std::move(listener).error();
    error.text = "bus.socket: " + error.text;
    return error;
  }
  log::info(fmt::format("clients cannot connect: {}; name a socket with [bus] socket", listener.error().text));
  return std::optional<Listener>();
}

}  // namespace nfbus::host
