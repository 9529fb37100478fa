#include "cli/terminal_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

TEST(AddressText, KnowsBothFamiliesBySize) {
  EXPECT_EQ(address_text(std::array<std::uint8_t, 4>{192, 0, 2, 1}), "192.0.2.1");
  EXPECT_EQ(address_text(std::array<std::uint8_t, 16>{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
            "2001:db8::1");
}

}  // namespace
}  // namespace nfbus::host
