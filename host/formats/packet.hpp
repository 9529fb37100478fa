// The `packet` format: the layered JSON that SPR's clients read.
#pragma once

#include "formats/format.hpp"
#include "formats/packet_layers.hpp"

#include <cstddef>
#include <string_view>

namespace nfbus::host {

// Objects and keys of SPR's packet_logs (gopacket 1.1.19) in its order, with its oddities; ours stand between them:
// IPv6 in the IP object, ICMP, ICMPv6, ARP, SCTP, VLAN, Group to Seq, DecodeError. RecentDomainSrc and RecentDomainDst
// are fields of the event that stand in SPR's place instead of in Fields. Thread safety: const members from any thread.
class PacketFormat final : public Format {
 public:
  // With Contents and Payload of each layer (kPacketFullFormat), or without (kPacketFormat).
  enum class Payload { none = 1, full };

  explicit PacketFormat(Payload payload) : full_(payload == Payload::full) {}

  void render(const Event& event, TextBuffer& out) const override;
  void append_fields(const nfbus_event& event, TextBuffer& out) const override;
  [[nodiscard]] bool renders_alike(const nfbus_event& event, const nfbus_event& other) const noexcept override;
  // Payloads are shortened first; then DNS or DHCP, texts and options, and what follows them.
  void render_within(const Event& event, std::size_t max_bytes, TextBuffer& out) const override;

 private:
  [[nodiscard]] bool render_with_shorter_payloads(const Event& event, std::size_t max_bytes, TextBuffer& out) const;

  const bool full_;
};

}  // namespace nfbus::host
