// The one capability that the host keeps while it starts, for the one call that needs it.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace nfbus::util {

// Raises CAP_DAC_OVERRIDE for the calling thread from its permitted to its effective set, and lowers it again. Where it
// is not permitted, as always once the host runs, this does nothing. [any] Changes no errno.
class DacOverride {
 public:
  DacOverride() noexcept {
    const int error = errno;
    if (read() && (low_.permitted & kBit) != 0 && (low_.effective & kBit) == 0) {
      low_.effective |= kBit;
      raised_ = write();
    }
    errno = error;
  }
  DacOverride(const DacOverride&) = delete;
  DacOverride& operator=(const DacOverride&) = delete;
  ~DacOverride() {
    if (!raised_) return;
    const int error = errno;
    low_.effective &= ~kBit;
    (void)write();
    errno = error;
  }

  [[nodiscard]] bool raised() const noexcept { return raised_; }

 private:
  static constexpr unsigned kBit = 1U << CAP_DAC_OVERRIDE;

  // The system calls themselves: a plugin needs no library for them.
  bool read() noexcept {
    if (syscall(SYS_capget, &header_, sets_.data()) != 0) return false;
    low_ = sets_[0];
    return true;
  }
  bool write() noexcept {
    sets_[0] = low_;
    return syscall(SYS_capset, &header_, sets_.data()) == 0;
  }

  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets_{};
  __user_cap_data_struct low_{};
  bool raised_ = false;
};

}  // namespace nfbus::util
