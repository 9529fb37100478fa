// Files that a user writes by hand, read whole.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

namespace output {

// With this process's own rights, which are those of the user that nfbus runs as. Errors: not_found; refused, with the
// user that must be able to; invalid: it has more than most_bytes; io.
inline nfbus::Result<std::string> read_small_file(const std::string& path, std::size_t most_bytes) {
  const auto wrong = [&path](nfbus::Code code, int error) {
    std::string text = "cannot read " + path + ": " + std::generic_category().message(error);
    if (error == EACCES) text += "; uid " + std::to_string(geteuid()) + ", which nfbus runs as, must be able to";
    return nfbus::Error{.code = code, .text = std::move(text)};
  };
  const nfbus::util::Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) {
    if (errno == ENOENT) return wrong(nfbus::Code::not_found, errno);
    return wrong(errno == EACCES ? nfbus::Code::refused : nfbus::Code::io, errno);
  }
  std::string out;
  std::array<char, 4096> room;
  while (out.size() <= most_bytes) {
    const ssize_t size = read(fd.get(), room.data(), room.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return wrong(nfbus::Code::io, errno);
    if (size == 0) return out;
    out.append(room.data(), static_cast<std::size_t>(size));
  }
  return nfbus::Error{.code = nfbus::Code::invalid,
                      .text = path + " has more than " + std::to_string(most_bytes) + " bytes"};
}

}  // namespace output
