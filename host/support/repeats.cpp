#include "support/repeats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host::log {

namespace {

// A line's beginning is enough to know it again.
constexpr std::size_t kMostKeptBytes = 512;

}  // namespace

bool Repeats::has_many(const Kinds& kinds, Level level) {
  if (kinds.size() < kMostKinds) return false;
  const auto weighs = [level](const auto& entry) { return entry.second.level <= level && !entry.first.empty(); };
  return std::count_if(kinds.begin(), kinds.end(), weighs) >= static_cast<std::ptrdiff_t>(kMostKinds);
}

bool Repeats::admit(Level level, std::string_view source, std::string_view kind, std::string_view line,
                    Clock::time_point now) {
  auto found = sources_.find(source);
  if (found == sources_.end()) found = sources_.emplace(std::string(source), Kinds()).first;
  Kinds& kinds = found->second;
  auto known = kinds.find(kind);
  const bool is_one_of_many = known == kinds.end() && has_many(kinds, level);
  if (is_one_of_many) known = kinds.find(std::string_view());
  if (known == kinds.end()) {
    Kind first{
        .level = level, .line = std::string(line.substr(0, kMostKeptBytes)), .since = now, .due = now + kFirstInterval};
    known = kinds.emplace(is_one_of_many ? std::string() : std::string(kind), std::move(first)).first;
    next_due_ = std::min(next_due_, now + kFirstInterval);
    if (!is_one_of_many) return true;
  }
  Kind& same = known->second;
  // Of many kinds, one of the weightiest is shown.
  if (is_one_of_many && (same.held_back == 0 || level < same.level)) {
    same.line = line.substr(0, kMostKeptBytes);
    same.level = level;
  }
  same.level = std::min(same.level, level);
  ++same.held_back;
  return false;
}

void Repeats::say_due(Clock::time_point now, const Say& say) {
  if (now < next_due_) return;
  next_due_ = Clock::time_point::max();
  for (auto source = sources_.begin(); source != sources_.end();) {
    Kinds& kinds = source->second;
    for (auto at = kinds.begin(); at != kinds.end();) {
      Kind& kind = at->second;
      if (kind.due <= now && kind.held_back == 0) {
        at = kinds.erase(at);
        continue;
      }
      if (kind.due <= now) {
        const std::uint64_t count = std::exchange(kind.held_back, 0);
        const auto seconds = std::chrono::round<std::chrono::seconds>(now - std::exchange(kind.since, now)).count();
        say(kind.level, source->first,
            at->first.empty()
                ? fmt::format("{} other lines in {} s were held back, such as: {}", count, seconds, kind.line)
                : fmt::format("{} ({} more like it in {} s)", kind.line, count, seconds));
        kind.interval = std::min(2 * kind.interval, kLongestInterval);
        kind.due = now + kind.interval;
      }
      next_due_ = std::min(next_due_, kind.due);
      ++at;
    }
    source = kinds.empty() ? sources_.erase(source) : std::next(source);
  }
}

void Repeats::say_all(Clock::time_point now, const Say& say) {
  for (auto& [source, kinds] : sources_) {
    for (auto& [key, kind] : kinds) kind.due = now;
  }
  next_due_ = now;
  say_due(now, say);
}

}  // namespace nfbus::host::log
