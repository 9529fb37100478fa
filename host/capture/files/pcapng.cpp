// pcapng files: draft-ietf-opsawg-pcapng. Sections of either byte order, interfaces each with its link type, snaplen,
// time unit and name, and the packets of all three kinds of blocks; what else a file holds is stepped over.
#include "capture/files/link_types.hpp"
#include "capture/files/packet_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace nfbus::host {

namespace {

using Bytes = std::span<const std::uint8_t>;

enum BlockType : std::uint32_t {
  kInterfaceDescription = 1,
  kObsoletePacket = 2,
  kSimplePacket = 3,
  kEnhancedPacket = 6,
  kSectionHeader = 0x0a0d0d0a,  // the same in both byte orders
};

enum OptionCode : std::uint16_t {
  kEndOfOptions = 0,
  kInterfaceName = 2,
  kPacketFlags = 2,
  kTimeResolution = 9,
  kTimeOffset = 14,
};

constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kMajor = 1;
constexpr std::uint32_t kDirectionBits = 3;  // of epb_flags
constexpr std::uint32_t kOutbound = 2;

constexpr std::size_t kBlockHeadBytes = 8;  // type and length
constexpr std::size_t kBlockTailBytes = 4;  // length again
constexpr std::size_t kOptionHeadBytes = 4;
constexpr std::size_t kSectionBodyBytes = 16;
constexpr std::size_t kInterfaceBodyBytes = 8;
constexpr std::size_t kPacketBodyBytes = 20;

// Nobody has so many; it bounds what a file can make us keep.
constexpr std::size_t kMostInterfaces = 65536;
// Longer than those of any system: Windows' have 50.
constexpr std::size_t kMostNameBytes = 63;

constexpr std::size_t padded(std::size_t size) noexcept { return (size + 3) / 4 * 4; }

class Pcapng final : public PacketReader {
 public:
  using PacketReader::PacketReader;

  Result<Next> next(FilePacket& packet) override {
    for (;;) {
      const auto filled = input_.fill(kBlockHeadBytes + kBlockTailBytes);
      if (!filled) return filled.error();
      if (*filled == Input::Fill::waits) return Next::waits;
      if (*filled == Input::Fill::end) {
        if (input_.view().empty()) return Next::end;
        return truncated(kBlockHeadBytes + kBlockTailBytes);
      }
      const auto size = block_bytes();
      if (!size) return size.error();
      if (*size == kTellSection) return Next::section;
      const auto whole = input_.fill(*size);
      if (!whole) return whole.error();
      if (*whole == Input::Fill::waits) return Next::waits;
      if (*whole == Input::Fill::end) return truncated(*size);
      const Bytes block = input_.view().first(*size);
      if (number<std::uint32_t>(block, *size - kBlockTailBytes) != *size) {
        return broken("does not end with the length that it begins with");
      }
      const auto read = read_block(number<std::uint32_t>(block, 0),
                                   block.subspan(kBlockHeadBytes, *size - kBlockHeadBytes - kBlockTailBytes), packet);
      if (!read) return read.error();
      input_.consume(*size);
      if (*read) return Next::packet;
    }
  }

 private:
  static constexpr std::uint32_t kTellSection = 0;

  // The size of the block that begins here; kTellSection: it ends a section of which that has to be told first.
  Result<std::uint32_t> block_bytes() {
    const Bytes head = input_.view();
    std::uint32_t type = 0;
    std::memcpy(&type, head.data(), sizeof type);
    if (type == kSectionHeader) {
      if (!interfaces_.empty() && !told_) {
        told_ = true;
        return kTellSection;
      }
      std::uint32_t order = 0;
      std::memcpy(&order, head.data() + kBlockHeadBytes, sizeof order);
      swapped_ = order != kByteOrder;
      if (swapped_ && __builtin_bswap32(order) != kByteOrder) return broken("has no byte order");
    }
    const auto size = number<std::uint32_t>(head, 4);
    if (size < kBlockHeadBytes + kBlockTailBytes || size % 4 != 0) return broken("has an impossible length");
    if (size > kMostBlockBytes) return broken("is too long to be one");
    return size;
  }

  // True: it is a packet, in `packet`.
  Result<bool> read_block(std::uint32_t type, Bytes body, FilePacket& packet) {
    switch (type) {
      case kSectionHeader: return read_section(body);
      case kInterfaceDescription: return read_interface(body);
      case kEnhancedPacket: return read_enhanced(body, packet);
      case kObsoletePacket: return read_obsolete(body, packet);
      case kSimplePacket: return read_simple(body, packet);
      default: return false;
    }
  }

  Result<bool> read_section(Bytes body) {
    if (body.size() < kSectionBodyBytes) return broken("is too short for a section header");
    const auto major = number<std::uint16_t>(body, 4);
    if (major != kMajor) {
      return Error{.code = Code::unsupported,
                   .text = fmt::format("the section at offset {} has version {}.{} of pcapng, known is 1.0",
                                       input_.offset(), major, number<std::uint16_t>(body, 6))};
    }
    interfaces_.clear();
    told_ = false;
    return false;
  }

  Result<bool> read_interface(Bytes body) {
    if (body.size() < kInterfaceBodyBytes) return broken("is too short for an interface");
    if (interfaces_.size() == kMostInterfaces) return broken("is one interface too many for a section");
    const std::uint32_t link_type = number<std::uint16_t>(body, 0);
    FileInterface interface {
      .number = static_cast<std::uint32_t>(interfaces_.size()), .link_type = link_type,
      .layer = layer_of_link_type(link_type), .snaplen_bytes = number<std::uint32_t>(body, 4)
    };
    for_each_option(body.subspan(kInterfaceBodyBytes), [&](std::uint16_t code, Bytes value) {
      if (code == kInterfaceName) {
        const std::string_view name(reinterpret_cast<const char*>(value.data()), value.size());
        interface.name = name.substr(0, std::min(name.find('\0'), kMostNameBytes));
      } else if (code == kTimeResolution && !value.empty()) {
        interface.time.resolution = value[0];
      } else if (code == kTimeOffset && value.size() >= sizeof(std::int64_t)) {
        interface.time.offset_seconds = number<std::int64_t>(value, 0);
      }
    });
    interfaces_.push_back(std::move(interface));
    return false;
  }

  Result<bool> read_enhanced(Bytes body, FilePacket& packet) {
    if (body.size() < kPacketBodyBytes) return broken("is too short for a packet");
    return read_timed(body, number<std::uint32_t>(body, 0), packet);
  }

  // The same, but that the interface has 16 bits, and the packets dropped before it the other 16.
  Result<bool> read_obsolete(Bytes body, FilePacket& packet) {
    if (body.size() < kPacketBodyBytes) return broken("is too short for a packet");
    return read_timed(body, number<std::uint16_t>(body, 0), packet);
  }

  Result<bool> read_timed(Bytes body, std::uint32_t interface, FilePacket& packet) {
    if (interface >= interfaces_.size()) return undescribed(interface);
    const std::uint64_t ticks = std::uint64_t{number<std::uint32_t>(body, 4)} << 32U | number<std::uint32_t>(body, 8);
    const auto captured = number<std::uint32_t>(body, 12);
    const Bytes rest = body.subspan(kPacketBodyBytes);
    if (captured > rest.size()) return broken("is shorter than its packet");
    packet = {.interface = &interfaces_[interface],
              .bytes = rest.first(captured),
              .time_ns = file_time_ns(ticks, interfaces_[interface].time)};
    for_each_option(rest.subspan(std::min(padded(captured), rest.size())), [&](std::uint16_t code, Bytes value) {
      if (code != kPacketFlags || value.size() < sizeof(std::uint32_t)) return;
      packet.outgoing = (number<std::uint32_t>(value, 0) & kDirectionBits) == kOutbound;
    });
    return true;
  }

  // It has no time, and is the first interface's, whose snaplen tells how much of the packet there is.
  Result<bool> read_simple(Bytes body, FilePacket& packet) {
    if (body.size() < sizeof(std::uint32_t)) return broken("is too short for a packet");
    if (interfaces_.empty()) return undescribed(0);
    std::size_t captured = number<std::uint32_t>(body, 0);
    const Bytes rest = body.subspan(sizeof(std::uint32_t));
    const FileInterface& interface = interfaces_.front();
    if (interface.snaplen_bytes != 0) captured = std::min<std::size_t>(captured, interface.snaplen_bytes);
    if (captured > rest.size()) return broken("is shorter than its packet");
    packet = {.interface = &interface, .bytes = rest.first(captured)};
    return true;
  }

  // Options that do not fit their block end the list: what they were to say is not worth the packet.
  template <typename Take>
  void for_each_option(Bytes options, const Take& take) const {
    while (options.size() >= kOptionHeadBytes) {
      const auto code = number<std::uint16_t>(options, 0);
      const auto size = number<std::uint16_t>(options, 2);
      options = options.subspan(kOptionHeadBytes);
      if (code == kEndOfOptions || size > options.size()) return;
      take(code, options.first(size));
      options = options.subspan(std::min(padded(size), options.size()));
    }
  }

  [[nodiscard]] Error broken(std::string_view how) const {
    return {.code = Code::invalid, .text = fmt::format("broken: the block at offset {} {}", input_.offset(), how)};
  }
  [[nodiscard]] Error undescribed(std::uint32_t interface) const {
    return broken(fmt::format("is of interface {}, which was not described", interface));
  }
  [[nodiscard]] Error truncated(std::size_t whole) const {
    return {.code = Code::io,
            .text = fmt::format("truncated: the block at offset {} has {} of {} bytes", input_.offset(),
                                input_.view().size(), whole)};
  }

  bool told_ = false;  // that the section ends
};

}  // namespace

std::unique_ptr<PacketReader> make_pcapng_reader(std::uint32_t magic, Input& input) {
  if (magic != kSectionHeader) return nullptr;
  return std::make_unique<Pcapng>(input);
}

}  // namespace nfbus::host
