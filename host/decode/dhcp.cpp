#include "decode/dhcp.hpp"

#include "decode/dns.hpp"
#include "decode/headers.hpp"

namespace nfbus::host {

namespace {

constexpr std::string_view kCutShort = "DHCP: option cut short";

class OptionHeader : public HeaderView<2> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint8_t data_bytes() const noexcept { return u8<1>(); }
};

}  // namespace

Bytes dhcp_message(const nfbus_event& event) noexcept {
  constexpr std::uint32_t kLayers = NFBUS_LAYER_IPV4 | NFBUS_LAYER_UDP;
  if ((event.layers & kLayers) != kLayers) return {};
  const std::uint16_t to = event.destination_port;
  // Where both ports are well-known, that of the destination decides.
  const bool carries = is_dhcp_port(to) || (is_dhcp_port(event.source_port) && to != kDnsPort && to != kMdnsPort);
  return carries && !is_fragment(event) ? transport_data(event) : Bytes{};
}

std::optional<DhcpHeader> read_dhcp_header(Bytes message, std::string_view& error) noexcept {
  const auto header = Reader(message).peek<DhcpHeader>();
  if (!header) {
    error = "DHCP: header cut short";
  } else if (header->magic_cookie() != DhcpHeader::kMagicCookie) {
    error = "DHCP: no magic cookie";
  } else if (header->hardware_bytes() > DhcpHeader::kMaxHardwareBytes) {
    error = "DHCP: hardware address longer than 16 bytes";
  } else {
    return header;
  }
  return std::nullopt;
}

std::optional<DhcpOption> DhcpOptions::fail(std::string_view error) noexcept {
  error_ = error;
  return std::nullopt;
}

std::optional<DhcpOption> DhcpOptions::next() noexcept {
  const Bytes rest = reader_.rest();
  if (!error_.empty() || rest.empty() || rest.front() == DhcpOption::kEnd) return std::nullopt;
  if (count_++ == kMaxDhcpOptions) return fail("DHCP: more than 2048 options");
  if (rest.front() == DhcpOption::kPad) {
    static_cast<void>(reader_.skip(1));  // it is there
    return DhcpOption{};
  }
  const auto header = reader_.peek<OptionHeader>();
  if (!header || !reader_.skip(OptionHeader::kSize)) return fail(kCutShort);
  if (!reader_.skip(header->data_bytes())) return fail(kCutShort);
  return DhcpOption{.type = rest.front(), .data = rest.subspan(OptionHeader::kSize, header->data_bytes())};
}

}  // namespace nfbus::host
