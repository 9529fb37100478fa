// A folder that nfbus, or a plugin, keeps for itself.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/commands.hpp>
#include <nfbus/util/output_place.hpp>

#include <sys/types.h>

#include <cerrno>
#include <filesystem>
#include <string>

namespace nfbus::util {

namespace detail {

inline Result<void> make_folders(const std::filesystem::path& path, mode_t mode) {
  const auto found = find_output_folder(path.string());
  if (found) return {};
  if (found.error().code != Code::not_found || !path.has_relative_path()) return found.error();
  if (auto above = make_folders(path.parent_path(), 0750); !above) return above;
  const auto folder = find_output_folder(path.parent_path().string());
  if (!folder) return folder.error();
  const int error = folder->make_folder(path.filename().string(), mode);
  if (error == 0 || error == EEXIST) return {};
  return Error{Code::refused, "cannot make the folder " + path.string() + ": " + reason(error) + "; " +
                                  make_folder_command(path.string())};
}

}  // namespace detail

// [control] Makes the folder, mode 0700, where it is missing, and those above it, mode 0750. While the host starts as
// root this uses root's right to make folders where root alone may, as output_folder.hpp says; they belong to the user
// that it has become. A folder that is there stays as it is. Code::refused, Code::not_found: with the fix.
[[nodiscard]] inline Result<void> make_private_folder(const std::string& path) {
  std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();  // "spill/"
  return detail::make_folders(clean, 0700);
}

}  // namespace nfbus::util
