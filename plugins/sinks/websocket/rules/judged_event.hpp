// An event while rules judge it: what several of them ask for is made once.
#pragma once

#include "json.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace rules {

// The name that the user gave to an address or MAC; empty: none.
using NameOf = std::function<std::string(std::string_view)>;

// The memory that all rules may use for copies of events. Thread safety: none.
class CopyBudget {
 public:
  [[nodiscard]] bool take(std::size_t size_bytes) noexcept {
    if (size_bytes > kMostBytes - used_bytes_) return false;
    used_bytes_ += size_bytes;
    return true;
  }
  void give_back(std::size_t size_bytes) noexcept { used_bytes_ -= size_bytes; }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{32} << 20;
  std::size_t used_bytes_ = 0;
};

// What rules need of their surroundings. A value. Thread safety: as the host's.
struct Surroundings {
  nfbus::Host host;
  nfbus::Format format;  // of packets, for their JSON
  NameOf name_of;
  std::shared_ptr<CopyBudget> copies;  // never null
};

// Of what is longer a notification carries no copy: lines of the bus end at 64 KiB, and each quote in them takes two
// bytes.
inline constexpr std::size_t kMostEventBytes = std::size_t{16} << 10;

// Valid as long as the event. Making one costs nothing. [worker]
class JudgedEvent {
 public:
  JudgedEvent(nfbus::Event event, const Surroundings& around) noexcept : event_(event), around_(around) {}

  [[nodiscard]] nfbus::Event event() const noexcept { return event_; }
  [[nodiscard]] const Surroundings& around() const noexcept { return around_; }

  // A packet's addresses as text; empty: none.
  [[nodiscard]] std::string_view source() noexcept {
    if (!source_) source_ = event_.source();
    return *source_;
  }
  [[nodiscard]] std::string_view destination() noexcept {
    if (!destination_) destination_ = event_.destination();
    return *destination_;
  }
  // A packet in the packet format; of a message its text. Valid until the call that handed the event over returns.
  [[nodiscard]] std::string_view text() {
    if (!text_) text_ = event_.is_packet() ? event_.json(around_.format) : event_.text();
    return *text_;
  }
  // The same, read. Discarded: a message that is no JSON.
  [[nodiscard]] const Json& json() {
    if (!json_) json_ = parse_event(text());
    return *json_;
  }
  // SPR tells its clients once of an event, whatever many of the mission's rules mean it. True for the first that asks.
  [[nodiscard]] bool take_frame() noexcept { return !std::exchange(has_frame_, true); }
  // To be made an event again, by which clients' matches are tested; empty: it is too long.
  [[nodiscard]] std::string record() const {
    const std::span<const std::uint8_t> bytes = around_.host.record(event_);
    if (bytes.size() > kMostEventBytes) return {};
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // As a value in JSON of ours: a message that is none as a string. Empty: it is too long.
  [[nodiscard]] std::string copy() {
    if (text().size() > kMostEventBytes) return {};
    if (!event_.is_message() || !json().is_discarded()) return std::string(text());
    std::string out = in_quotes(text());
    return out.size() > kMostEventBytes ? std::string() : out;
  }

 private:
  const nfbus::Event event_;
  const Surroundings& around_;
  std::optional<nfbus::AddressText> source_;
  std::optional<nfbus::AddressText> destination_;
  std::optional<std::string_view> text_;
  std::optional<Json> json_;
  bool has_frame_ = false;
};

}  // namespace rules
