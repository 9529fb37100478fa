// From the link types of files to those of libpcap, which differ: tcpdump.org/linktypes.html.
#pragma once

#include "capture/link_header.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nfbus::host {

// The DLT_ value of libpcap for a LINKTYPE_ value of a file; also for those that other systems write by mistake.
[[nodiscard]] int dlt_of_link_type(std::uint32_t link_type) noexcept;

// Nothing for those that we do not know.
[[nodiscard]] std::optional<LinkLayer> layer_of_link_type(std::uint32_t link_type) noexcept;

// "189 (USB_LINUX)"
[[nodiscard]] std::string name_of_link_type(std::uint32_t link_type);
// "cannot read link type 189 (USB_LINUX); known are ..."
[[nodiscard]] std::string unknown_link_type(std::uint32_t link_type);

}  // namespace nfbus::host
