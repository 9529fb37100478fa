// Walking the netlink messages of NFLOG datagrams: linux/netlink.h, linux/netfilter/nfnetlink_log.h.
#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <arpa/inet.h>

namespace nfbus::host {

using Datagram = std::span<const std::uint8_t>;
using Record = std::span<const std::uint8_t>;  // nfgenmsg and attributes, without the netlink header

inline constexpr std::uint16_t kPacketMessage = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;

// Returns whether a datagram of a group's socket holds packets, rather than an answer to a configuration message.
inline bool holds_packets(Datagram datagram) noexcept {
  nlmsghdr header{};
  if (datagram.size() < sizeof header) return false;
  std::memcpy(&header, datagram.data(), sizeof header);
  return header.nlmsg_type == kPacketMessage;
}

// A position in a row of datagrams; copies walk on their own. Bounds-checked: a message that claims more than its
// datagram holds ends that datagram. Thread safety: none.
class MessageCursor {
 public:
  explicit MessageCursor(std::span<const Datagram> datagrams) noexcept : datagrams_(datagrams) {}

  // The record of the next packet message; data() is null at the end.
  Record next() noexcept {
    while (index_ < datagrams_.size()) {
      const Datagram datagram = datagrams_[index_];
      if (datagram.size() - offset_ < sizeof(nlmsghdr)) {
        broken_ += datagram.size() != offset_;
        next_datagram();
        continue;
      }
      nlmsghdr header{};
      std::memcpy(&header, datagram.data() + offset_, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size() - offset_) {
        ++broken_;
        next_datagram();
        continue;
      }
      const Record body = datagram.subspan(offset_ + sizeof header, header.nlmsg_len - sizeof header);
      const std::size_t whole = (std::size_t{header.nlmsg_len} + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
      offset_ += whole < datagram.size() - offset_ ? whole : datagram.size() - offset_;
      if (header.nlmsg_type == kPacketMessage) return body;
      if (header.nlmsg_type == NLMSG_ERROR && body.size() >= sizeof(int)) {
        ++answers_;
        std::memcpy(&last_answer_, body.data(), sizeof last_answer_);
      }
    }
    return {};
  }

  // Datagrams whose end could not be read.
  [[nodiscard]] std::size_t broken() const noexcept { return broken_; }
  // The kernel's answers to configuration messages: how many, and the last (0: done; else -errno).
  [[nodiscard]] std::size_t answers() const noexcept { return answers_; }
  [[nodiscard]] int last_answer() const noexcept { return last_answer_; }

 private:
  void next_datagram() noexcept {
    ++index_;
    offset_ = 0;
  }

  std::span<const Datagram> datagrams_;
  std::size_t index_ = 0;
  std::size_t offset_ = 0;
  std::size_t broken_ = 0;
  std::size_t answers_ = 0;
  int last_answer_ = 0;
};

// The group that a record belongs to: nfgenmsg.res_id; `otherwise` for a record too short to say.
inline std::uint16_t group_of(Record record, std::uint16_t otherwise) noexcept {
  nfgenmsg header{};
  if (record.size() < sizeof header) return otherwise;
  std::memcpy(&header, record.data(), sizeof header);
  return ntohs(header.res_id);
}

}  // namespace nfbus::host
