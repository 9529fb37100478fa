// The helper's own side: the only code that runs with CAP_NET_ADMIN once the host has started.
#include "privileged/helper_rights.hpp"
#include "privileged/nflog_socket.hpp"
#include "privileged/protocol.hpp"
#include "privileged/seccomp.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace nfbus::host {

namespace {

HelperReply reply_of(std::string_view text) {
  HelperReply reply{};
  reply.text_size = static_cast<std::uint32_t>(std::min(text.size(), reply.text.size()));
  std::copy_n(text.begin(), reply.text_size, reply.text.begin());
  return reply;
}

HelperReply reply_of(const Error& error) {
  HelperReply reply = reply_of(error.text);
  reply.code = static_cast<std::uint32_t>(error.code);
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

Error no_more_groups() {
  return {.code = Code::refused, .text = "the privileged helper is sealed and binds no more groups"};
}

class Server {
 public:
  Server(int socket, pid_t host) noexcept : socket_(socket), host_(host) {}

  void handle(const HelperRequest& request) {
    const std::uint16_t group = request.binding.group;
    switch (request.command) {
      case HelperCommand::bind_group: bind(request); break;
      case HelperCommand::set_queue_threshold:
        if (const auto found = groups_.find(group); found != groups_.end()) {
          send_queue_threshold(found->second.get(), group, request.binding.queue_threshold);
        }
        break;
      case HelperCommand::release_group: release(group); break;
      case HelperCommand::seal: seal(request); break;
      case HelperCommand::ping: answer(request, HelperReply{}); break;
    }
  }

 private:
  void answer(const HelperRequest& request, HelperReply reply, int descriptor = -1) const noexcept {
    reply.number = request.number;
    send_reply(socket_, reply, descriptor);
  }

  void bind(const HelperRequest& request) {
    if (sealed_) return answer(request, reply_of(no_more_groups()));
    auto bound = open_nflog_socket(request.binding);
    if (!bound) return answer(request, reply_of(bound.error()));
    Descriptor& socket = groups_[request.binding.group];
    socket = std::move(*bound);
    answer(request, HelperReply{}, socket.get());
  }

  void seal(const HelperRequest& request) {
    if (sealed_) return answer(request, HelperReply{});
    if (const auto kept = keep_serving_rights(request.uid, request.gid, host_); !kept) {
      return answer(request, reply_of(kept.error()));
    }
    sealed_ = true;
    const auto confined = allow_serving();
    if (!confined && confined.error().code != Code::unsupported) return answer(request, reply_of(confined.error()));
    answer(request, confined ? HelperReply{} : reply_of(confined.error().text));
  }

  void release(std::uint16_t group) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    widen_receive_buffer(found->second.get(), kRoomAtTheEndBytes);
    send_unbind(found->second.get(), group);
    groups_.erase(found);
  }

  const int socket_;
  const pid_t host_;
  std::unordered_map<std::uint16_t, Descriptor> groups_;  // sockets shared with the host
  bool sealed_ = false;
};

}  // namespace

void serve_requests(int socket, pid_t host) {
  Server server(socket, host);
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
