// Any bytes as what a datagram to port 67 carries: decoded and rendered.
#include "carried_messages.hpp"
#include "check_layer.hpp"

#include "formats/packet_dhcp.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nfbus::host;
  if (size > 65000) return 0;
  const test::CarriedEvent packet(test::Octets(data, data + size), {.source_port = 68, .destination_port = 67});
  // Padding is the most text a byte.
  nfbus::fuzz::check_layer(append_dhcp, packet.event, 1024 + 48 * size);
  return 0;
}
