// Packets to whoever reads a FIFO, live.
#pragma once

#include "../../lib/lasting_warning.hpp"
#include "outlet.hpp"

#include <nfbus/host.hpp>
#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_place.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pcapsink {

// What was written to a pipe, as far as the pipe may still hold it.
class InPipe {
 public:
  // A part of a write. pages: with the last part of each write, how many it needed.
  void add(std::uint32_t size_bytes, bool is_packet, std::uint32_t pages);
  // So many bytes are not read.
  void set_unread(std::uint64_t size_bytes);
  // That are not read whole.
  [[nodiscard]] std::uint64_t packets() const;
  // That are in use at most.
  [[nodiscard]] std::size_t pages() const noexcept { return pages_; }

 private:
  struct Item {
    std::uint32_t size_bytes;
    std::uint32_t pages;
    bool is_packet;
  };
  std::vector<Item> items_;
  std::size_t first_ = 0;    // those before it were read
  std::uint64_t bytes_ = 0;  // of items_ from first_ on
  std::size_t pages_ = 0;
};

// Each reader gets a pipe of its own: as soon as one has opened the FIFO, a new FIFO takes its place, where the next
// reader finds nobody's bytes. So there may be several at a time, and each begins with a header and sees whole packets
// only. Where the FIFO cannot be replaced, there is one reader after the other. Never waits for a reader to come; waits
// for one that is slow while it reads, but in no call for longer than half a second, then lets it miss packets.
class Fifo final : public Outlet {
 public:
  Fifo(nfbus::Host host, std::string path, const Encoding& encoding);

  void open(nfbus::Shape& shape) override;
  Outcome write(EventList events, Refusals& refusals) override;
  void look_after() override;
  void close() override;

 private:
  struct Reader {
    nfbus::util::Descriptor fd;
    std::size_t capacity_pages = 0;
    std::size_t descriptions = 0;  // that it has
    bool stopped = false;          // it did not read while we waited: no more waiting until it does
    bool owns_pipe = true;
    nfbus::util::Descriptor closings;  // of a pipe that it does not own: tells of readers that close it
    InPipe in_pipe;
    std::uint64_t missed = 0;  // packets
  };
  // What became of one write to a pipe.
  enum class Written : std::uint8_t { whole = 1, full, left };

  // Where the path leads to, looked for from time to time: it may lead elsewhere by now.
  nfbus::Result<void> find();
  // Makes the FIFO if need be, and takes in the reader that waits there.
  nfbus::Result<void> accept();
  // Puts a new FIFO in the place of the one that is open.
  nfbus::Result<void> replace(int fd);
  void take_in(Reader reader);
  // Makes up for descriptions that it missed, up to the run's begin. False: not now.
  bool describe(Reader& reader);
  // How many of run_'s units it got; the others it misses.
  std::size_t serve(Reader& reader, std::int64_t until_ns);
  std::size_t deliver(Reader& reader, std::int64_t until_ns);
  // Up to which unit a write may go that begins with this one; none: not now.
  [[nodiscard]] std::size_t end_of_piece(const Reader& reader, std::size_t first) const;
  static Written write_whole(const Reader& reader, Bytes bytes);
  // Of what is no packet.
  static Written write_extra(Reader& reader, Bytes bytes);
  void remove_departed();
  void let_go(Reader& reader);

  const nfbus::Host host_;
  const std::string path_;
  nfbus::util::OutputPlace place_;
  std::int64_t found_until_ns_ = 0;  // place_ is as the path leads, so long; 0: it was not found
  const std::unique_ptr<Encoder> encoder_;
  const nfbus::Counter missed_;
  std::vector<Reader> readers_;
  Run run_;
  std::vector<std::uint8_t> flat_;  // run_'s bytes
  Gather extra_;
  bool shares_pipe_ = false;           // the last reader could not get a pipe of its own
  nfbus::util::Descriptor left_pipe_;  // that a reader left to another one, who must see no end before it is taken in
  output::LastingWarning warning_;
};

}  // namespace pcapsink
