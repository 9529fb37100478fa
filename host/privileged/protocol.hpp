// What passes between the host and its privileged helper: one fixed-size struct a message, on a SOCK_SEQPACKET pair.
#pragma once

#include "privileged/helper.hpp"

#include <array>
#include <cstdint>

namespace nfbus::host {

enum class HelperCommand : std::uint32_t {
  bind_group = 1,
  set_queue_threshold = 2,
  release_group = 3,
  seal = 4,  // once all groups are bound: become the user, and bind no more
  ping = 5,
};

struct HelperRequest {
  HelperCommand command = HelperCommand::ping;
  std::uint32_t number = 0;  // comes back in the reply
  GroupBinding binding{};    // bind_group; set_queue_threshold: group and queue_threshold; release_group: group
  std::uint32_t uid = 0;     // seal: whom to become
  std::uint32_t gid = 0;
};

// The answer to bind_group, seal and ping; to a bind_group that succeeded the socket comes with it (SCM_RIGHTS).
struct HelperReply {
  std::uint32_t number;  // of the request
  std::uint32_t code;    // 0: done; else nfbus::Code
  std::uint32_t text_size;
  std::array<char, 500> text;  // why not; after a seal that is done: what it lacks
};

// [helper] Serves requests from `socket` until its other end closes. host: whose end ends the helper, too. Never
// returns.
[[noreturn]] void serve_requests(int socket, pid_t host);

}  // namespace nfbus::host
