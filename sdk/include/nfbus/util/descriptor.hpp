// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace nfbus::util {

// An open file descriptor, closed by its destructor. Thread safety: none.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  // Takes what open() and its like return: a negative number is no descriptor, and errno stays theirs.
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  // Gives what was held here to `other`.
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool valid() const noexcept { return number_ >= 0; }
  // Leaves it open, as the caller's.
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }
  void close() noexcept {
    if (valid()) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

}  // namespace nfbus::util
