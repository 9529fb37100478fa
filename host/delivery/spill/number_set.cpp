#include "delivery/spill/number_set.hpp"

#include <algorithm>

namespace nfbus::host::spill {

namespace {

// The first range that ends at `number` or behind it.
template <typename Ranges>
auto first_reaching(Ranges& ranges, std::uint64_t number) {
  return std::lower_bound(ranges.begin(), ranges.end(), number,
                          [](const Numbers& range, std::uint64_t wanted) { return range.end < wanted; });
}

}  // namespace

void NumberSet::add(Numbers range) {
  if (range.first >= range.end) return;
  const auto begin = first_reaching(ranges_, range.first);
  auto end = begin;
  for (; end != ranges_.end() && end->first <= range.end; ++end) {
    range = {.first = std::min(range.first, end->first), .end = std::max(range.end, end->end)};
  }
  if (begin == end) {
    ranges_.insert(begin, range);
    return;
  }
  *begin = range;
  ranges_.erase(begin + 1, end);
}

void NumberSet::drop_before(std::uint64_t begin) {
  auto kept = first_reaching(ranges_, begin);
  if (kept != ranges_.end() && kept->end == begin) ++kept;
  ranges_.erase(ranges_.begin(), kept);
  if (!ranges_.empty()) ranges_.front().first = std::max(ranges_.front().first, begin);
}

std::uint64_t NumberSet::end_of(std::uint64_t number) const {
  const auto found = first_reaching(ranges_, number);
  return found != ranges_.end() && found->first <= number ? found->end : number;
}

std::uint64_t NumberSet::count(Numbers range) const {
  std::uint64_t sum = 0;
  for (auto it = first_reaching(ranges_, range.first); it != ranges_.end() && it->first < range.end; ++it) {
    const std::uint64_t first = std::max(it->first, range.first);
    const std::uint64_t end = std::min(it->end, range.end);
    if (first < end) sum += end - first;
  }
  return sum;
}

}  // namespace nfbus::host::spill
