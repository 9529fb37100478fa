#include "capture/interface_names.hpp"

#include "support/system_error.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nfbus::host {

namespace {

// Room for any datagram of a link dump: the kernel makes them up to 32 KiB when the reader offers as much.
constexpr std::size_t kDatagramBytes = 32768;

// An mnl_attr_cb_t: fills the InterfaceNames::Name in `data` from IFLA_IFNAME.
int read_name(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) != IFLA_IFNAME) return MNL_CB_OK;
  auto* const name = static_cast<InterfaceNames::Name*>(data);
  const std::size_t room = std::min<std::size_t>(mnl_attr_get_payload_len(attribute), IFNAMSIZ - 1);
  name->size = static_cast<std::uint8_t>(::strnlen(mnl_attr_get_str(attribute), room));
  std::memcpy(name->text, mnl_attr_get_payload(attribute), name->size);
  return MNL_CB_STOP;
}

}  // namespace

Result<InterfaceNames> InterfaceNames::open() {
  InterfaceNames names;
  names.socket_ = Descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!names.socket_.valid()) return system_error("cannot learn interface names");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (::bind(names.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("cannot follow changes of interface names");
  }
  if (!names.request_all()) return system_error("cannot ask for the interfaces");
  names.update();
  return names;
}

InterfaceNames::InterfaceNames(InterfaceNames&& other) noexcept
    : socket_(std::move(other.socket_)),
      names_(std::move(other.names_)),
      gone_(std::move(other.gone_)),
      departures_(other.departures_) {
  other.forget_recent();
}

InterfaceNames& InterfaceNames::operator=(InterfaceNames&& other) noexcept {
  socket_ = std::move(other.socket_);
  std::swap(names_, other.names_);
  std::swap(gone_, other.gone_);
  std::swap(departures_, other.departures_);
  forget_recent();
  other.forget_recent();
  return *this;
}

bool InterfaceNames::request_all() const noexcept {
  alignas(NLMSG_ALIGNTO) std::array<char, 64> buffer{};
  nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = RTM_GETLINK;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
  return ::send(descriptor(), message, message->nlmsg_len, 0) >= 0;
}

InterfaceNames::Read InterfaceNames::read_one() {
  alignas(NLMSG_ALIGNTO) std::array<std::uint8_t, kDatagramBytes> buffer;  // NOLINT(*-member-init): filled by recv
  const ssize_t size = ::recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size >= 0) {
    apply({buffer.data(), static_cast<std::size_t>(size)});
    return Read::datagram;
  }
  if (errno == EINTR) return Read::datagram;
  return errno == ENOBUFS ? Read::overrun : Read::nothing;
}

void InterfaceNames::update() {
  if (!socket_.valid()) return;
  while (true) {
    switch (read_one()) {
      case Read::datagram: break;
      case Read::nothing: return;
      case Read::overrun:  // news was lost: what is gone stays in the table until its index is used again
        if (!request_all()) return;
        break;
    }
  }
}

void InterfaceNames::apply(std::span<const std::uint8_t> datagram) {
  int left = static_cast<int>(datagram.size());
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data()); mnl_nlmsg_ok(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) continue;
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) continue;
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    if (link->ifi_family != AF_UNSPEC) continue;  // a bridge's news of its port
    const auto index = static_cast<std::uint32_t>(link->ifi_index);
    forget_recent();
    if (message->nlmsg_type == RTM_DELLINK) {
      keep_for_its_last_packets(index);
      continue;
    }
    Name name{};
    mnl_attr_parse(message, sizeof(ifinfomsg), read_name, &name);
    if (name.size != 0) names_[index] = name;
  }
}

// News of an interface is faster than its last packets, which the kernel holds back for as long as latency_ms says.
void InterfaceNames::keep_for_its_last_packets(std::uint32_t index) {
  const auto found = names_.find(index);
  if (found == names_.end()) return;
  found->second.gone = ++departures_;
  gone_.push_back({.index = index, .departure = departures_});
  if (gone_.size() <= kMostGone) return;
  const Gone oldest = gone_.front();
  gone_.pop_front();
  const auto old = names_.find(oldest.index);
  if (old != names_.end() && old->second.gone == oldest.departure) names_.erase(old);  // else it came back
}

InterfaceNames::Name* InterfaceNames::look_up(std::uint32_t index) noexcept {
  const auto found = names_.find(index);
  return found == names_.end() ? nullptr : &found->second;
}

InterfaceNames::Name* InterfaceNames::find(std::uint32_t index) {
  Recent& recent = recent_[index % kRecent];
  if (recent.name != nullptr && recent.index == index) return recent.name;
  Name* name = look_up(index);
  if (name == nullptr) {
    update();
    name = look_up(index);
  }
  if (name != nullptr) recent_[index % kRecent] = {.index = index, .name = name};
  return name;
}

void InterfaceNames::forget_recent() noexcept { std::fill(std::begin(recent_), std::end(recent_), Recent{}); }

}  // namespace nfbus::host
