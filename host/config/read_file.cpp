#include "config/read_file.hpp"

#include "support/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nfbus::host {

Result<std::string> read_file(const std::string& file, std::size_t most_bytes) {
  if (file.empty()) return read_error("no file name was given");
  if (file.find('\0') != std::string::npos) return read_error("the file name has a NUL byte in it");
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return read_error(errno);
  return read_descriptor(fd.get(), most_bytes);
}

Result<std::string> read_descriptor(int descriptor, std::size_t most_bytes) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return read_error(errno);
  if (S_ISDIR(status.st_mode)) return read_error("is a directory; name a file in it");
  if (!S_ISREG(status.st_mode)) return read_error("is not a regular file");
  std::string content;
  // One byte more than may be, so that a larger file shows also when it has no size yet (/proc).
  content.resize(most_bytes + 1);
  std::size_t size_bytes = 0;
  while (size_bytes < content.size()) {
    const ssize_t got = ::read(descriptor, content.data() + size_bytes, content.size() - size_bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return read_error(errno);
    if (got == 0) break;
    size_bytes += static_cast<std::size_t>(got);
  }
  if (size_bytes > most_bytes) {
    return read_error("is larger than the " + std::to_string(most_bytes / 1024) + " KiB that such a file may have");
  }
  content.resize(size_bytes);
  return content;
}

}  // namespace nfbus::host
