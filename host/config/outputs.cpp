#include "config/outputs.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

OutputIdentity::Inode inode_of(const struct stat& found) { return {found.st_dev, found.st_ino}; }

}  // namespace

OutputIdentity identify_output(const std::string& path) {
  OutputIdentity out{};
  out.is_stdout = path == "-";
  if (out.is_stdout) return out;
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISREG(found.st_mode) || S_ISFIFO(found.st_mode)) out.file = inode_of(found);
    if (!S_ISREG(found.st_mode)) return out;
  }
  std::error_code error;
  fs::path real = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) real = fs::absolute(path, error).lexically_normal();  // somebody else's folder
  out.path = real.string();
  out.name = real.filename().string();
  if (::stat(real.parent_path().c_str(), &found) == 0) out.folder = inode_of(found);
  return out;
}

bool are_same_output(const OutputIdentity& a, const OutputIdentity& b) noexcept {
  constexpr OutputIdentity::Inode kNone{};
  if (a.path.empty() || b.path.empty()) return false;
  if (a.path == b.path) return true;
  if (a.file != kNone && a.file == b.file) return true;
  return a.folder != kNone && a.folder == b.folder && a.name == b.name;
}

bool are_same_stream(const OutputIdentity& a, const OutputIdentity& b) noexcept {
  if (a.is_stdout || b.is_stdout) return a.is_stdout && b.is_stdout;
  return a.path.empty() && b.path.empty() && a.file != OutputIdentity::Inode{} && a.file == b.file;
}

}  // namespace nfbus::host
