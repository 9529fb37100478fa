// The system calls that a store makes, so that tests can have them fail. Each is as the call of its name: -1 and errno.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host::spill {

enum class Open : std::uint8_t {
  make = 1,  // it must not be there
  take,      // made where it is missing
  change,    // read and written
  look,      // read alone; another user's, too
};

// A file must be plain and have one name (else errno is EMLINK or EINVAL), and belong to this user (EPERM) unless it is
// only looked at: nothing is reached through a link. Thread safety: distinct files, and whatever the calls themselves
// allow; every function is called from several threads.
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  virtual ~Files() = default;

  struct Status {
    std::uint64_t bytes = 0;
    std::int64_t changed_ns = 0;
  };

  // make: it and those above it, with mode 0700, where they are missing; it must be this user's then (EPERM).
  [[nodiscard]] virtual int open_folder(const std::string& path, bool make) = 0;
  [[nodiscard]] virtual int open(int folder, const std::string& name, Open how) = 0;
  virtual void close(int file) = 0;
  [[nodiscard]] virtual int lock(int file) = 0;  // exclusive; never waits
  virtual void unlock(int file) = 0;             // also where a forked child has the file, too
  [[nodiscard]] virtual int status(int file, Status& out) = 0;
  [[nodiscard]] virtual ssize_t pread(int file, void* to, std::size_t size, std::uint64_t offset) = 0;
  [[nodiscard]] virtual ssize_t pwrite(int file, const void* from, std::size_t size, std::uint64_t offset) = 0;
  [[nodiscard]] virtual int truncate(int file, std::uint64_t size) = 0;
  [[nodiscard]] virtual int fdatasync(int file) = 0;
  [[nodiscard]] virtual int fsync_folder(int folder) = 0;
  [[nodiscard]] virtual int rename(int folder, const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual int unlink(int folder, const std::string& name) = 0;
  [[nodiscard]] virtual int list(int folder, std::vector<std::string>& names) = 0;
  [[nodiscard]] virtual int free_bytes(int folder, std::uint64_t& bytes) = 0;  // for this user
};

class RealFiles final : public Files {
 public:
  int open_folder(const std::string& path, bool make) override;
  int open(int folder, const std::string& name, Open how) override;
  void close(int file) override;
  int lock(int file) override;
  void unlock(int file) override;
  int status(int file, Status& out) override;
  ssize_t pread(int file, void* to, std::size_t size, std::uint64_t offset) override;
  ssize_t pwrite(int file, const void* from, std::size_t size, std::uint64_t offset) override;
  int truncate(int file, std::uint64_t size) override;
  int fdatasync(int file) override;
  int fsync_folder(int folder) override;
  int rename(int folder, const std::string& from, const std::string& to) override;
  int unlink(int folder, const std::string& name) override;
  int list(int folder, std::vector<std::string>& names) override;
  int free_bytes(int folder, std::uint64_t& bytes) override;
};

// An open file (or folder) of `files`, closed by its destructor. Thread safety: none.
class Handle {
 public:
  Handle() noexcept = default;
  Handle(Files& files, int number) noexcept : files_(&files), number_(number) {}
  Handle(Handle&& other) noexcept : files_(other.files_), number_(other.number_) { other.number_ = -1; }
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      close();
      files_ = other.files_;
      number_ = other.number_;
      other.number_ = -1;
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] bool valid() const noexcept { return number_ >= 0; }
  void close() noexcept {
    if (number_ >= 0) files_->close(number_);
    number_ = -1;
  }

 private:
  Files* files_ = nullptr;
  int number_ = -1;
};

// [any] Reads `size` bytes, fewer only at the end of the file; continues short reads and those that a signal cut. -1:
// errno.
[[nodiscard]] ssize_t read_all(Files& files, int file, void* to, std::size_t size, std::uint64_t offset);
// [any] Writes all of it, or returns -1 with errno: some of it may be written then.
[[nodiscard]] int write_all(Files& files, int file, const void* from, std::size_t size, std::uint64_t offset);

}  // namespace nfbus::host::spill
