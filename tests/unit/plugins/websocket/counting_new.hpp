// Counts what a test program allocates by `new`.
#pragma once

#include <cstddef>

namespace rules::test {

// Of the whole program, which has one thread.
[[nodiscard]] std::size_t allocation_count() noexcept;

}  // namespace rules::test
