// Capture files, byte by byte, and what CaptureFile reads of them.
#pragma once

#include "capture/files/capture_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

inline constexpr std::uint32_t kRawLink = 101;
inline constexpr std::uint32_t kEthernetLink = 1;
inline constexpr std::uint32_t kNflogLink = 239;
inline constexpr std::uint32_t kUsbLink = 189;  // which nobody reads here

// Appends numbers in this machine's byte order or in the other one.
class FileBytes {
 public:
  explicit FileBytes(bool swapped = false) : swapped_(swapped) {}

  template <typename T>
  FileBytes& number(T value) {
    std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    if (swapped_) std::reverse(bytes.begin(), bytes.end());
    text_ += bytes;
    return *this;
  }
  FileBytes& u16(std::uint16_t value) { return number(value); }
  FileBytes& u32(std::uint32_t value) { return number(value); }
  FileBytes& text(std::string_view text) {
    text_ += text;
    return *this;
  }
  FileBytes& padded(std::string_view text) {
    text_ += text;
    text_.append((4 - text.size() % 4) % 4, '\0');
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return text_; }

  // draft-ietf-opsawg-pcap
  FileBytes& classic(std::uint32_t link_type, std::uint32_t magic = 0xa1b2c3d4) {
    return u32(magic).u16(2).u16(4).u32(0).u32(0).u32(262144).u32(link_type);
  }
  FileBytes& record(std::uint32_t seconds, std::uint32_t fraction, std::string_view frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return u32(seconds).u32(fraction).u32(size).u32(size).text(frame);
  }

  // draft-ietf-opsawg-pcapng
  FileBytes& block(std::uint32_t type, const FileBytes& body) {
    const auto size = static_cast<std::uint32_t>(body.str().size() + 12);
    return u32(type).u32(size).text(body.str()).u32(size);
  }
  FileBytes& section() { return block(0x0a0d0d0a, like().u32(0x1a2b3c4d).u16(1).u16(0).number<std::int64_t>(-1)); }
  FileBytes& option(std::uint16_t code, std::string_view value) {
    return u16(code).u16(static_cast<std::uint16_t>(value.size())).padded(value);
  }
  FileBytes& interface(std::uint32_t link_type, std::string_view name = "", const FileBytes& options = FileBytes(),
                       std::uint32_t snaplen = 0) {
    FileBytes body = like();
    body.u16(static_cast<std::uint16_t>(link_type)).u16(0).u32(snaplen);
    if (!name.empty()) body.option(2, name);
    return block(1, body.text(options.str()).u32(0));
  }
  FileBytes& packet(std::uint32_t interface, std::uint64_t ticks, std::string_view frame,
                    const FileBytes& options = FileBytes()) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return block(6, like()
                        .u32(interface)
                        .u32(static_cast<std::uint32_t>(ticks >> 32U))
                        .u32(static_cast<std::uint32_t>(ticks))
                        .u32(size)
                        .u32(size)
                        .padded(frame)
                        .text(options.str()));
  }
  // Empty, in the same byte order.
  [[nodiscard]] FileBytes like() const { return FileBytes(swapped_); }

 private:
  bool swapped_;
  std::string text_;
};

struct ReadPacket {
  std::string bytes;
  std::int64_t time_ns;
  std::uint32_t interface;
  std::string name;
  bool outgoing;
  bool readable;
};

struct ReadFile {
  std::vector<ReadPacket> packets;
  std::size_t sections = 0;  // that ended
  std::size_t waits = 0;
  std::string error;  // at the end; empty: none
};

inline Descriptor file_with(std::string_view bytes) {
  Descriptor file(::memfd_create("capture", MFD_CLOEXEC));
  if (::pwrite(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("no file in memory");
  }
  return file;
}

// To the end, or to where more would have to be waited for.
inline ReadFile read_on(CaptureFile& file) {
  ReadFile read;
  FilePacket packet;
  for (;;) {
    const auto next = file.next(packet);
    if (!next) {
      read.error = next.error().text;
      return read;
    }
    switch (*next) {
      case Next::packet:
        read.packets.push_back({.bytes = std::string(packet.bytes.begin(), packet.bytes.end()),
                                .time_ns = packet.time_ns,
                                .interface = packet.interface->number,
                                .name = packet.interface->name,
                                .outgoing = packet.outgoing,
                                .readable = packet.interface->layer.has_value()});
        break;
      case Next::section: ++read.sections; break;
      case Next::waits: ++read.waits; return read;
      case Next::end: return read;
    }
  }
}

// All of a file that is called "f".
inline ReadFile read_file_of(std::string_view bytes) {
  auto file = CaptureFile::open({.name = "f", .descriptor = file_with(bytes)});
  if (!file) {
    ReadFile failed;
    failed.error = "at once: " + file.error().text;
    return failed;
  }
  return read_on(*file);
}

}  // namespace nfbus::host
