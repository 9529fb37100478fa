// What the page shows of all events, whatever its filter: totals, rates by topic, top talkers.
#pragma once

#include "heavy_hitters.hpp"

#include <nfbus/event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace websocket {

// Counts in steps of time, the newest last; a ring.
class Series {
 public:
  explicit Series(std::size_t points) : counts_(points) {}
  // now: in steps.
  void add(std::int64_t now) {
    advance(now);
    ++counts_[static_cast<std::size_t>(now_ % static_cast<std::int64_t>(counts_.size()))];
  }
  void advance(std::int64_t now);
  // Oldest first, up to and with `now`.
  [[nodiscard]] std::vector<std::uint32_t> values(std::int64_t now);
  [[nodiscard]] std::uint32_t at(std::int64_t when) const;

 private:
  std::vector<std::uint32_t> counts_;
  std::int64_t now_ = 0;
};

// Thread safety: none; [worker].
class Statistics {
 public:
  // now_s: of the host's clock, monotonous.
  void add(nfbus::Event event, std::int64_t now_s);

  // What the user calls the device of an address, given as its bytes; empty: nothing.
  using NameOf = std::function<std::string_view(std::span<const std::uint8_t> address)>;
  // Members of an object, without its braces: "events":...,"top":{...}.
  void append_totals(std::string& out, std::int64_t now_s, const NameOf& name_of) const;
  // step_s: 1 or 10. time_ns: now.
  [[nodiscard]] std::string series_json(unsigned step_s, std::int64_t now_s, std::int64_t time_ns);
  // Topics and interfaces that have been seen, as arrays of a completion's values.
  void append_seen(std::string& out) const;

 private:
  static constexpr std::size_t kMostTopics = 64;  // the others are one
  static constexpr std::size_t kMostNames = 256;
  static constexpr std::size_t kSketch = 256;
  static constexpr std::size_t kTop = 10;
  static constexpr std::size_t kSeconds = 300;
  static constexpr std::size_t kTens = 360;
  static constexpr std::int64_t kHalfHour = 1800;

  struct Counted {
    std::uint64_t count = 0;
    Series seconds{kSeconds};
    Series tens{kTens};
    void add(std::int64_t now_s) {
      ++count;
      seconds.add(now_s);
      tens.add(now_s / 10);
    }
  };
  // Of the half hour that runs, and of the one before.
  struct Top {
    HeavyHitters now{kSketch};
    HeavyHitters before{kSketch};
    void add(std::string_view key) { now.add(key); }
  };

  Counted& topic_of(std::string_view topic);
  void turn(std::int64_t now_s);
  // name_of: null: it is none of addresses.
  void append_top(std::string& out, std::string_view name, const Top& top, std::int64_t now_s,
                  const NameOf* name_of) const;

  std::map<std::string, Counted, std::less<>> topics_;
  Counted all_;
  Counted blocked_;
  Counted allowed_;
  std::uint64_t messages_ = 0;
  Top sources_;
  Top destinations_;
  Top ports_;
  Top domains_;
  std::int64_t half_hour_ = 0;
  std::set<std::string, std::less<>> in_;  // names
  std::set<std::string, std::less<>> out_;
  std::string key_;
};

}  // namespace websocket
