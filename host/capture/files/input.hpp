// The bytes of a capture file, decompressed, as they come: of a regular file, a pipe, or anything else that is read.
#pragma once

#include "capture/files/decoder.hpp"
#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace nfbus::host {

// Never waits, but for a disk. Holds what was asked for and not consumed, and 512 KiB beside; nothing before the first
// fill() and after rewind(), so that many may be open. Thread safety: none.
class Input {
 public:
  enum class Fill : std::uint8_t {
    ready = 1,
    waits,  // more will come: descriptor() becomes readable then
    end,    // what view() has is all
  };

  explicit Input(Descriptor file);

  // Makes the next `size` bytes visible. Errors: io; invalid (what is compressed is broken or cut: then all before it
  // was visible); unsupported (a way to compress that is not read).
  Result<Fill> fill(std::size_t size);
  // What fill() has made visible, and perhaps more. Valid until the next fill().
  [[nodiscard]] std::span<const std::uint8_t> view() const noexcept {
    return std::span(data_).subspan(begin_, end_ - begin_);
  }
  // Steps over `size` bytes of view(), which stay valid until the next fill().
  void consume(std::size_t size) noexcept { begin_ += size; }

  // Where view() begins, in the decompressed bytes.
  [[nodiscard]] std::uint64_t offset() const noexcept { return made_bytes_ - (end_ - begin_); }
  // Readable when waits has come to an end.
  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }
  [[nodiscard]] bool is_regular() const noexcept { return size_bytes_.has_value(); }
  // Of a regular file, as it lies on the disk.
  [[nodiscard]] std::optional<std::uint64_t> size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] std::uint64_t read_bytes() const noexcept { return read_bytes_; }
  // Begins again where the file stood when it came here. Only of a regular file. Errors: io.
  Result<void> rewind();

 private:
  Result<Fill> read_more();
  Result<Fill> choose_decoder();
  void make_room(std::size_t size);

  Descriptor file_;
  std::optional<std::uint64_t> size_bytes_;  // nothing: it is no regular file
  std::int64_t start_ = 0;
  std::unique_ptr<Decoder> decoder_;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t made_bytes_ = 0;
  std::optional<Error> failure_;
  bool ended_ = false;
  // As they were read, and not decoded yet.
  std::vector<std::uint8_t> raw_;
  std::size_t raw_begin_ = 0;
  std::size_t raw_end_ = 0;
  // Decoded.
  std::vector<std::uint8_t> data_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace nfbus::host
