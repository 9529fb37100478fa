#include "capture/files/link_types.hpp"

#include <pcap/pcap.h>

#include <fmt/format.h>

namespace nfbus::host {

int dlt_of_link_type(std::uint32_t link_type) noexcept {
  switch (link_type) {
    case 12:   // Linux's DLT_RAW
    case 14:   // OpenBSD's
    case 101:  // LINKTYPE_RAW
      return DLT_RAW;
    case 100: return DLT_ATM_RFC1483;
    case 102: return DLT_SLIP_BSDOS;
    case 103: return DLT_PPP_BSDOS;
    default: return static_cast<int>(link_type);
  }
}

std::optional<LinkLayer> layer_of_link_type(std::uint32_t link_type) noexcept {
  return link_layer(dlt_of_link_type(link_type));
}

std::string name_of_link_type(std::uint32_t link_type) {
  const int dlt = dlt_of_link_type(link_type);
  const char* const name = ::pcap_datalink_val_to_name(dlt);
  return fmt::format("{} ({})", dlt, name != nullptr ? name : "unknown");
}

std::string unknown_link_type(std::uint32_t link_type) {
  return fmt::format("cannot read link type {}; known are {}", name_of_link_type(link_type), known_link_layers());
}

}  // namespace nfbus::host
