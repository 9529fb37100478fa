// What the readers of capture files have in common: a packet, the interface that it was captured on, and what comes
// next.
#pragma once

#include "capture/files/file_time.hpp"
#include "capture/files/input.hpp"
#include "capture/frame.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace nfbus::host {

// No packet or block may claim more: it bounds what is held in memory.
inline constexpr std::uint32_t kMostBlockBytes = 16U << 20U;

struct FileInterface {
  std::uint32_t number = 0;  // from 0, in its section
  std::uint32_t link_type = 0;
  std::optional<LinkLayer> layer = {};  // nothing: its packets cannot be read
  std::uint32_t snaplen_bytes = 0;
  TimeUnit time = {};
  std::string name = {};  // empty: none
};

struct FilePacket {
  const FileInterface* interface = nullptr;
  std::span<const std::uint8_t> bytes;
  std::int64_t time_ns = 0;
  bool outgoing = false;
};

enum class Next : std::uint8_t {
  packet = 1,  // valid, as its interface, until the next call
  section,     // the interfaces end with the next call, and so do their names
  waits,       // Input::Fill::waits
  end,
};

// Thread safety: none.
class PacketReader {
 public:
  explicit PacketReader(Input& input) noexcept : input_(input) {}
  PacketReader(const PacketReader&) = delete;
  PacketReader& operator=(const PacketReader&) = delete;
  virtual ~PacketReader() = default;

  // The next packet, in the file's order. Errors, which are final, name the offset in the (decompressed) file: those of
  // Input::fill(); invalid.
  virtual Result<Next> next(FilePacket& packet) = 0;
  // Of the section that has been read last. Each has its address as long as its section lasts.
  [[nodiscard]] const std::deque<FileInterface>& interfaces() const noexcept { return interfaces_; }

 protected:
  // Reads numbers in the file's byte order.
  template <typename T>
  [[nodiscard]] T number(std::span<const std::uint8_t> bytes, std::size_t at) const noexcept {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (!swapped_) return value;
    if constexpr (sizeof value == 8) return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
    if constexpr (sizeof value == 4) return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    if constexpr (sizeof value == 2) return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    return value;
  }

  Input& input_;                          // NOLINT(*-non-private-member-variables-in-classes): its two kinds share them
  bool swapped_ = false;                  // NOLINT(*-non-private-member-variables-in-classes)
  std::deque<FileInterface> interfaces_;  // NOLINT(*-non-private-member-variables-in-classes)
};

// Both need as much of the file to know it by.
inline constexpr std::size_t kMagicBytes = 4;

// Nothing: `magic` is none of the format.
[[nodiscard]] std::unique_ptr<PacketReader> make_classic_reader(std::uint32_t magic, Input& input);
[[nodiscard]] std::unique_ptr<PacketReader> make_pcapng_reader(std::uint32_t magic, Input& input);

}  // namespace nfbus::host
