// Why a file cannot be read.
#pragma once

#include <nfbus/result.hpp>

#include <string_view>

namespace nfbus::host {

// [any] Of errno, or of what the file is: not_found, refused, io; invalid. Without a place: the texts do not name the
// file, the caller's place or sentence does.
Error read_error(int error_number);
Error read_error(std::string_view text);

}  // namespace nfbus::host
