// The socket's file: whose it is, who may open it, and that no two hosts share it.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

namespace nfbus::host {

// Whose a socket becomes; -1: stays.
struct SocketOwner {
  uid_t user = static_cast<uid_t>(-1);  // as far as that can be done; also of a folder that is made
  gid_t user_group = static_cast<gid_t>(-1);
  gid_t group = static_cast<gid_t>(-1);  // or it is an error
};

// A listening unix stream socket with mode 0660. Its destructor removes the file, if it still is this one's.
// Thread safety: none.
class Listener {
 public:
  // [control] With the rights that giving the file away takes: before privileges go. What a dead host left is replaced;
  // errors: busy (a live one serves it), refused, io, invalid (what is there is no socket). The folder is made when it
  // alone is missing.
  static Result<Listener> open(const std::string& path, const SocketOwner& owner);

  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  // Returns whether the file is still this one's.
  [[nodiscard]] bool is_in_place() const noexcept;
  // One more at the same path, once the file of this one is gone: as open(), with the rights that are left.
  [[nodiscard]] Result<Listener> again() const { return open(path_, owner_); }
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Listener(Descriptor socket, std::string path, const SocketOwner& owner, dev_t device, ino_t inode) noexcept
      : socket_(std::move(socket)), path_(std::move(path)), owner_(owner), device_(device), inode_(inode) {}

  Descriptor socket_;
  std::string path_;
  SocketOwner owner_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace nfbus::host
