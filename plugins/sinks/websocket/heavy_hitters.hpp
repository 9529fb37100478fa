// Which keys come most often, with a bounded memory: the space-saving sketch (Metwally, Agrawal, El Abbadi, 2005). A
// count is too high by its `error` at most, and each key that came more often than the smallest count is there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace websocket {

// Thread safety: none.
class HeavyHitters {
 public:
  struct Hit {
    std::string key;
    std::uint64_t count = 0;
    std::uint64_t error = 0;
  };

  explicit HeavyHitters(std::size_t most) : most_(most) { counts_.reserve(most); }

  void add(std::string_view key) {
    if (const auto found = places_.find(key); found != places_.end()) {
      ++counts_[found->second];
      return;
    }
    std::size_t place = counts_.size();
    if (place < most_) {
      counts_.push_back(1);
      hits_.push_back({std::string(key), 0, 0});
    } else {
      place = smallest();
      places_.erase(places_.find(hits_[place].key));
      hits_[place].key = key;
      hits_[place].error = counts_[place]++;
    }
    places_.emplace(hits_[place].key, place);
  }

  [[nodiscard]] std::vector<Hit> hits() const {
    std::vector<Hit> out = hits_;
    for (std::size_t i = 0; i < out.size(); ++i) out[i].count = counts_[i];
    return out;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>()(key); }
  };

  // Beside the hits, so that the look for the smallest goes over one short array; it goes on where the last one ended,
  // as the smallest of before has most often company.
  std::size_t smallest() {
    const std::size_t size = counts_.size();
    std::size_t best = 0;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t at = hint_ + i < size ? hint_ + i : hint_ + i - size;
      if (counts_[at] == least_) {
        hint_ = at;
        return at;
      }
      if (counts_[at] < least) {
        least = counts_[at];
        best = at;
      }
    }
    least_ = least;
    hint_ = best;
    return best;
  }

  std::size_t most_;
  std::vector<std::uint64_t> counts_;
  std::vector<Hit> hits_;  // their counts are in counts_
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> places_;
  std::uint64_t least_ = 0;  // the smallest count of the last look
  std::size_t hint_ = 0;
};

}  // namespace websocket
