// DHCP for IPv4: RFC 2131, its options RFC 2132. Decoded only when somebody asks; nothing here allocates.
//
// What a hostile message may cost: kMaxDhcpOptions options; each of its bytes is read once.
#pragma once

#include "decode/headers.hpp"
#include "decode/reader.hpp"

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nfbus::host {

inline constexpr std::uint16_t kDhcpServerPort = 67;
inline constexpr std::uint16_t kDhcpClientPort = 68;
[[nodiscard]] constexpr bool is_dhcp_port(std::uint16_t port) noexcept {
  return port == kDhcpServerPort || port == kDhcpClientPort;
}

// Padding between options counts: more than fits into an Ethernet frame.
inline constexpr std::size_t kMaxDhcpOptions = 2048;

class DhcpHeader : public HeaderView<240> {
 public:
  using HeaderView::HeaderView;
  static constexpr std::uint32_t kMagicCookie = 0x63825363;
  static constexpr std::uint8_t kMaxHardwareBytes = 16;

  [[nodiscard]] std::uint8_t operation() const noexcept { return u8<0>(); }
  [[nodiscard]] std::uint8_t hardware_type() const noexcept { return u8<1>(); }
  [[nodiscard]] std::uint8_t hardware_bytes() const noexcept { return u8<2>(); }
  [[nodiscard]] std::uint8_t hops() const noexcept { return u8<3>(); }
  [[nodiscard]] std::uint32_t transaction() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint16_t elapsed_s() const noexcept { return u16<8>(); }
  [[nodiscard]] std::uint16_t flags() const noexcept { return u16<10>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> client_address() const noexcept { return part<12, 4>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> your_address() const noexcept { return part<16, 4>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> next_server_address() const noexcept { return part<20, 4>(); }
  [[nodiscard]] std::span<const std::uint8_t, 4> relay_address() const noexcept { return part<24, 4>(); }
  // hardware_bytes() of it are the client's address.
  [[nodiscard]] std::span<const std::uint8_t, 16> hardware_address() const noexcept { return part<28, 16>(); }
  [[nodiscard]] std::span<const std::uint8_t, 64> server_name() const noexcept { return part<44, 64>(); }
  [[nodiscard]] std::span<const std::uint8_t, 128> file() const noexcept { return part<108, 128>(); }
  [[nodiscard]] std::uint32_t magic_cookie() const noexcept { return u32<236>(); }
};

// The DHCP message that a packet carries, no bytes: none. IPv4 and UDP to or from port 67 or 68, unless it is a
// fragment. Thread safety: any thread.
[[nodiscard]] CarriedMessage carried_dhcp(const nfbus_event& event) noexcept;

// The header of a message that is long enough and has the magic cookie and a possible length of the hardware address.
// None: *error says, in a constant text, what is wrong.
[[nodiscard]] std::optional<DhcpHeader> read_dhcp_header(const CarriedMessage& message,
                                                         std::string_view& error) noexcept;

struct DhcpOption {
  static constexpr std::uint8_t kPad = 0;
  static constexpr std::uint8_t kOverload = 52;  // RFC 2132, section 9.3
  static constexpr std::uint8_t kEnd = 255;

  std::uint8_t type = kPad;
  Bytes data;  // of kPad: none
};

// The options of a message whose header was read: while (const auto option = options.next()) ...
// Where an option says so, those in the header's file and server name follow, in this order (RFC 2131, section 4.1);
// one there cannot say so. An option that stands there in several parts (RFC 3396) is as many options. Thread safety:
// none; the message outlives it.
class DhcpOptions {
 public:
  explicit DhcpOptions(const CarriedMessage& message) noexcept
      : message_(message.bytes),
        is_cut_(message.wire_bytes > message.bytes.size()),
        reader_(message_, DhcpHeader::kSize) {}

  // None: behind the last, or where one is broken.
  [[nodiscard]] std::optional<DhcpOption> next() noexcept;
  // Constant text; empty: all options so far were whole. Where was_cut(), those that were captured whole are not
  // broken.
  [[nodiscard]] std::string_view error() const noexcept { return error_; }
  // Returns whether snaplen cut the options: error() says so, and nothing else is wrong.
  [[nodiscard]] bool was_cut() const noexcept { return !broken_ && !error_.empty(); }

 private:
  enum class Area : std::uint8_t { options = 1, file, server_name };

  std::optional<DhcpOption> fail(std::string_view error) noexcept;
  bool next_area() noexcept;

  Bytes message_;
  bool is_cut_;  // by snaplen: the options have no end
  Reader reader_;
  Area area_ = Area::options;
  std::uint8_t overload_ = 0;
  bool broken_ = false;
  std::size_t count_ = 0;
  std::string_view error_;
};

}  // namespace nfbus::host
