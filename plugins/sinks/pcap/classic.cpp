// The classic capture file: draft-ietf-opsawg-pcap. One link type, no interfaces, host byte order.
#include "encoder.hpp"

#include <algorithm>
#include <cstring>

namespace pcapsink {
namespace {

constexpr std::uint32_t kMagicMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d;

struct FileHeader {
  std::uint32_t magic;
  std::uint16_t major = 2;
  std::uint16_t minor = 4;
  std::uint32_t reserved1 = 0;
  std::uint32_t reserved2 = 0;
  std::uint32_t snaplen = kSnaplen_bytes;
  std::uint32_t link;
};
static_assert(sizeof(FileHeader) == 24);

struct PacketHeader {
  std::uint32_t seconds;
  std::uint32_t fraction;
  std::uint32_t captured_bytes;
  std::uint32_t original_bytes;
};
static_assert(sizeof(PacketHeader) == 16);

class Classic final : public Encoder {
 public:
  explicit Classic(const Encoding& encoding)
      : link_(encoding.link), fraction_ns_(encoding.precision == Precision::nanoseconds ? 1 : 1000) {}

  void begin(bool /*continued*/, Gather& out) override { join(out); }
  void join(Gather& out) const override {
    const FileHeader header{.magic = fraction_ns_ == 1 ? kMagicNanoseconds : kMagicMicroseconds,
                            .link = static_cast<std::uint32_t>(link_)};
    std::memcpy(out.room(sizeof header), &header, sizeof header);
  }

  void encode(EventList events, const Room& room, Run& out) override {
    for (const nfbus_event* event : events) {
      Frame frame;
      const char* const refusal = make_frame(*event, link_, frame);
      if (refusal == nullptr) {
        const bool fits = out.packets < room.packets &&
                          out.bytes.size_bytes() + sizeof(PacketHeader) + frame.captured_bytes <= room.size_bytes;
        if (!fits && !(room.take_one && out.packets == 0)) return;
        add(event->time_ns, frame, out.bytes);
        ++out.packets;
      }
      out.refusals.push_back(refusal);
      out.ends.push_back(out.bytes.size_bytes());
    }
  }

  void commit(std::size_t /*units*/) override {}
  void end(Gather& /*out*/) override {}

 private:
  void add(std::int64_t time_ns, const Frame& frame, Gather& out) const {
    const auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(time_ns, 0));
    const PacketHeader header{.seconds = static_cast<std::uint32_t>(time / 1'000'000'000),
                              .fraction = static_cast<std::uint32_t>(time % 1'000'000'000 / fraction_ns_),
                              .captured_bytes = frame.captured_bytes,
                              .original_bytes = frame.original_bytes};
    std::memcpy(out.room(sizeof header), &header, sizeof header);
    for (std::size_t i = 0; i < frame.part_count; ++i) out.add(frame.parts[i]);
  }

  const Link link_;
  const std::uint32_t fraction_ns_;
};

}  // namespace

std::unique_ptr<Encoder> make_classic(const Encoding& encoding) { return std::make_unique<Classic>(encoding); }

}  // namespace pcapsink
