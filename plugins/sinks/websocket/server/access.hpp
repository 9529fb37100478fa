// Who is let in: tokens, sessions of the page, and how fast somebody may guess.
#pragma once

#include "message.hpp"

#include <nfbus/lru_map.hpp>
#include <nfbus/result.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace websocket {

using Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Digest digest_of(std::string_view text);

// The lines of a token file. Kept as digests, so that comparing takes as long wherever they differ.
class Tokens {
 public:
  // One a line: TOKEN or USER:PASSWORD, without blanks at its ends; empty lines and those that begin with # do not
  // count. Error: it cannot be read, or holds none.
  [[nodiscard]] static nfbus::Result<Tokens> read(const std::string& path);

  [[nodiscard]] bool holds(std::string_view token) const;
  [[nodiscard]] bool is_needed() const noexcept { return !digests_.empty(); }

  bool operator==(const Tokens&) const = default;

 private:
  std::vector<Digest> digests_;
};

// Of pages that gave a token once: 32 random bytes in a cookie. Thread safety: none.
class Sessions {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::hours kLife{24 * 30};  // since it was used last

  // The cookie's value of a new one.
  [[nodiscard]] std::string begin(Clock::time_point now);
  [[nodiscard]] bool holds(std::string_view cookie, Clock::time_point now);
  void end(std::string_view cookie);
  void end_all() {
    while (sessions_.size() != 0) sessions_.pop_oldest();
  }

 private:
  static constexpr std::size_t kMost = 1024;

  nfbus::LruMap<Digest, Clock::time_point> sessions_{kMost};  // until when
};

// How fast somebody may guess, by address (an IPv6 network of 64 bits is one). Thread safety: none.
class Slowdown {
 public:
  using Clock = std::chrono::steady_clock;

  // How long the next token of this address is not looked at; 0: not at all.
  [[nodiscard]] std::chrono::milliseconds wait(std::string_view address, Clock::time_point now);
  // One more token was wrong. Returns how long its answer, and each further token, has to wait.
  [[nodiscard]] std::chrono::milliseconds failed(std::string_view address, Clock::time_point now);

 private:
  struct Failures {
    unsigned count = 0;
    Clock::time_point last{};
    Clock::time_point until{};  // nothing is looked at
  };
  static constexpr std::size_t kMost = 4096;

  nfbus::LruMap<std::string, Failures> failures_{kMost};
};

// The value of a cookie of the request; empty: there is none.
[[nodiscard]] std::string_view cookie_of(const Request& request, std::string_view name);
// Of `Authorization: Bearer TOKEN`; empty: there is none.
[[nodiscard]] std::string_view bearer_of(const Request& request);

}  // namespace websocket
