#include "running/private_folder.hpp"

#include <nfbus/util/commands.hpp>
#include <nfbus/util/output_place.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace nfbus::host {

namespace {

Result<void> make_folder(const std::filesystem::path& path, mode_t mode) {
  const auto found = util::find_output_folder(path.string());
  if (found) return {};
  if (found.error().code != Code::not_found || !path.has_relative_path()) return found.error();
  if (auto above = make_folder(path.parent_path(), 0750); !above) return above;
  const auto folder = util::find_output_folder(path.parent_path().string());
  if (!folder) return folder.error();
  const int error = folder->make_folder(path.filename().string(), mode);
  if (error == 0 || error == EEXIST) return {};
  return Error{.code = Code::refused,
               .text = fmt::format("cannot make the folder {}: {}; {}", path.string(), util::reason(error),
                                   util::make_folder_command(path.string()))};
}

}  // namespace

Result<void> make_private_folder(const std::string& path) {
  std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();  // "spill/"
  return make_folder(clean, 0700);
}

}  // namespace nfbus::host
