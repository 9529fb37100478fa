// Errors of system calls.
#pragma once

#include <nfbus/result.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace nfbus::host {

// [any] "WHAT: No such file or directory", of errno or of another `number` of its kind.
[[nodiscard]] inline Error system_error(std::string_view what, int number = errno, Code code = Code::io) {
  return {.code = code, .text = std::string(what) + ": " + std::generic_category().message(number)};
}

}  // namespace nfbus::host
