#include "decode/dhcp.hpp"

#include "decode/dns.hpp"
#include "decode/headers.hpp"

namespace nfbus::host {

namespace {

constexpr std::string_view kCutShort = "DHCP: option cut short";
constexpr std::string_view kCutBySnaplen = "DHCP: message cut by snaplen";

// Of the values of an overload option.
constexpr std::uint8_t kInFile = 1;
constexpr std::uint8_t kInServerName = 2;

class OptionHeader : public HeaderView<2> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint8_t data_bytes() const noexcept { return u8<1>(); }
};

}  // namespace

CarriedMessage carried_dhcp(const nfbus_event& event) noexcept {
  constexpr std::uint32_t kLayers = NFBUS_LAYER_IPV4 | NFBUS_LAYER_UDP;
  if ((event.layers & kLayers) != kLayers) return {};
  const std::uint16_t to = event.destination_port;
  // Where both ports are well-known, that of the destination decides.
  const bool carries = is_dhcp_port(to) || (is_dhcp_port(event.source_port) && to != kDnsPort && to != kMdnsPort);
  return carries && !is_fragment(event) ? carried_data(event) : CarriedMessage{};
}

std::optional<DhcpHeader> read_dhcp_header(const CarriedMessage& message, std::string_view& error) noexcept {
  const auto header = Reader(message.bytes).peek<DhcpHeader>();
  if (!header) {
    error = message.wire_bytes > message.bytes.size() ? kCutBySnaplen : "DHCP: header cut short";
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
  broken_ = true;
  error_ = error;
  return std::nullopt;
}

// Each follows once at most, whatever the options in it say.
bool DhcpOptions::next_area() noexcept {
  const DhcpHeader header(message_.first<DhcpHeader::kSize>());
  if (area_ == Area::options && (overload_ & kInFile) != 0) {
    area_ = Area::file;
    reader_ = Reader(header.file());
    return true;
  }
  if (area_ != Area::server_name && (overload_ & kInServerName) != 0) {
    area_ = Area::server_name;
    reader_ = Reader(header.server_name());
    return true;
  }
  return false;
}

std::optional<DhcpOption> DhcpOptions::next() noexcept {
  while (!broken_) {
    const Bytes rest = reader_.rest();
    const auto header = reader_.peek<OptionHeader>();
    const bool is_pad = !rest.empty() && rest.front() == DhcpOption::kPad;
    const bool is_end = !rest.empty() && rest.front() == DhcpOption::kEnd;
    const bool is_whole = header && rest.size() - OptionHeader::kSize >= header->data_bytes();
    if (!is_pad && !is_end && !is_whole) {
      // What was cut is the message's end; the header's fields are there.
      if (area_ == Area::options && is_cut_) {
        error_ = kCutBySnaplen;
      } else if (!rest.empty()) {
        return fail(kCutShort);
      }
    }
    if (is_end || (!is_pad && !is_whole)) {
      if (!next_area()) return std::nullopt;
      continue;
    }
    if (count_++ == kMaxDhcpOptions) return fail("DHCP: more than 2048 options");
    const std::size_t data_bytes = is_pad ? 0 : header->data_bytes();
    static_cast<void>(reader_.skip(is_pad ? 1 : OptionHeader::kSize + data_bytes));  // it is there
    if (is_pad) return DhcpOption{};
    const DhcpOption option{.type = rest.front(), .data = rest.subspan(OptionHeader::kSize, data_bytes)};
    if (area_ == Area::options && option.type == DhcpOption::kOverload) {
      if (data_bytes != 1 || option.data[0] == 0 || option.data[0] > (kInFile | kInServerName)) {
        return fail("DHCP: option overload is none of 1, 2 and 3");
      }
      overload_ = option.data[0];
    }
    return option;
  }
  return std::nullopt;
}

}  // namespace nfbus::host
