#include "support/kept_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace nfbus::host {
namespace {

TEST(KeptMemory, GivesEachItsOwnAlignedBytesUntilTheyAreCleared) {
  KeptMemory memory(64);
  std::array<std::span<std::uint8_t>, 40> given;
  for (std::size_t i = 0; i < given.size(); ++i) {
    given.at(i) = memory.allocate(i);
    ASSERT_EQ(given.at(i).size(), i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(given.at(i).data()) % KeptMemory::kAlign, 0U);
    std::ranges::fill(given.at(i), static_cast<std::uint8_t>(i));
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_TRUE(std::ranges::all_of(given.at(i), [&](std::uint8_t byte) { return byte == i; })) << i;
  }
}

TEST(KeptMemory, UsesItsChunksAgainInTheSameOrder) {
  KeptMemory memory(64);
  const auto round = [&] {
    std::array<const std::uint8_t*, 3> places{};
    for (const std::uint8_t*& place : places) place = memory.allocate(40).data();
    memory.clear();
    return places;
  };
  const auto first = round();
  EXPECT_EQ(round(), first);
  EXPECT_EQ(round(), first);
}

TEST(KeptMemory, HoldsWhatIsLargerThanAChunkBesideTheChunks) {
  KeptMemory memory(64);
  const std::uint8_t* const before = memory.allocate(8).data();
  const std::span<std::uint8_t> large = memory.allocate(1000);
  ASSERT_EQ(large.size(), 1000U);
  std::ranges::fill(large, std::uint8_t{1});
  EXPECT_EQ(memory.allocate(8).data(), before + 8) << "the chunk goes on where it was";
}

}  // namespace
}  // namespace nfbus::host
