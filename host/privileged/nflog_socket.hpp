// Making and changing NFLOG sockets: what needs CAP_NET_ADMIN and therefore happens in the helper alone.
#pragma once

#include "privileged/helper.hpp"
#include "support/descriptor.hpp"

namespace nfbus::host {

// A socket that is bound to `binding.group` and configured. Errors and what they mean: as
// PrivilegedHelper::bind_group(). Nothing is read from the socket: packets that arrive at once are not lost.
Result<Descriptor> open_nflog_socket(const GroupBinding& binding);

// Changes the group's threshold. Unacknowledged; an error of the kernel arrives on `socket`.
void send_queue_threshold(int socket, std::uint16_t group, std::uint32_t queue_threshold) noexcept;

// Lets the socket take this many bytes more, or as many as we may give it.
void widen_receive_buffer(int socket, int more_bytes) noexcept;

// Unbinds the group from its socket. The kernel first sends what it still holds for the group, then its
// acknowledgement: who reads on until that has every packet logged so far, and no packet comes after it.
void send_unbind(int socket, std::uint16_t group) noexcept;

}  // namespace nfbus::host
