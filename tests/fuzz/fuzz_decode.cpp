// Any bytes as an NFLOG record: read, decoded, and read again through every view.
#include "check_event.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const nfbus::host::Event event = nfbus::test::decode_record({data, size});
  if (const char* broken = nfbus::test::broken_promise(event)) {
    std::fprintf(stderr, "broken promise: %s\n", broken);
    std::abort();
  }
  nfbus::test::read_everything(event);
  return 0;
}
