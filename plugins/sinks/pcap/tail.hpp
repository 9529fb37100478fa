// The end of an existing capture file: what of it can be continued.
#pragma once

#include "encoder.hpp"

#include <cstdint>
#include <span>

namespace pcapsink {

// Where the bytes of a file come from. Thread safety: none.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  // Fills as much of `out` as there is from there on, and says how much that is; less only at the end. Throws
  // std::system_error.
  virtual std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
};

struct Tail {
  enum class State : std::uint8_t {
    none = 1,  // nothing, or the beginning of a header that a crash cut: begin anew, from its first byte
    whole,     // continue after size_bytes; what follows there is one record that was cut
    foreign,   // another format or link type, or broken in the middle: leave it alone
  };
  State state = State::foreign;
  std::uint64_t size_bytes = 0;  // up to the end of the last whole record
  std::uint64_t packets = 0;
};

// Reads it from its begin. Any bytes are an answer, none a crash.
[[nodiscard]] Tail find_tail(ByteSource& source, const Encoding& encoding);

}  // namespace pcapsink
