// Speaks to nf_tables (linux/netfilter/nf_tables.h, nfnetlink.h): what is there, and batches that change it. Needs
// CAP_NET_ADMIN for all of it.
#pragma once

#include "message.hpp"

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nftrules {

// A socket. Thread safety: none. Its port owns the tables that it made with NFT_TABLE_F_OWNER: they end with it.
class Netlink {
 public:
  // Errors: refused: no CAP_NET_ADMIN in this network namespace.
  static nfbus::Result<Netlink> open();

  // Returns what NFT_MSG_GET* gives, without the answers' headers; `attributes` narrow it where the kernel can. A list
  // that others changed meanwhile is asked for anew.
  nfbus::Result<std::vector<Message>> dump(std::uint16_t type, std::uint8_t family, std::string_view attributes = {});
  // Counts every change that anybody commits in this network namespace.
  nfbus::Result<std::uint32_t> generation();

  // Does all of it or nothing. With `generation`, only if nobody has committed anything since: else Code::busy, plan
  // again. Other errors name the message that the kernel refused, with its reason; `refused` is its place in the batch.
  nfbus::Result<void> commit(std::span<const Message> batch, std::optional<std::uint32_t> generation,
                             std::optional<std::size_t>* refused = nullptr) {
    return send_batch(batch, generation, true, refused);
  }
  // Whether the kernel would do it; nothing is changed. Errors as commit().
  nfbus::Result<void> check(std::span<const Message> batch, std::optional<std::uint32_t> generation,
                            std::optional<std::size_t>* refused = nullptr) {
    return send_batch(batch, generation, false, refused);
  }

  // The kernel's name for this socket, as in NFTA_TABLE_OWNER.
  [[nodiscard]] std::uint32_t port() const noexcept { return port_; }

 private:
  Netlink(nfbus::util::Descriptor socket, std::uint32_t port) : socket_(std::move(socket)), port_(port) {}

  nfbus::Result<void> send(std::string_view bytes);
  nfbus::Result<void> send_batch(std::span<const Message> batch, std::optional<std::uint32_t> generation,
                                 bool is_commit, std::optional<std::size_t>* refused);
  nfbus::Result<void> widen(int option, std::size_t size_bytes);

  nfbus::util::Descriptor socket_;
  std::uint32_t port_ = 0;
  std::uint32_t sequence_ = 0;
};

// What changed since the last look, from the kernel's notifications.
class Monitor {
 public:
  struct Changes {
    bool rules = false;   // tables, chains or rules
    bool sets = false;    // sets or elements
    bool resync = false;  // some were lost (ENOBUFS): look at everything
  };

  static nfbus::Result<Monitor> open();
  // Reads all that waits, and never waits itself.
  Changes read();
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

 private:
  explicit Monitor(nfbus::util::Descriptor socket) : socket_(std::move(socket)) {}

  nfbus::util::Descriptor socket_;
};

}  // namespace nftrules
