// One line for one trouble, however often it is met.
#pragma once

#include "support/log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace nfbus::host::log {

// Remembers which lines were said. The first of a kind is said at once; the next ones are counted until a summary is
// due, in ten seconds, then in twenty, then later and later, and with the first time that none came the kind is
// forgotten. A source has few kinds at a time; what comes beyond them counts as one more. Kinds of less weight keep
// none out: whoever chooses what is told of him cannot hide a warning. Thread safety: none.
class Repeats {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kFirstInterval = std::chrono::seconds(10);
  static constexpr Clock::duration kLongestInterval = std::chrono::minutes(10);
  static constexpr std::size_t kMostKinds = 32;
  using Say = std::function<void(Level level, std::string_view source, std::string_view line)>;

  // Returns whether to say this line now. Allocates only for the first of its kind; if that throws, it was not counted.
  bool admit(Level level, std::string_view source, std::string_view kind, std::string_view line, Clock::time_point now);
  // Says what is due by `now`.
  void say_due(Clock::time_point now, const Say& say);
  // Says all that was held back.
  void say_all(Clock::time_point now, const Say& say);
  // When say_due() has something to do; max(): never.
  [[nodiscard]] Clock::time_point next_due() const noexcept { return next_due_; }

 private:
  struct Kind {
    Level level;
    std::string line;  // the first, or of several kinds one that was held back
    Clock::time_point since;
    Clock::time_point due;
    Clock::duration interval = kFirstInterval;
    std::uint64_t held_back = 0;
  };
  using Kinds = std::map<std::string, Kind, std::less<>>;

  // Returns whether there are so many that weigh as much.
  [[nodiscard]] static bool has_many(const Kinds& kinds, Level level);

  std::map<std::string, Kinds, std::less<>> sources_;
  Clock::time_point next_due_ = Clock::time_point::max();
};

}  // namespace nfbus::host::log
