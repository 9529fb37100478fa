#include "netlink.hpp"

#include "attributes.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nfbus::util::Descriptor;

constexpr std::size_t kReceiveBytes = std::size_t{1} << 20;  // the kernel fills messages of a list up to 32 KiB
constexpr std::size_t kPerMessageBytes = 1024;               // what an acknowledgement takes of a socket's buffer
constexpr int kMostTries = 20;

// ENFILE is how nf_tables says it of a set.
std::string reason(int error) { return error == ENFILE ? "it is full" : std::generic_category().message(error); }

Error failed(std::string_view what, int error) {
  return {error == EPERM || error == EACCES ? Code::refused : Code::io,
          "cannot " + std::string(what) + ": " + reason(error) +
              (error == EPERM ? "; it takes CAP_NET_ADMIN in this network namespace" : "")};
}

Result<std::pair<Descriptor, std::uint32_t>> open_socket(int more_flags) {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | more_flags, NETLINK_NETFILTER));
  if (!socket.valid()) return failed("open a netlink socket", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return failed("bind a netlink socket", errno);
  }
  const int on = 1;
  // Errors without what was refused: we know it, and they take less room.
  static_cast<void>(::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on));
  return std::pair(std::move(socket), static_cast<std::uint32_t>(address.nl_pid));
}

void append(std::string& bytes, std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, const nfgenmsg& extra,
            std::string_view attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + sizeof extra + attributes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_seq = sequence;
  bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(&extra), sizeof extra);
  bytes.append(attributes);
  bytes.resize(NLMSG_ALIGN(bytes.size()));
}

constexpr std::uint16_t of_nftables(std::uint16_t type) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | type);
}

// One received message.
struct Received {
  nlmsghdr header{};
  std::string_view body;  // behind the header
};

// Calls `take` with each message of a datagram.
template <typename Take>
void for_each(std::string_view datagram, Take take) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    Received received;
    std::memcpy(&received.header, datagram.data(), sizeof received.header);
    const std::size_t size = received.header.nlmsg_len;
    if (size < sizeof(nlmsghdr) || size > datagram.size()) return;
    received.body = datagram.substr(sizeof(nlmsghdr), size - sizeof(nlmsghdr));
    take(received);
    datagram.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(size), datagram.size()));
  }
}

int error_of(const Received& received) {
  nlmsgerr error{};
  if (received.body.size() < sizeof error.error) return EBADMSG;
  std::memcpy(&error.error, received.body.data(), sizeof error.error);
  return -error.error;
}

std::string_view attributes_of(const Received& received) {
  return received.body.substr(std::min(sizeof(nfgenmsg), received.body.size()));
}

}  // namespace

Result<Netlink> Netlink::open() {
  auto opened = open_socket(0);
  if (!opened) return opened.error();
  return Netlink(std::move(opened->first), opened->second);
}

Result<void> Netlink::widen(int option, std::size_t size_bytes) {
  const int size = static_cast<int>(std::min<std::size_t>(size_bytes, std::size_t{1} << 29U));
  int now = 0;
  socklen_t length = sizeof now;
  const int read = option == SO_SNDBUFFORCE ? SO_SNDBUF : SO_RCVBUF;
  if (::getsockopt(socket_.get(), SOL_SOCKET, read, &now, &length) == 0 && now >= size) return {};
  if (::setsockopt(socket_.get(), SOL_SOCKET, option, &size, sizeof size) == 0) return {};
  return failed("size a netlink socket's buffer", errno);
}

Result<void> Netlink::send(std::string_view bytes) {
  for (;;) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const ssize_t sent = ::sendto(socket_.get(), bytes.data(), bytes.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) return {};
    if (errno != EINTR) return failed("send to nf_tables", errno);
  }
}

Result<std::vector<Message>> Netlink::dump(std::uint16_t type, std::uint8_t family, std::string_view attributes) {
  std::string buffer(kReceiveBytes, '\0');
  for (int tries = 0; tries < kMostTries; ++tries) {
    std::string request;
    const std::uint32_t sequence = ++sequence_;
    append(request, of_nftables(type), NLM_F_DUMP, sequence, {family, NFNETLINK_V0, 0}, attributes);
    if (auto sent = send(request); !sent) return sent.error();
    std::vector<Message> found;
    bool is_done = false;
    bool was_changed = false;
    int error = 0;
    while (!is_done) {
      const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return failed("read from nf_tables", errno);
      for_each({buffer.data(), static_cast<std::size_t>(size)}, [&](const Received& received) {
        if (received.header.nlmsg_seq != sequence) return;
        was_changed = was_changed || (received.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (received.header.nlmsg_type == NLMSG_ERROR) error = error_of(received);
        is_done = is_done || received.header.nlmsg_type == NLMSG_DONE || received.header.nlmsg_type == NLMSG_ERROR;
        if (received.header.nlmsg_type < NLMSG_MIN_TYPE || received.body.size() < sizeof(nfgenmsg)) return;
        Message message;
        message.type = received.header.nlmsg_type & 0xffU;
        message.family = static_cast<std::uint8_t>(received.body[0]);
        message.attributes = attributes_of(received);
        found.push_back(std::move(message));
      });
    }
    if (error == ENOENT) return std::vector<Message>();  // what `attributes` name is not there
    if (error != 0 && error != EINTR && error != EAGAIN) return failed("list what nf_tables holds", error);
    if (error == 0 && !was_changed) return found;
  }
  return Error{Code::busy, "the ruleset changes faster than it can be listed"};
}

Result<std::uint32_t> Netlink::generation() {
  std::string request;
  const std::uint32_t sequence = ++sequence_;
  append(request, of_nftables(NFT_MSG_GETGEN), 0, sequence, {AF_UNSPEC, NFNETLINK_V0, 0}, {});
  if (auto sent = send(request); !sent) return sent.error();
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (size < 0) return failed("read from nf_tables", errno);
    std::optional<std::uint32_t> found;
    int error = 0;
    for_each({buffer.data(), static_cast<std::size_t>(size)}, [&](const Received& received) {
      if (received.header.nlmsg_seq != sequence) return;
      if (received.header.nlmsg_type == NLMSG_ERROR) {
        error = error_of(received);
      } else {
        found = Attributes(attributes_of(received)).find(NFTA_GEN_ID).be32();
      }
    });
    if (error != 0) return failed("ask nf_tables for its generation", error);
    if (found) return *found;
  }
}

Result<void> Netlink::send_batch(std::span<const Message> batch, std::optional<std::uint32_t> generation,
                                 bool is_commit, std::optional<std::size_t>* refused_index) {
  if (batch.empty()) return {};
  std::string bytes;
  AttributeWriter begin;
  if (generation) begin.be32(NFNL_BATCH_GENID, *generation);
  const nfgenmsg to_nftables{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)};
  const std::uint32_t first = ++sequence_;
  append(bytes, NFNL_MSG_BATCH_BEGIN, 0, first, to_nftables, begin.bytes());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    // The last answer says that the kernel has come to the end of it.
    const auto ack = static_cast<std::uint16_t>(i + 1 == batch.size() ? NLM_F_ACK : 0);
    append(bytes, of_nftables(batch[i].type), static_cast<std::uint16_t>(batch[i].flags | ack), ++sequence_,
           {batch[i].family, NFNETLINK_V0, 0}, batch[i].attributes);
  }
  // A batch without an end is looked at, and taken back.
  if (is_commit) append(bytes, NFNL_MSG_BATCH_END, 0, ++sequence_, to_nftables, {});
  // A send goes in whole, and each message may be answered: room for both before anything is sent.
  if (auto sized = widen(SO_SNDBUFFORCE, bytes.size() * 2); !sized) return sized;
  if (auto sized = widen(SO_RCVBUFFORCE, batch.size() * kPerMessageBytes); !sized) return sized;
  if (auto sent = send(bytes); !sent) return sent;

  std::optional<Error> refused;
  bool is_done = false;
  std::array<char, 16384> buffer{};
  while (!is_done && !refused) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("read nf_tables' answer; whether it did what it was asked to is not known", errno);
    for_each({buffer.data(), static_cast<std::size_t>(size)}, [&](const Received& received) {
      if (received.header.nlmsg_type != NLMSG_ERROR || refused) return;
      const std::uint32_t index = received.header.nlmsg_seq - first;  // 0: the batch's begin
      const int error = error_of(received);
      if (index > batch.size()) return;
      if (error == 0) {
        is_done = is_done || index == batch.size();
      } else if (error == ERESTART || error == EAGAIN) {
        refused = Error{Code::busy, "others changed the ruleset meanwhile"};
      } else if (index == 0) {
        refused = failed("begin a transaction of nf_tables", error);
      } else {
        refused = failed(batch[index - 1].what, error);
        if (refused_index != nullptr) *refused_index = index - 1;
      }
    });
  }
  // What else was answered belongs to this batch.
  while (::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
  }
  if (refused) return *refused;
  return {};
}

Result<Monitor> Monitor::open() {
  auto opened = open_socket(SOCK_NONBLOCK);
  if (!opened) return opened.error();
  const int group = NFNLGRP_NFTABLES;
  if (::setsockopt(opened->first.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    return failed("listen to changes of the ruleset", errno);
  }
  const int size = static_cast<int>(kReceiveBytes);
  static_cast<void>(::setsockopt(opened->first.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size));
  return Monitor(std::move(opened->first));
}

Monitor::Changes Monitor::read() {
  Changes changes;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      changes.resync = true;
      continue;
    }
    if (size <= 0) return changes;
    for_each({buffer.data(), static_cast<std::size_t>(size)}, [&](const Received& received) {
      switch (received.header.nlmsg_type & 0xffU) {
        case NFT_MSG_NEWTABLE:
        case NFT_MSG_DELTABLE:
        case NFT_MSG_NEWCHAIN:
        case NFT_MSG_DELCHAIN:
        case NFT_MSG_NEWRULE:
        case NFT_MSG_DELRULE: changes.rules = true; break;
        case NFT_MSG_NEWGEN: break;
        default: changes.sets = true; break;
      }
    });
  }
}

}  // namespace nftrules
