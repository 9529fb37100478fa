// The segment that records are appended to.
#pragma once

#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace nfbus::host::spill {

// Thread safety: none; the store's writer has it.
class SegmentWriter {
 public:
  // Makes the file with its head. durable: file and name are on the disk when it returns. A failure leaves no file;
  // Code::busy: there was one. `files` must outlive it.
  [[nodiscard]] static Result<SegmentWriter> begin(Files& files, int folder, const std::string& path,
                                                   const SegmentHead& head, bool durable);

  // Whole records behind the last one, `count` of them: all or none. After a failure that could not be taken back it
  // is spoiled().
  [[nodiscard]] Result<void> append(std::span<const std::uint8_t> records, std::uint64_t count);
  // Takes the last append() back. [writer] False: that failed, and it is spoiled.
  bool take_back(std::uint64_t offset, std::uint64_t next);
  // Forces it to the disk. After a failure it is spoiled: the kernel drops what it could not write and would call the
  // next attempt a success.
  [[nodiscard]] Result<void> sync();
  // Writes the footer. Without one the segment is read all the same.
  [[nodiscard]] Result<void> seal(std::int64_t now_ns);

  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] std::int64_t created_ns() const noexcept { return created_ns_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }  // behind the last record
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }      // the next record's number
  [[nodiscard]] bool empty() const noexcept { return offset_ == kHeadBytes; }
  [[nodiscard]] std::uint64_t unsynced() const noexcept { return unsynced_; }  // bytes
  // Nothing may be written to it any more; what lies before offset() is read as usual.
  [[nodiscard]] bool spoiled() const noexcept { return spoiled_; }

 private:
  SegmentWriter(Files& files, Handle file, std::string name, const SegmentHead& head)
      : files_(&files),
        file_(std::move(file)),
        name_(std::move(name)),
        id_(head.id),
        first_(head.first),
        seed_(head.seed),
        created_ns_(head.created_ns),
        next_(head.first) {}

  Files* files_;
  Handle file_;
  std::string name_;
  std::uint64_t id_;
  std::uint64_t first_;
  std::uint64_t seed_;
  std::int64_t created_ns_;
  std::uint64_t offset_ = kHeadBytes;
  std::uint64_t next_;
  std::uint64_t unsynced_ = 0;
  bool spoiled_ = false;
};

}  // namespace nfbus::host::spill
