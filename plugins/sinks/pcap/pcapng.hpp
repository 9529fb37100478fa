// Numbers of draft-ietf-opsawg-pcapng that writing and continuing a file share.
#pragma once

#include <cstdint>

namespace pcapsink::pcapng {

inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kInterfaceStatistics = 5;
inline constexpr std::uint32_t kEnhancedPacket = 6;

inline constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
inline constexpr std::uint16_t kMajor = 1;

// libpcap 1.10 maps the link type of a file's first interface to its own number, which is 12 for LINKTYPE_RAW, compares
// the others with that as they are, and refuses the file when they differ. Wireshark takes both numbers for raw IP.
// Hence only the first interface of a file has the official one.
inline constexpr std::uint16_t kRawForLibpcap = 12;

// All blocks: type, length, ..., length.
inline constexpr std::uint32_t kBlockFrameBytes = 12;

}  // namespace pcapsink::pcapng
