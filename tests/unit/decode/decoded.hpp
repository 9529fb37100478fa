// A fixture and the event that it decodes to.
#pragma once

#include "check_event.hpp"
#include "packets.hpp"

#include <string>

namespace nfbus::test {

class Decoded {
 public:
  explicit Decoded(const std::string& name)
      : packet_(load_packet(NFBUS_TEST_DATA, name)), event(decode_record(packet_.record)) {}

 private:
  Packet packet_;

 public:
  host::Event event;
};

}  // namespace nfbus::test
