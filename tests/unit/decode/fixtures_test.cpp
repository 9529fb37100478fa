// Every fixture, whole and cut at every byte.
#include "check_event.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using test::Packet;

const std::vector<Packet>& packets() {
  static const std::vector<Packet> all = test::load_packets(NFBUS_TEST_DATA);
  return all;
}

// A copy of exactly this size, so that the address sanitizer sees each byte read beyond it.
class ExactCopy {
 public:
  explicit ExactCopy(Bytes bytes) : size_(bytes.size()), bytes_(new std::uint8_t[bytes.size()]) {
    if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  [[nodiscard]] std::span<const std::uint8_t> span() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> bytes_;
};

void expect_sound(const Event& event, const std::string& what) {
  const char* broken = test::broken_promise(event);
  EXPECT_EQ(broken, nullptr) << what << " breaks: " << (broken == nullptr ? "" : broken);
  test::read_everything(event);
}

TEST(Fixtures, CoverEveryLayer) {
  std::uint32_t layers = 0;
  for (const Packet& packet : packets()) layers |= packet.layers;
  EXPECT_EQ(layers, (NFBUS_LAYER_ESP << 1U) - 1);
}

TEST(Fixtures, DecodeToTheLayersAndTheErrorThatTheyName) {
  for (const Packet& packet : packets()) {
    const Event event = test::decode_record(packet.record);
    EXPECT_EQ(event.layers, packet.layers) << packet.name;
    EXPECT_EQ(view(event.decode_error), packet.error) << packet.name;
    expect_sound(event, packet.name);
  }
}

TEST(Fixtures, AreSoundWhenTheRecordEndsAtAnyByte) {
  for (const Packet& packet : packets()) {
    for (std::size_t size = 0; size < packet.record.size(); ++size) {
      const ExactCopy copy(Bytes(packet.record).first(size));
      const Event event = test::decode_record(copy.span());
      expect_sound(event, packet.name + " cut at byte " + std::to_string(size));
      EXPECT_EQ(event.record.size, size);
    }
  }
}

TEST(Fixtures, AreSoundWhenTheCaptureEndsAtAnyByte) {
  for (const Packet& packet : packets()) {
    Event whole{};
    if (!read_record(packet.record, whole)) continue;
    const Bytes payload = to_bytes(whole.payload);
    for (std::size_t size = 0; size <= payload.size(); ++size) {
      const ExactCopy copy(payload.first(size));
      Event event = whole;
      event.payload = {copy.span().data(), copy.span().size()};
      event.record = event.payload;  // what the promises are checked against
      event.prefix = {};
      event.hw_header = {};
      event.hw_address = {};
      decode_packet(event);
      expect_sound(event, packet.name + " captured to byte " + std::to_string(size));
    }
  }
}

TEST(Fixtures, NeverGainLayersByBeingCut) {
  for (const Packet& packet : packets()) {
    Event whole{};
    if (!read_record(packet.record, whole)) continue;
    std::uint32_t layers_before = 0;
    for (std::size_t size = 0; size <= whole.payload.size; ++size) {
      Event event = whole;
      event.payload.size = size;
      decode_packet(event);
      EXPECT_EQ(event.layers & layers_before, layers_before) << packet.name << " at byte " << size;
      // Only of more of the packet can it be told that its own bytes were taken for a header.
      layers_before = event.layers & ~NFBUS_LAYER_ETHERNET;
    }
  }
}

TEST(Fixtures, AreSoundWhenTheHardwareHeaderEndsAtAnyByte) {
  for (const Packet& packet : packets()) {
    Event whole{};
    if (!read_record(packet.record, whole)) continue;
    const Bytes header = to_bytes(whole.hw_header);
    for (std::size_t size = 0; size <= header.size(); ++size) {
      const ExactCopy copy(header.first(size));
      Event event = whole;
      event.hw_header = {copy.span().data(), copy.span().size()};
      decode_packet(event);
      test::read_everything(event);
      const bool is_ethernet = (event.layers & NFBUS_LAYER_ETHERNET) != 0;
      EXPECT_FALSE(is_ethernet && size < EthernetHeader::kSize) << packet.name;
    }
  }
}

TEST(Fixtures, AreSoundWithAnyByteReplaced) {
  for (const Packet& packet : packets()) {
    std::vector<std::uint8_t> record = packet.record;
    for (std::uint8_t& byte : record) {
      const std::uint8_t kept = byte;
      for (const unsigned value : {0x00U, 0x01U, 0x3cU, 0x7fU, 0xffU}) {
        byte = static_cast<std::uint8_t>(value);
        const ExactCopy copy(record);
        expect_sound(test::decode_record(copy.span()), packet.name);
      }
      byte = kept;
    }
  }
}

}  // namespace
}  // namespace nfbus::host
