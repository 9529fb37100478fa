// A capture file to be read: pcap or pcapng, plain or compressed, regular or as it comes.
#pragma once

#include "capture/files/packet_reader.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace nfbus::host {

// An open file that has not been looked at.
struct ReplayFile {
  std::string name;  // as it was given, for errors
  Descriptor descriptor;

  // [control] With the rights of the effective user alone; "-" is standard input. Never waits for whoever writes to a
  // FIFO. Errors: not_found, refused, io.
  static Result<ReplayFile> open(const std::string& name);
};

// Thread safety: none. Every error names the file.
class CaptureFile {
 public:
  // [control] What is wrong with the begin of a regular file is an error at once; of all else nothing is read yet.
  // Errors: invalid (no capture; of link types alone that we do not know), unsupported, io.
  static Result<CaptureFile> open(ReplayFile file);

  // As PacketReader's. At the end, invalid: none of its link types is one that we know.
  Result<Next> next(FilePacket& packet);
  // Whether this is the first packet of its interface that cannot be read, so that it is to be told; the first of many.
  [[nodiscard]] bool is_news(const FileInterface& interface);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Input& input() const noexcept { return *input_; }

 private:
  explicit CaptureFile(ReplayFile file);
  Result<void> look_at_begin();
  Result<Next> read(FilePacket& packet);
  Result<Next> choose_reader();
  void note_interfaces();
  [[nodiscard]] Error named(Error error) const;

  std::string name_;
  std::unique_ptr<Input> input_;  // its address stays: the reader refers to it
  std::unique_ptr<PacketReader> reader_;
  bool readable_ = false;                                   // some interface is
  std::optional<std::uint32_t> unknown_type_;               // the link type of the first that is not
  std::set<std::pair<std::uint32_t, std::uint32_t>> told_;  // numbers and link types
};

}  // namespace nfbus::host
