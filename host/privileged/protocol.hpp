// What passes between the host and its privileged helper: one fixed-size struct a message, on a SOCK_SEQPACKET pair.
#pragma once

#include "privileged/helper.hpp"

#include <array>
#include <cstdint>

namespace nfbus::host {

enum class HelperCommand : std::uint32_t { bind_group = 1, set_queue_threshold = 2, release_group = 3 };

struct HelperRequest {
  HelperCommand command;
  GroupBinding binding;  // set_queue_threshold: group and queue_threshold; release_group: group
};

// The answer to bind_group, the only command that has one; on success the socket comes with it (SCM_RIGHTS).
struct HelperReply {
  std::uint32_t code;  // 0: done; else nfbus::Code
  std::uint32_t text_size;
  std::array<char, 504> text;
};

// [helper] Serves requests from `socket` until its other end closes. Never returns.
[[noreturn]] void serve_requests(int socket);

}  // namespace nfbus::host
