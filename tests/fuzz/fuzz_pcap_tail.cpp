// Any bytes as the capture file that the pcap sink finds at its start: what is continued is whole up to there.
#include "tail.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace {

using namespace pcapsink;

class Memory final : public ByteSource {
 public:
  explicit Memory(Bytes bytes) : bytes_(bytes) {}
  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    const Bytes rest = offset < bytes_.size() ? bytes_.subspan(offset) : Bytes{};
    const std::size_t size = std::min(rest.size(), out.size());
    std::copy_n(rest.begin(), size, out.begin());
    return size;
  }

 private:
  const Bytes bytes_;
};

void check(bool holds) {
  if (!holds) std::abort();
}

void check_tail(Bytes bytes, const Encoding& encoding) {
  Memory all(bytes);
  const Tail tail = find_tail(all, encoding);
  check(tail.size_bytes <= bytes.size() || tail.state != Tail::State::whole);
  if (tail.state != Tail::State::whole) return;
  // What would be cut off is less than one record; what is left is whole, too, and ends there.
  check(bytes.size() - tail.size_bytes <= kSnaplenBytes + 16384);
  Memory kept(bytes.first(tail.size_bytes));
  const Tail again = find_tail(kept, encoding);
  check(again.state == Tail::State::whole && again.size_bytes == tail.size_bytes && again.packets == tail.packets);
}

}  // namespace

// The first byte chooses the format. The file's own header is put in front where the second one is even, so that the
// fuzzer need not find it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Encoding encoding{.format = data[0] % 2 == 0 ? Format::pcap : Format::pcapng, .link = Link::nflog};
  const Bytes rest(data + 2, size - 2);
  if (data[1] % 2 != 0) {
    check_tail(rest, encoding);
    return 0;
  }
  Gather header;
  make_encoder(encoding)->join(header);
  const auto* const begin = static_cast<const std::uint8_t*>(header.pieces()[0].iov_base);
  std::vector<std::uint8_t> whole(begin, begin + header.size_bytes());
  whole.insert(whole.end(), rest.begin(), rest.end());
  check_tail(whole, encoding);
  return 0;
}
