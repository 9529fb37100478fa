// Numbers of records, as ranges.
#pragma once

#include "delivery/spill/format.hpp"

#include <cstdint>
#include <vector>

namespace nfbus::host::spill {

// Ascending ranges that neither overlap nor touch. Adding behind its end is cheap. Thread safety: none.
class NumberSet {
 public:
  void add(Numbers range);
  // Leaves nothing before `begin`.
  void drop_before(std::uint64_t begin);
  [[nodiscard]] bool contains(std::uint64_t number) const { return end_of(number) != number; }
  // The first number from `number` on that is not in it.
  [[nodiscard]] std::uint64_t end_of(std::uint64_t number) const;
  // How many of the range are in it.
  [[nodiscard]] std::uint64_t count(Numbers range) const;
  // How many of the range are not.
  [[nodiscard]] std::uint64_t missing(Numbers range) const {
    return range.first < range.end ? range.end - range.first - count(range) : 0;
  }
  [[nodiscard]] const std::vector<Numbers>& ranges() const noexcept { return ranges_; }

 private:
  std::vector<Numbers> ranges_;
};

}  // namespace nfbus::host::spill
