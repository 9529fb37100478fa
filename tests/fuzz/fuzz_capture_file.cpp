// Any bytes as a capture file, which is read as a regular one and through a pipe, in pieces.
#include "capture/files/capture_file.hpp"
#include "must.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <span>

namespace {

using namespace nfbus::host;  // NOLINT(google-build-using-namespace)
using nfbus::fuzz::must;

struct Seen {
  std::uint64_t packets = 0;
  std::uint64_t sum = 0;
  bool waits = false;
  bool failed = false;
};

// To the end, to an error, or to where more would have to be waited for. Every byte that is shown is touched.
Seen read_on(CaptureFile& file) {
  Seen seen;
  FilePacket packet;
  for (;;) {
    const auto next = file.next(packet);
    if (!next || *next == Next::end || *next == Next::waits) {
      seen.failed = !next.ok();
      seen.waits = next.ok() && *next == Next::waits;
      return seen;
    }
    if (*next != Next::packet) continue;
    ++seen.packets;
    must(packet.bytes.size() <= kMostBlockBytes, "a packet is larger than any block");
    must(packet.time_ns >= 0, "a packet is older than 1970");
    must(packet.interface->name.size() <= 63, "a name is too long");
    seen.sum += std::accumulate(packet.bytes.begin(), packet.bytes.end(), std::uint64_t{packet.bytes.size()});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Descriptor regular(::memfd_create("fuzz", MFD_CLOEXEC));
  must(::pwrite(regular.get(), data, size, 0) == static_cast<ssize_t>(size), "no file in memory");
  auto file = CaptureFile::open({.name = "regular", .descriptor = std::move(regular)});
  Seen whole{.failed = true};
  if (file) whole = read_on(*file);

  std::array<int, 2> ends{};
  must(::pipe2(ends.data(), O_CLOEXEC) == 0, "no pipe");
  Descriptor writer(ends[1]);
  auto piped = CaptureFile::open({.name = "pipe", .descriptor = Descriptor(ends[0])});
  must(piped.ok(), "a pipe is judged before it is read");
  Seen pieces;
  for (std::span<const std::uint8_t> left(data, size); !pieces.failed;) {
    const auto piece = left.first(std::min<std::size_t>(left.size(), 1 + size / 3));
    if (piece.empty()) writer = Descriptor();
    must(piece.empty() || ::write(writer.get(), piece.data(), piece.size()) == static_cast<ssize_t>(piece.size()),
         "a pipe takes no piece");
    left = left.subspan(piece.size());
    const Seen more = read_on(*piped);
    pieces.packets += more.packets;
    pieces.sum += more.sum;
    pieces.failed = more.failed;
    if (piece.empty()) break;
  }
  if (file) must(pieces.packets == whole.packets && pieces.sum == whole.sum, "a pipe shows other packets than a file");
  return 0;
}
