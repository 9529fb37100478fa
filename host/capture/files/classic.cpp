// Classic pcap files: draft-ietf-opsawg-pcap, in both byte orders, with micro- and nanoseconds, and as Alexey
// Kuznetzov's libpcap wrote them, whose packets have a longer header. Files one behind the other are read on.
#include "capture/files/link_types.hpp"
#include "capture/files/packet_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kModified = 0xa1b2cd34;
constexpr std::uint16_t kMajor = 2;
constexpr std::size_t kFileHeaderBytes = 24;
constexpr std::size_t kPacketHeaderBytes = 16;
constexpr std::size_t kModifiedHeaderBytes = 24;
constexpr std::uint32_t kLinkTypeBits = 0x03ffffff;  // above them: how long the frame check sequence is

bool is_magic(std::uint32_t magic) noexcept {
  return magic == kMicroseconds || magic == kNanoseconds || magic == kModified;
}

class Classic final : public PacketReader {
 public:
  using PacketReader::PacketReader;

  Result<Next> next(FilePacket& packet) override {
    for (;;) {
      if (!in_packets_) {
        auto begun = read_file_header();
        if (!begun || *begun != Next::section) return begun;
        if (std::exchange(had_packets_, true)) return Next::section;
      }
      const auto filled = input_.fill(header_bytes_);
      if (!filled) return filled.error();
      if (*filled == Input::Fill::waits) return Next::waits;
      const Bytes header = input_.view();
      if (*filled == Input::Fill::end) return header.empty() ? Next::end : Result<Next>(truncated(header_bytes_));
      if (another_file_begins(header)) {
        in_packets_ = false;
        continue;
      }
      return read_packet(packet);
    }
  }

 private:
  // A packet of no bytes would have just these numbers for one microsecond of 2055.
  static bool another_file_begins(Bytes header) noexcept {
    std::uint32_t magic = 0;
    std::memcpy(&magic, header.data(), sizeof magic);
    if (!is_magic(magic) && !is_magic(__builtin_bswap32(magic))) return false;
    return std::all_of(header.begin() + 8, header.begin() + 16, [](std::uint8_t byte) { return byte == 0; });
  }

  // section: it has been read.
  Result<Next> read_file_header() {
    const auto filled = input_.fill(kFileHeaderBytes);
    if (!filled) return filled.error();
    if (*filled == Input::Fill::waits) return Next::waits;
    if (*filled == Input::Fill::end) {
      return Error{.code = Code::invalid, .text = "not a pcap file: it ends in the middle of its header"};
    }
    const Bytes header = input_.view();
    std::uint32_t magic = 0;
    std::memcpy(&magic, header.data(), sizeof magic);
    swapped_ = !is_magic(magic);
    magic = number<std::uint32_t>(header, 0);
    const auto major = number<std::uint16_t>(header, 4);
    minor_ = number<std::uint16_t>(header, 6);
    if (major != kMajor) {
      return Error{
          .code = Code::unsupported,
          .text = fmt::format("not a pcap file that can be read: its version is {}.{}, known is 2.4", major, minor_)};
    }
    header_bytes_ = magic == kModified ? kModifiedHeaderBytes : kPacketHeaderBytes;
    const std::uint32_t link_type = number<std::uint32_t>(header, 20) & kLinkTypeBits;
    const auto layer = layer_of_link_type(link_type);
    if (!layer) return Error{.code = Code::invalid, .text = unknown_link_type(link_type)};
    interfaces_.assign(1, {.link_type = link_type,
                           .layer = layer,
                           .time = {.resolution = static_cast<std::uint8_t>(magic == kNanoseconds ? 9 : 6)}});
    input_.consume(kFileHeaderBytes);
    in_packets_ = true;
    return Next::section;
  }

  Result<Next> read_packet(FilePacket& packet) {
    const Bytes header = input_.view();
    const std::uint64_t seconds = number<std::uint32_t>(header, 0);  // unsigned: to 2106
    const std::uint64_t fraction = number<std::uint32_t>(header, 4);
    auto captured = number<std::uint32_t>(header, 8);
    const auto original = number<std::uint32_t>(header, 12);
    // Before 2.3 the two lengths stood the other way round, with 2.3 either way.
    if (minor_ < 3 || (minor_ == 3 && captured > original)) captured = original;
    if (captured > kMostBlockBytes) {
      return Error{.code = Code::invalid,
                   .text = fmt::format("broken: the packet at offset {} claims {} bytes", input_.offset(), captured)};
    }
    const std::size_t whole = header_bytes_ + captured;
    const auto filled = input_.fill(whole);
    if (!filled) return filled.error();
    if (*filled == Input::Fill::waits) return Next::waits;
    if (*filled == Input::Fill::end) return truncated(whole);
    const FileInterface& interface = interfaces_.front();
    const std::uint64_t ticks_per_second = interface.time.resolution == 9 ? 1'000'000'000 : 1'000'000;
    packet = {.interface = &interface,
              .bytes = input_.view().subspan(header_bytes_, captured),
              .time_ns = file_time_ns(seconds * ticks_per_second + fraction, interface.time)};
    input_.consume(whole);
    return Next::packet;
  }

  [[nodiscard]] Error truncated(std::size_t whole) const {
    return {.code = Code::io,
            .text = fmt::format("truncated: the packet at offset {} has {} of {} bytes", input_.offset(),
                                input_.view().size(), whole)};
  }

  bool in_packets_ = false;
  bool had_packets_ = false;
  std::uint16_t minor_ = 0;
  std::size_t header_bytes_ = kPacketHeaderBytes;
};

}  // namespace

std::unique_ptr<PacketReader> make_classic_reader(std::uint32_t magic, Input& input) {
  if (!is_magic(magic) && !is_magic(__builtin_bswap32(magic))) return nullptr;
  return std::make_unique<Classic>(input);
}

}  // namespace nfbus::host
