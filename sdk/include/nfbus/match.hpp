// Selecting events: a compiled match. The keys are in sdk/README.md.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/event.hpp>

#include <cstdint>
#include <utility>

namespace nfbus {

// One or more tables, compiled by Host::match; given back by the destructor, which must run before the instance ends
// and not while a test runs. Movable. [any], but for the tests.
class Match {
 public:
  Match() = default;  // holds for no event
  Match(const nfbus_host* host, const nfbus_match* match) noexcept : host_(host), match_(match) {}
  Match(Match&& other) noexcept : host_(other.host_), match_(std::exchange(other.match_, nullptr)) {}
  Match& operator=(Match&& other) noexcept {
    std::swap(host_, other.host_);
    std::swap(match_, other.match_);
    return *this;
  }
  Match(const Match&) = delete;
  Match& operator=(const Match&) = delete;
  ~Match() {
    if (match_ != nullptr) host_->match_release(host_->context, match_);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return match_ != nullptr; }

  // [worker] Returns whether a table holds for the event.
  [[nodiscard]] bool operator()(Event event) const noexcept { return first(event) != 0; }
  // [worker] The number of the first table that holds, counted from 1; 0: none.
  [[nodiscard]] std::uint32_t first(Event event) const noexcept {
    return match_ == nullptr ? 0 : host_->match_test(host_->context, match_, event.raw());
  }

 private:
  const nfbus_host* host_ = nullptr;
  const nfbus_match* match_ = nullptr;
};

}  // namespace nfbus
