// A look at a library before the loader sees it: the loader trusts what it reads, and dies of SIGBUS on a file that
// was cut short.
#pragma once

#include <nfbus/result.hpp>

#include <cstdint>

namespace nfbus::host {

// [control] Returns whether the file is a whole shared object for this machine (elf.h, System V ABI chapter 4).
// Code::invalid for a broken file, Code::unsupported for one of another machine, Code::io.
[[nodiscard]] Result<void> check_elf(int descriptor, std::uint64_t size_bytes);

}  // namespace nfbus::host
