#include "formats/packet_dhcp.hpp"

#include "decode/dhcp.hpp"
#include "formats/json_writer.hpp"

namespace nfbus::host {

namespace {

using json::put;
using json::put_base64_string;
using json::put_ipv4;
using json::put_u32;
using json::put_u8;

// More than all of the header but Contents, and than an option without its data.
constexpr std::size_t kHeaderRoom = 1024;
constexpr std::size_t kOptionRoom = 64;

void append_header(const DhcpHeader& header, Bytes message, bool full, TextBuffer& out) {
  char* at = out.room(kHeaderRoom + json::base64_bytes(message.size()) + json::kSlack);
  at = put(at, R"("DHCP":{)");
  if (full) {
    // gopacket does not set it for a message without options.
    at = put(at, R"("Contents":)");
    at = message.size() == DhcpHeader::kSize ? put(at, "null") : put_base64_string(at, message);
    at = put(at, R"(,"Payload":null,)");
  }
  at = put_u8(put(at, R"("Operation":)"), header.operation());
  at = put_u8(put(at, R"(,"HardwareType":)"), header.hardware_type());
  at = put_u8(put(at, R"(,"HardwareLen":)"), header.hardware_bytes());
  at = put_u8(put(at, R"(,"HardwareOpts":)"), header.hops());
  at = put_u32(put(at, R"(,"Xid":)"), header.transaction());
  at = put_u32(put(at, R"(,"Secs":)"), header.elapsed_s());
  at = put_u32(put(at, R"(,"Flags":)"), header.flags());
  at = put_ipv4(put(at, R"(,"ClientIP":")"), header.client_address());
  at = put_ipv4(put(at, R"(","YourClientIP":")"), header.your_address());
  at = put_ipv4(put(at, R"(","NextServerIP":")"), header.next_server_address());
  at = put_ipv4(put(at, R"(","RelayAgentIP":")"), header.relay_address());
  at = put_base64_string(put(at, R"(","ClientHWAddr":)"), header.hardware_address().first(header.hardware_bytes()));
  at = put_base64_string(put(at, R"(,"ServerName":)"), header.server_name());
  at = put_base64_string(put(at, R"(,"File":)"), header.file());
  out.commit(put(at, R"(,"Options":)"));
}

void append_option(const DhcpOption& option, char separator, TextBuffer& out) {
  char* at = out.room(kOptionRoom + json::base64_bytes(option.data.size()) + json::kSlack);
  *at++ = separator;
  at = put_u8(put(at, R"({"Type":)"), option.type);
  at = put_u8(put(at, R"(,"Length":)"), static_cast<std::uint8_t>(option.data.size()));
  at = put(at, R"(,"Data":)");
  at = option.type == DhcpOption::kPad ? put(at, "null") : put_base64_string(at, option.data);
  out.commit(put(at, "}"));
}

}  // namespace

std::string_view append_dhcp(const nfbus_event& event, bool full, TextBuffer& out) {
  const CarriedMessage message = carried_dhcp(event);
  if (message.bytes.empty()) return {};
  std::string_view error;
  const auto header = read_dhcp_header(message, error);
  if (!header) return error;
  const std::size_t before = out.size();
  append_header(*header, message.bytes, full, out);
  DhcpOptions options(message);
  char separator = '[';
  while (const auto option = options.next()) {
    append_option(*option, separator, out);
    separator = ',';
  }
  if (!options.error().empty() && !options.was_cut()) {
    out.truncate(before);
    return options.error();
  }
  out.append(separator == '[' ? "null}," : "]},");
  return options.error();
}

}  // namespace nfbus::host
