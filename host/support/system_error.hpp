// Errors of system calls.
#pragma once

#include <nfbus/result.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace nfbus::host {

// [any] "No such file or directory", of errno or of another `number` of its kind.
[[nodiscard]] inline std::string error_reason(int number = errno) { return std::generic_category().message(number); }

// [any] "WHAT: No such file or directory", of errno or of another `number` of its kind.
[[nodiscard]] inline Error system_error(std::string_view what, int number = errno, Code code = Code::io) {
  return {.code = code, .text = std::string(what) + ": " + error_reason(number)};
}

}  // namespace nfbus::host
