// The helper's own side: the only code that runs with CAP_NET_ADMIN once the host has started.
#include "privileged/nflog_socket.hpp"
#include "privileged/protocol.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace nfbus::host {

namespace {

HelperReply reply_of(const Error& error) {
  HelperReply reply{};
  reply.code = static_cast<std::uint32_t>(error.code);
  reply.text_size = static_cast<std::uint32_t>(std::min(error.text.size(), reply.text.size()));
  std::copy_n(error.text.begin(), reply.text_size, reply.text.begin());
  return reply;
}

// descriptor < 0: none comes along.
void send_reply(int socket, HelperReply reply, int descriptor) noexcept {
  iovec content{.iov_base = &reply, .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// For what the kernel still sends when a group is released: enough for what is logged until it is unbound, also in a
// flood. It takes memory only where it is used.
constexpr int kRoomAtTheEndBytes = 32 << 20;

class Server {
 public:
  explicit Server(int socket) noexcept : socket_(socket) {}

  void handle(const HelperRequest& request) {
    const std::uint16_t group = request.binding.group;
    switch (request.command) {
      case HelperCommand::bind_group: bind(request.binding); break;
      case HelperCommand::set_queue_threshold:
        if (const auto found = groups_.find(group); found != groups_.end()) {
          send_queue_threshold(found->second.get(), group, request.binding.queue_threshold);
        }
        break;
      case HelperCommand::release_group: release(group); break;
    }
  }

 private:
  void bind(const GroupBinding& binding) {
    auto bound = open_nflog_socket(binding);
    if (!bound) {
      send_reply(socket_, reply_of(bound.error()), -1);
      return;
    }
    Descriptor& socket = groups_[binding.group];
    socket = std::move(*bound);
    send_reply(socket_, HelperReply{}, socket.get());
  }

  void release(std::uint16_t group) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    widen_receive_buffer(found->second.get(), kRoomAtTheEndBytes);
    send_unbind(found->second.get(), group);
    groups_.erase(found);
  }

  const int socket_;
  std::unordered_map<std::uint16_t, Descriptor> groups_;  // sockets shared with the host
};

}  // namespace

void serve_requests(int socket) {
  Server server(socket);
  while (true) {
    HelperRequest request{};
    const ssize_t size = ::recv(socket, &request, sizeof request, 0);
    if (size == static_cast<ssize_t>(sizeof request)) {
      server.handle(request);
    } else if (size >= 0 || errno != EINTR) {
      ::_exit(0);  // the host is gone; its groups go with our sockets
    }
  }
}

}  // namespace nfbus::host
