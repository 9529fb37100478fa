// What rules remember beyond a restart: what they have seen, and how long they are snoozed.
#pragma once

#include <nfbus/host.hpp>
#include <nfbus/lru_map.hpp>
#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace rules {

inline constexpr std::size_t kMostSeen = 20'000;  // of one rule
inline constexpr std::size_t kMostSeenInAll = 100'000;
inline constexpr std::size_t kMostStateBytes = std::size_t{64} << 20;  // of the file

// A snooze that was set while the host ran, without a change to the rule's file.
struct Snooze {
  std::string until = {};    // RFC 3339; empty: it was ended
  std::string in_file = {};  // what the rule said itself then: another word there is a newer one
};

// Of one rule, by its name. Thread safety: none.
class RuleState {
 public:
  // Its keys, the oldest of which is forgotten when there are too many.
  nfbus::LruMap<std::string, char> seen{kMostSeen};
  std::int64_t first_event_ns = 0;  // CLOCK_REALTIME; 0: none came yet
  bool has_learned = false;         // learn_s after it were over once: a clock that went back does not bring them back
  std::optional<Snooze> snooze;
};

// The state file. Thread safety: none; [worker] but for load().
class State {
 public:
  // path: empty: nothing is kept. most_bytes: of what is read, and written.
  State(nfbus::Host host, std::string path, std::size_t most_bytes = kMostStateBytes);

  // [control] Keeps others from the file as long as this lives. An error: another one has it.
  [[nodiscard]] nfbus::Result<void> claim();
  // [control] A file that is broken is set aside as PATH.broken; one that is something else or cannot be read stays as
  // it is, and nothing is kept. Each with a warning.
  void load();
  // Writes what has changed, unless it was written a moment ago: 2 s, of much 10 s.
  void write_in_time(std::int64_t now_ns);
  // Writes what has changed, now; what it has no room for is forgotten, the oldest first. Of an error the user has been
  // told.
  nfbus::Result<void> write();

  // Made where there is none; valid until keep() lets it go.
  [[nodiscard]] RuleState& of(const std::string& rule);
  // What others than these remember stays, for a rule that comes back, as long as there is not too much of it. Ends the
  // validity of states that are not in use.
  void keep(const std::set<std::string>& in_use);
  [[nodiscard]] static bool has_seen(RuleState& rule, std::string_view key) noexcept {
    return rule.seen.use(key) != nullptr;
  }
  // Of a rule that is made anew, or has been removed.
  void forget_snooze(const std::string& rule);
  // Returns whether the rule had not seen it yet; it has from now on.
  bool remember(RuleState& rule, std::string_view key);
  // Something else in it has changed.
  void changed() noexcept { has_changed_ = true; }
  [[nodiscard]] bool is_kept() const noexcept { return !path_.empty() && !is_foreign_; }

 private:
  void read(std::string_view text);
  [[nodiscard]] std::string text() const;
  void make_room(RuleState& wanting);
  void forget_oldest();

  const nfbus::Host host_;
  const std::string path_;
  const std::size_t most_bytes_;
  nfbus::util::Descriptor claim_;
  std::map<std::string, std::unique_ptr<RuleState>> rules_;
  std::size_t seen_count_ = 0;
  bool is_foreign_ = false;  // the file at the path is something else
  bool has_changed_ = false;
  std::int64_t written_ns_ = 0;
  std::int64_t pause_ns_ = 0;  // from one write to the next
  std::string last_error_;     // of writing; empty: none
};

}  // namespace rules
