#include "privileged/nflog_socket.hpp"

#include "privileged/holder.hpp"

#include <fcntl.h>
// Before libnetfilter_log's own copy of these definitions, which lacks the newer attributes.
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// Larger than any configuration message that we send.
struct MessageBuffer {
  alignas(NLMSG_ALIGNTO) std::array<char, 256> bytes{};
};

nlmsghdr* put_config_header(MessageBuffer& buffer, std::uint16_t group) {
  return nflog_nlmsg_put_header(buffer.bytes.data(), NFULNL_MSG_CONFIG, AF_UNSPEC, group);
}

bool send_message(int socket, const nlmsghdr& message, int flags) noexcept {
  return ::send(socket, &message, message.nlmsg_len, flags) >= 0;
}

std::string system_text(int error) { return std::generic_category().message(error); }

Error not_permitted(std::uint16_t group) {
  return {.code = Code::refused,
          .text = fmt::format("group {}: not permitted to bind: run as root, or grant CAP_NET_ADMIN (setcap "
                              "cap_net_admin+ep on the program, or AmbientCapabilities=CAP_NET_ADMIN in its unit)",
                              group)};
}

Error no_kernel_support(std::uint16_t group, const char* what, const char* module) {
  return {.code = Code::unsupported,
          .text = fmt::format("group {}: this kernel has no {}: load it with `modprobe {}`, or enable it in the "
                              "kernel's configuration",
                              group, what, module)};
}

// The kernel answers EPERM both to a taken group and to a missing capability.
Error bind_error(std::uint16_t group, int error) {
  if (error == EPERM) {
    const auto holder = find_group_holder(group);
    if (!holder) return not_permitted(group);
    return {.code = Code::busy,
            .text = fmt::format("group {} is taken by {}: stop it, or use another group (the kernel gives a group's "
                                "packets to one program)",
                                group, *holder)};
  }
  // nfnetlink knows no subsystem of that number.
  if (error == EINVAL || error == EOPNOTSUPP || error == ENOENT) {
    return no_kernel_support(group, "NFLOG (nfnetlink_log)", "nfnetlink_log");
  }
  return {.code = Code::io, .text = fmt::format("group {}: the kernel refused it: {}", group, system_text(error))};
}

// The kernel handles a request within send() and answers errors alone, since we ask for no acknowledgement: so the
// answer, if any, is already queued, and a look at the head of the queue takes no packet from the capture.
int answered_error(int socket) noexcept {
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  const ssize_t size = ::recv(socket, &answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
  if (size < static_cast<ssize_t>(sizeof answer) || answer.header.nlmsg_type != NLMSG_ERROR) return 0;
  return -answer.error.error;
}

bool prepare(int socket, const GroupBinding& binding) noexcept {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  const int size = static_cast<int>(binding.recv_buffer_bytes);
  // Where only this network namespace is ours, the forced size is refused; the capture tells when it got less.
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 &&
      ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0) {
    return false;
  }
  // Without it the kernel drops everything after an overrun until the queue is empty; the gaps in the sequence numbers
  // tell of each loss either way.
  const int on = 1;
  return ::setsockopt(socket, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) == 0;
}

}  // namespace

Result<Descriptor> open_nflog_socket(const GroupBinding& binding) {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!socket.valid()) {
    const int error = errno;
    if (error == EPROTONOSUPPORT) return no_kernel_support(binding.group, "netfilter netlink (nfnetlink)", "nfnetlink");
    return Error{.code = Code::io,
                 .text = fmt::format("group {}: no netlink socket: {}", binding.group, system_text(error))};
  }
  if (!prepare(socket.get(), binding)) {
    const int error = errno;
    return Error{.code = Code::io,
                 .text = fmt::format("group {}: cannot set up its socket: {}", binding.group, system_text(error))};
  }
  // One message for all: from the first packet on, sizes are right and sequence numbers are there.
  MessageBuffer buffer;
  nlmsghdr* const message = put_config_header(buffer, binding.group);
  nflog_attr_put_cfg_cmd(message, NFULNL_CFG_CMD_BIND);
  nflog_attr_put_cfg_mode(message, NFULNL_COPY_PACKET, binding.copy_range_bytes);
  mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(binding.batch_bytes));
  mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(binding.queue_threshold));
  mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(binding.timeout_10ms));
  mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
  const int error = send_message(socket.get(), *message, 0) ? answered_error(socket.get()) : errno;
  if (error != 0) return bind_error(binding.group, error);
  return socket;
}

void send_queue_threshold(int socket, std::uint16_t group, std::uint32_t queue_threshold) noexcept {
  MessageBuffer buffer;
  nlmsghdr* const message = put_config_header(buffer, group);
  mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(queue_threshold));
  send_message(socket, *message, MSG_DONTWAIT);  // a missed change costs latency or CPU, and the next one mends it
}

void widen_receive_buffer(int socket, int more_bytes) noexcept {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  // The kernel doubles what is asked for: socket(7).
  if (::getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, &length) != 0) return;
  bytes = std::min(bytes / 2, std::numeric_limits<int>::max() / 2 - more_bytes) + more_bytes;
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0) return;
  static_cast<void>(::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
}

void send_unbind(int socket, std::uint16_t group) noexcept {
  MessageBuffer buffer;
  nlmsghdr* const message = put_config_header(buffer, group);
  message->nlmsg_flags |= NLM_F_ACK;
  nflog_attr_put_cfg_cmd(message, NFULNL_CFG_CMD_UNBIND);
  send_message(socket, *message, 0);
}

}  // namespace nfbus::host
