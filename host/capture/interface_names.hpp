// The names of interfaces by index, kept current by rtnetlink; those that went away, for the packets still to come.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <unordered_map>

#include <net/if.h>

namespace nfbus::host {

// Thread safety: none; the capture thread's own. Needs no capability.
class InterfaceNames {
 public:
  // A name and what a batch made of it.
  struct Name {
    char text[IFNAMSIZ];
    std::uint8_t size;
    // The copy in the slab of batch `copied_for`, made by the batch's builder; 0: none yet.
    std::uint64_t copied_for;
    const char* copy;
    std::uint64_t gone;  // 0: the interface is there; else the number of its departure
  };

  // [control] Subscribes to changes and reads all interfaces of this network namespace. Errors: io.
  static Result<InterfaceNames> open();
  // A table without a socket, filled by apply() alone.
  InterfaceNames() = default;

  InterfaceNames(InterfaceNames&& other) noexcept;
  InterfaceNames& operator=(InterfaceNames&& other) noexcept;
  InterfaceNames(const InterfaceNames&) = delete;
  InterfaceNames& operator=(const InterfaceNames&) = delete;
  ~InterfaceNames() = default;

  // Readable when something changed; -1 without a socket.
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  // Takes in the changes that wait. After an overrun all interfaces are read again. Never blocks.
  void update();
  // Null: no such interface, now or lately. Valid until the next update() or apply(). An unknown index is looked for
  // once more among the changes that wait, since a packet can be faster than the news of its interface.
  Name* find(std::uint32_t index);
  // Takes in a datagram of RTM_NEWLINK and RTM_DELLINK messages (linux/rtnetlink.h).
  void apply(std::span<const std::uint8_t> datagram);

 private:
  enum class Read : std::uint8_t { datagram = 1, nothing = 2, overrun = 3 };
  static constexpr std::size_t kRecent = 64;
  struct Recent {
    std::uint32_t index;
    Name* name;
  };

  // How many that are gone are remembered, the latest ones.
  static constexpr std::size_t kMostGone = 4096;
  struct Gone {
    std::uint32_t index;
    std::uint64_t departure;
  };

  [[nodiscard]] bool request_all() const noexcept;
  Read read_one();
  void keep_for_its_last_packets(std::uint32_t index);
  Name* look_up(std::uint32_t index) noexcept;
  void forget_recent() noexcept;

  Descriptor socket_;
  std::unordered_map<std::uint32_t, Name> names_;
  std::deque<Gone> gone_;  // some of which may have come back
  std::uint64_t departures_ = 0;
  Recent recent_[kRecent] = {};  // by index % kRecent, in front of names_
};

}  // namespace nfbus::host
