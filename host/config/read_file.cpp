#include "config/read_file.hpp"

#include "support/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace nfbus::host {
namespace {

Error failed(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return {.code = Code::not_found, .text = "no such file"};
    case EACCES:
    case EPERM:
      return {.code = Code::refused,
              .text = "may not be read by this user (uid " + std::to_string(::geteuid()) + "): permission denied"};
    default: return {.code = Code::io, .text = "cannot be read: " + std::generic_category().message(error_number)};
  }
}

Error invalid(std::string_view text) { return {.code = Code::invalid, .text = std::string(text)}; }

}  // namespace

Result<std::string> read_file(const std::string& file, std::size_t most_bytes) {
  if (file.empty()) return invalid("no file name was given");
  if (file.find('\0') != std::string::npos) return invalid("the file name has a NUL byte in it");
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return failed(errno);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return failed(errno);
  if (S_ISDIR(status.st_mode)) return invalid("is a directory; name a file in it");
  if (!S_ISREG(status.st_mode)) return invalid("is not a regular file");
  std::string content;
  // One byte more than may be, so that a larger file shows also when it has no size yet (/proc).
  content.resize(most_bytes + 1);
  std::size_t size_bytes = 0;
  while (size_bytes < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + size_bytes, content.size() - size_bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) break;
    size_bytes += static_cast<std::size_t>(got);
  }
  if (size_bytes > most_bytes) {
    return invalid("is larger than the " + std::to_string(most_bytes / 1024) + " KiB that such a file may have");
  }
  content.resize(size_bytes);
  return content;
}

}  // namespace nfbus::host
