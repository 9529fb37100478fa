#include "privileged/helper.hpp"

#include "privileged/helper_rights.hpp"
#include "privileged/protocol.hpp"
#include "privileged/seccomp.hpp"
#include "support/log.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// Naming the holder of a group takes longest: all of /proc is looked at.
constexpr std::chrono::seconds kAnswerDeadline{5};

// Run in the child.
void run_helper(pid_t host) {
  keep_binding_rights();
  // Without the filter it serves as well; a kernel that has none is told about once it is sealed.
  static_cast<void>(allow_binding());
  serve_requests(ChildProcess::kSocket, host);
}

// The descriptor that came with `message`, or none.
Descriptor received_descriptor(msghdr& message) noexcept {
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) return {};
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return Descriptor(descriptor);
}

Error helper_gone() { return {.code = Code::io, .text = "the privileged helper has ended"}; }
Error no_answer() { return {.code = Code::io, .text = "the privileged helper does not answer"}; }

std::string text_of(const HelperReply& reply) {
  return {reply.text.data(), std::min<std::size_t>(reply.text_size, reply.text.size())};
}

void log_failure(const std::string& what) {
  log::error(
      fmt::format("the privileged helper {}: capture goes on, but latency_ms = 0 does not adapt any more, and "
                  "what the kernel still holds when nfbus stops is lost; restart nfbus",
                  what));
}

}  // namespace

struct PrivilegedHelper::Answer {
  HelperReply reply;
  Descriptor descriptor;
};

Result<PrivilegedHelper> PrivilegedHelper::start() {
  auto child = ChildProcess::start(
      {.what = "the privileged helper", .name = "nfbus-helper", .socket_type = SOCK_SEQPACKET}, run_helper);
  if (!child) return child.error();
  return PrivilegedHelper(std::move(child).value());
}

PrivilegedHelper::PrivilegedHelper(ChildProcess child) noexcept : child_(std::move(child)) {}

PrivilegedHelper::PrivilegedHelper(PrivilegedHelper&& other) noexcept
    : child_(std::move(other.child_)),
      requests_(other.requests_),
      ping_(std::exchange(other.ping_, std::nullopt)),
      state_(other.state_.load()) {}

PrivilegedHelper& PrivilegedHelper::operator=(PrivilegedHelper&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(requests_, other.requests_);
  std::swap(ping_, other.ping_);
  state_ = other.state_.exchange(state_);
  return *this;
}

Result<PrivilegedHelper::Answer> PrivilegedHelper::receive() {
  Answer answer{};
  iovec content{.iov_base = &answer.reply, .iov_len = sizeof answer.reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(child_.socket(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size != static_cast<ssize_t>(sizeof answer.reply)) return helper_gone();
  answer.descriptor = received_descriptor(message);
  if (ping_ && answer.reply.number == ping_->number) ping_.reset();
  return answer;
}

Result<PrivilegedHelper::Answer> PrivilegedHelper::ask(HelperRequest request) {
  request.number = ++requests_;
  if (::send(child_.socket(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return errno == EAGAIN ? no_answer() : helper_gone();
  }
  const auto deadline = Clock::now() + kAnswerDeadline;
  while (wait_for(child_.socket(), POLLIN, deadline)) {
    auto answer = receive();
    if (!answer) return answer;
    if (answer->reply.number != request.number) continue;  // of a ping
    if (answer->reply.code == 0) return answer;
    return Error{.code = static_cast<Code>(answer->reply.code), .text = text_of(answer->reply)};
  }
  return no_answer();
}

Result<int> PrivilegedHelper::bind_group(const GroupBinding& binding) {
  HelperRequest request{.command = HelperCommand::bind_group};
  request.binding = binding;
  auto answer = ask(request);
  if (!answer) return answer.error();
  if (!answer->descriptor.valid()) {
    return Error{.code = Code::io, .text = "no room for one more descriptor: raise the limit (ulimit -n)"};
  }
  return answer->descriptor.release();
}

Result<void> PrivilegedHelper::seal() {
  HelperRequest request{.command = HelperCommand::seal};
  request.uid = ::geteuid();
  request.gid = ::getegid();
  const auto answer = ask(request);
  if (!answer) return answer.error();
  if (const std::string lacks = text_of(answer->reply); !lacks.empty()) {
    log::warning("the privileged helper goes on without a filter of its system calls: " + lacks);
  }
  return {};
}

void PrivilegedHelper::check() {
  if (state_ == HelperState::gone) return;
  while (wait_for(child_.socket(), POLLIN, Clock::now()) && receive()) {
  }
  if (child_.has_ended()) {
    state_ = HelperState::gone;
    return log_failure(fmt::format("has ended ({})", child_.how_it_ended()));
  }
  const auto now = Clock::now();
  if (!ping_) {
    if (state_.exchange(HelperState::running) == HelperState::stuck) log::info("the privileged helper answers again");
    ping_ = {.number = ++requests_, .since = now, .sent = false};
  }
  if (!ping_->sent) {  // there is no room while a stuck helper's socket is full of requests
    const HelperRequest request{.command = HelperCommand::ping, .number = ping_->number};
    ping_->sent = ::send(child_.socket(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }
  if (state_ == HelperState::stuck || now - ping_->since < kAnswerDeadline) return;
  state_ = HelperState::stuck;
  log_failure(fmt::format("has not answered for {} s", kAnswerDeadline.count()));
}

void PrivilegedHelper::set_queue_threshold(std::uint16_t group, std::uint32_t queue_threshold) const noexcept {
  HelperRequest request{.command = HelperCommand::set_queue_threshold};
  request.binding.group = group;
  request.binding.queue_threshold = queue_threshold;
  // Never waits: capture goes on whatever the helper does.
  [[maybe_unused]] const auto sent = ::send(child_.socket(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool PrivilegedHelper::release_group(std::uint16_t group,
                                     std::chrono::steady_clock::time_point deadline) const noexcept {
  HelperRequest request{.command = HelperCommand::release_group};
  request.binding.group = group;
  while (::send(child_.socket(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    if (!wait_for(child_.socket(), POLLOUT, deadline)) return false;
  }
  return true;
}

}  // namespace nfbus::host
