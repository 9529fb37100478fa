#include "delivery/spill/segment_writer.hpp"

#include "delivery/spill/crash_point.hpp"
#include "support/system_error.hpp"

#include <array>
#include <cerrno>

namespace nfbus::host::spill {

Result<SegmentWriter> SegmentWriter::begin(Files& files, int folder, const std::string& path, const SegmentHead& head,
                                           bool durable) {
  const std::string name = segment_name(head.id);
  SegmentWriter writer(files, Handle(files, files.open(folder, name, Open::make)), path + "/" + name, head);
  if (!writer.file_.valid()) {
    const int reason = errno;
    return system_error("cannot make " + writer.name_, reason, reason == EEXIST ? Code::busy : Code::io);
  }
  crash_point("segment_made");
  std::array<std::uint8_t, kHeadBytes> bytes{};
  put_segment_head(head, bytes);
  bool done = write_all(files, writer.file_.get(), bytes.data(), bytes.size(), 0) == 0;
  if (done) crash_point("head_written");
  done = done && (!durable || files.fdatasync(writer.file_.get()) == 0);
  done = done && (!durable || files.fsync_folder(folder) == 0);
  if (done) {
    crash_point("folder_synced");
    return writer;
  }
  const int reason = errno;
  static_cast<void>(files.unlink(folder, name));  // else it is an empty one, which the next start removes
  errno = reason;
  return system_error("cannot begin " + writer.name_, reason);
}

Result<void> SegmentWriter::append(std::span<const std::uint8_t> records, std::uint64_t count) {
  if (write_all(*files_, file_.get(), records.data(), records.size(), offset_) != 0) {
    const Error error = system_error("cannot write " + name_);
    static_cast<void>(take_back(offset_, next_));
    return error;
  }
  crash_point("records_written");
  offset_ += records.size();
  next_ += count;
  unsynced_ += records.size();
  return {};
}

bool SegmentWriter::take_back(std::uint64_t offset, std::uint64_t next) {
  offset_ = offset;
  next_ = next;
  if (files_->truncate(file_.get(), offset) != 0) spoiled_ = true;
  return !spoiled_;
}

Result<void> SegmentWriter::sync() {
  if (unsynced_ == 0 || spoiled_) return {};
  unsynced_ = 0;
  if (files_->fdatasync(file_.get()) == 0) {
    crash_point("records_synced");
    return {};
  }
  spoiled_ = true;
  return system_error("cannot force " + name_ + " to the disk");
}

Result<void> SegmentWriter::seal(std::int64_t now_ns) {
  if (spoiled_) return {};
  std::array<std::uint8_t, kFooterBytes> bytes{};
  put_footer({.id = id_, .first = first_, .end = next_, .offset = offset_, .sealed_ns = now_ns}, seed_, bytes);
  if (write_all(*files_, file_.get(), bytes.data(), bytes.size(), offset_) != 0) {
    const Error error = system_error("cannot complete " + name_);
    static_cast<void>(take_back(offset_, next_));
    return error;
  }
  crash_point("footer_written");
  unsynced_ += bytes.size();
  return {};
}

}  // namespace nfbus::host::spill
