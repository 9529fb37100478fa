// What a file's bytes are made of again: as they are, gzip (RFC 1952) or zstd (RFC 8878), found by their first bytes.
#pragma once

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace nfbus::host {

struct Decoded {
  std::size_t used = 0;    // bytes of `in`
  std::size_t made = 0;    // bytes of `out`
  std::string error = {};  // what is wrong with what follows; empty: nothing
};

// Thread safety: none. Memory is bounded whatever the input says: a window of 128 MiB at most.
class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  // Neither used nor made anything: it needs more input. What was made before an error is good.
  virtual Decoded decode(std::span<const std::uint8_t> in, std::span<std::uint8_t> out) = 0;
  // Whether the input may end here; else it was cut.
  [[nodiscard]] virtual bool may_end() const noexcept = 0;
};

// So many bytes tell how a file is packed.
inline constexpr std::size_t kPackingBytes = 6;

// first: its first kPackingBytes, or all that it has. Errors: unsupported (packed with what is not read here; names the
// program that unpacks it), io (no memory).
[[nodiscard]] Result<std::unique_ptr<Decoder>> make_decoder(std::span<const std::uint8_t> first);

}  // namespace nfbus::host
