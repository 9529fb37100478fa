// Events as the bytes of a capture file. Two formats: classic.cpp and pcapng.cpp.
#pragma once

#include "frame.hpp"
#include "gather.hpp"

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

namespace pcapsink {

using EventList = std::span<const nfbus_event* const>;

enum class Format : std::uint8_t { pcap = 1, pcapng };
enum class Precision : std::uint8_t { microseconds = 1, nanoseconds };

struct Encoding {
  Format format = Format::pcap;
  Precision precision = Precision::nanoseconds;
  Link link = Link::raw;
  bool raw_without_header = false;  // pcapng with Link::ethernet: packets without a header as Link::raw
};

// As much as any of our packets has, and what tcpdump says too.
inline constexpr std::uint32_t kSnaplenBytes = 262'144;

// How much fits into the current file.
struct Room {
  std::uint64_t size_bytes = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t packets = std::numeric_limits<std::uint64_t>::max();
  bool take_one = true;  // one packet at least, however large
};

// The units of one write: all that one event adds to a file. Reused from write to write.
struct Run {
  Gather bytes;
  std::vector<std::size_t> ends;      // where each unit ends in bytes; an event that is refused has an empty one
  std::vector<const char*> refusals;  // why an event has no unit; else NULL
  std::uint64_t packets = 0;

  void clear() noexcept {
    bytes.clear();
    ends.clear();
    refusals.clear();
    packets = 0;
  }
};

// Makes one stream at a time: a file, or all that readers of a FIFO get. Thread safety: none.
class Encoder {
 public:
  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  virtual ~Encoder() = default;

  // What a file begins with, or what we add to one that is continued. Forgets all that the stream before knew.
  virtual void begin(bool continued, Gather& out) = 0;
  // What a reader that joins the stream now begins with.
  virtual void join(Gather& out) const = 0;
  // Fills a cleared run from the first events on, as many as there is room for, refused ones too. Bytes behind the last
  // unit may be left out.
  virtual void encode(EventList events, const Room& room, Run& out) = 0;
  // So many units of the run are in the stream; the others were taken back.
  virtual void commit(std::size_t units) = 0;
  // What a file ends with when it is complete.
  virtual void end(Gather& out) = 0;
  // Descriptions that are part of the stream, not of one packet: how many there are, and those from `begin` up to
  // `end`. A reader that missed packets must get those that it missed.
  [[nodiscard]] virtual std::size_t descriptions() const noexcept { return 0; }
  // How many there are after so many units of the run; before commit().
  [[nodiscard]] virtual std::size_t descriptions_after(std::size_t /*units*/) const noexcept { return 0; }
  virtual void describe(std::size_t /*begin*/, std::size_t /*end*/, Gather& /*out*/) const {}
};

[[nodiscard]] std::unique_ptr<Encoder> make_classic(const Encoding& encoding);
[[nodiscard]] std::unique_ptr<Encoder> make_pcapng(const Encoding& encoding);

[[nodiscard]] inline std::unique_ptr<Encoder> make_encoder(const Encoding& encoding) {
  return encoding.format == Format::pcap ? make_classic(encoding) : make_pcapng(encoding);
}

}  // namespace pcapsink
