// A message of nf_tables, as it is listed, compiled and sent.
#pragma once

#include <cstdint>
#include <string>

namespace nftrules {

// One message of nf_tables, without the headers that Netlink writes.
struct Message {
  std::uint16_t type = 0;   // NFT_MSG_*
  std::uint16_t flags = 0;  // NLM_F_CREATE, NLM_F_REPLACE, ...
  std::uint8_t family = 0;  // NFPROTO_*
  std::string attributes;   // bytes; attributes.hpp
  std::string what;         // for the error if the kernel refuses it: "replace the rule ..."
};

}  // namespace nftrules
