// Bounds-checked reading of network bytes: a header's view exists only over bytes that were checked to be there.
#pragma once

#include <endian.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace nfbus::host {

using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline std::uint16_t load_be16(std::span<const std::uint8_t, 2> bytes) noexcept {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return be16toh(value);
}

[[nodiscard]] inline std::uint32_t load_be32(std::span<const std::uint8_t, 4> bytes) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return be32toh(value);
}

[[nodiscard]] inline std::uint64_t load_be64(std::span<const std::uint8_t, 8> bytes) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return be64toh(value);
}

// Base of every protocol's view: a pointer to the fixed part of its header. Fields are named by offsets that the
// compiler checks against the size; the size itself is checked once, by Reader. Valid as long as the bytes.
// Thread safety: immutable.
template <std::size_t Size>
class HeaderView {
 public:
  static constexpr std::size_t kSize = Size;

  explicit HeaderView(std::span<const std::uint8_t, Size> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::span<const std::uint8_t, Size> bytes() const noexcept { return bytes_; }

 protected:
  template <std::size_t Offset, std::size_t Count>
  [[nodiscard]] std::span<const std::uint8_t, Count> part() const noexcept {
    static_assert(Offset + Count <= Size, "the field lies outside of the header");
    return bytes_.template subspan<Offset, Count>();
  }
  template <std::size_t Offset>
  [[nodiscard]] std::uint8_t u8() const noexcept {
    return part<Offset, 1>().front();
  }
  template <std::size_t Offset>
  [[nodiscard]] std::uint16_t u16() const noexcept {
    return load_be16(part<Offset, 2>());
  }
  template <std::size_t Offset>
  [[nodiscard]] std::uint32_t u32() const noexcept {
    return load_be32(part<Offset, 4>());
  }

 private:
  std::span<const std::uint8_t, Size> bytes_;
};

// A position in some bytes. Every step is checked; one that does not fit leaves the reader where it was.
// Thread safety: none; the bytes outlive it.
class Reader {
 public:
  explicit Reader(Bytes bytes, std::size_t offset = 0) noexcept
      : bytes_(bytes), offset_(offset < bytes.size() ? offset : bytes.size()) {}

  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] Bytes rest() const noexcept { return bytes_.subspan(offset_); }

  // The header that starts here; none when its fixed part is cut short.
  template <class Header>
  [[nodiscard]] std::optional<Header> peek() const noexcept {
    const Bytes left = rest();
    if (left.size() < Header::kSize) return std::nullopt;
    return Header(left.first<Header::kSize>());
  }

  [[nodiscard]] bool skip(std::size_t count) noexcept {
    if (bytes_.size() - offset_ < count) return false;
    offset_ += count;
    return true;
  }

 private:
  Bytes bytes_;
  std::size_t offset_;
};

}  // namespace nfbus::host
