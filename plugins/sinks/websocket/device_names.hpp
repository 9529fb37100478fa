// What the user calls the devices of the network: the file `names`.
#pragma once

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>

#include "../../lib/lasting_warning.hpp"

#include <cstdint>
#include <ctime>
#include <map>
#include <string>
#include <string_view>

namespace websocket {

// A line of the file is an address or MAC, blanks, and the name; # begins a comment. Thread safety: none.
class DeviceNames {
 public:
  // path: empty: there are none.
  DeviceNames(nfbus::Host host, std::string path);

  // Reads the file where it has changed. What is wrong with a line costs that line alone, and is logged with its place.
  void refresh();

  // Empty: it has none.
  [[nodiscard]] std::string_view of(std::string_view address_or_mac) const;
  [[nodiscard]] bool empty() const noexcept { return names_.empty(); }

 private:
  void read(const std::string& text);

  const nfbus::Host host_;
  const std::string path_;
  timespec changed_{};
  std::int64_t size_bytes_ = -1;
  std::map<std::string, std::string, std::less<>> names_;  // by address as inet_ntop writes it, or MAC in lower case
  output::LastingWarning warning_;
};

// The MAC that a packet was sent from, as far as the kernel logged it; empty: it did not.
[[nodiscard]] std::span<const std::uint8_t> source_mac_of(nfbus::Event event) noexcept;

// "02:00:00:00:00:01" of 6 bytes; empty: they are no MAC.
[[nodiscard]] std::string mac_text(std::span<const std::uint8_t> bytes);

}  // namespace websocket
