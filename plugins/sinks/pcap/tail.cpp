#include "tail.hpp"

#include "pcapng.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace pcapsink {
namespace {

// No record of ours is larger; a length beyond it is no length.
constexpr std::uint32_t kMaxRecordBytes = kSnaplenBytes;
constexpr std::uint32_t kMaxBlockBytes = kSnaplenBytes + 8192;  // with its options

// Reads ahead, so that a file of small records costs few calls.
class Reader {
 public:
  explicit Reader(ByteSource& source) : source_(source), buffer_(512UL << 10U) {}

  // size bytes from there on, at most the buffer's; fewer only at the end of the file. Valid until the next call.
  Bytes at(std::uint64_t offset, std::size_t size) {
    if (offset < offset_ || offset - offset_ + size > filled_) {
      offset_ = offset;
      filled_ = source_.read(offset, buffer_);
    }
    const std::size_t begin = std::min<std::size_t>(offset - offset_, filled_);
    return Bytes(buffer_).subspan(begin, std::min(size, filled_ - begin));
  }

 private:
  ByteSource& source_;
  std::vector<std::uint8_t> buffer_;
  std::uint64_t offset_ = 0;
  std::size_t filled_ = 0;
};

template <typename T>
T load(Bytes bytes, std::size_t at) noexcept {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Tail classic_tail(Reader& reader, std::size_t header_bytes) {
  Tail tail{.state = Tail::State::foreign, .size_bytes = header_bytes, .packets = 0};
  for (;;) {
    const Bytes header = reader.at(tail.size_bytes, 16);
    if (header.size() < 16) break;
    const auto captured = load<std::uint32_t>(header, 8);
    // Zeros are what a file system may leave after a power failure, and no packet of ours.
    const bool is_zero = std::all_of(header.begin(), header.end(), [](std::uint8_t byte) { return byte == 0; });
    if (captured > kMaxRecordBytes || is_zero) return tail;
    // The last byte alone: records need not be read.
    if (captured != 0 && reader.at(tail.size_bytes + 16 + captured - 1, 1).empty()) break;
    tail.size_bytes += 16 + captured;
    ++tail.packets;
  }
  tail.state = Tail::State::whole;
  return tail;
}

// Whether an interface of an earlier section lets readers that know one link type alone (libpcap) read ours, too.
bool fits(Bytes description, const Encoding& encoding) {
  if (description.size() < 16) return false;
  auto link = load<std::uint16_t>(description, 8);
  if (link == pcapng::kRawForLibpcap) link = static_cast<std::uint16_t>(Link::raw);
  const bool known = link == static_cast<std::uint16_t>(encoding.link) ||
                     (encoding.raw_without_header && link == static_cast<std::uint16_t>(Link::raw));
  return known && load<std::uint32_t>(description, 12) == kSnaplenBytes;
}

Tail pcapng_tail(Reader& reader, const Encoding& encoding) {
  Tail tail{};
  for (;;) {
    const Bytes block = reader.at(tail.size_bytes, 16);
    if (block.size() < 8) break;
    const auto type = load<std::uint32_t>(block, 0);
    const auto size = load<std::uint32_t>(block, 4);
    if (size < pcapng::kBlockFrameBytes || size % 4 != 0 || size > kMaxBlockBytes) return tail;
    if (tail.size_bytes == 0 && type != pcapng::kSectionHeader) return tail;
    if (type == pcapng::kSectionHeader &&
        (size < 28 || (block.size() == 16 && (load<std::uint32_t>(block, 8) != pcapng::kByteOrder ||
                                              load<std::uint16_t>(block, 12) != pcapng::kMajor)))) {
      return tail;
    }
    if (type == pcapng::kInterfaceDescription && block.size() == 16 && !fits(block, encoding)) return tail;
    const Bytes end = reader.at(tail.size_bytes + size - sizeof size, sizeof size);
    if (end.size() < sizeof size) break;
    if (load<std::uint32_t>(end, 0) != size) return tail;
    tail.size_bytes += size;
    if (type == pcapng::kEnhancedPacket) ++tail.packets;
  }
  if (tail.size_bytes != 0) tail.state = Tail::State::whole;
  return tail;
}

}  // namespace

Tail find_tail(ByteSource& source, const Encoding& encoding) {
  Gather ours;
  make_encoder(encoding)->join(ours);
  const Bytes header(static_cast<const std::uint8_t*>(ours.pieces()[0].iov_base), ours.size_bytes());
  Reader reader(source);
  const Bytes found = reader.at(0, header.size());
  const bool same = std::equal(found.begin(), found.end(), header.begin());
  if (same && found.size() < header.size()) return {.state = Tail::State::none, .size_bytes = 0, .packets = 0};
  if (encoding.format == Format::pcapng) return pcapng_tail(reader, encoding);
  if (!same) return {};
  return classic_tail(reader, header.size());
}

}  // namespace pcapsink
