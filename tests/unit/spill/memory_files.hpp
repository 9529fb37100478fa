// A file system in memory: quick, and one whose power can fail and whose calls can fail.
#pragma once

#include "delivery/spill/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host::spill {

// One folder, whatever its path. Keeps apart what was forced to the disk. Not for several threads.
class MemoryFiles final : public Files {
 public:
  using Bytes = std::vector<std::uint8_t>;
  static constexpr std::size_t kPage = 4096;

  // What goes wrong. Each counts down where it is a number of calls.
  struct Faults {
    std::optional<std::uint64_t> room;         // bytes that may still be added to files; then ENOSPC
    std::optional<std::size_t> longest_write;  // a write takes no more
    int failing_writes = 0;                    // so many fail with EIO, half written
    int failing_truncates = 0;
    int failing_syncs = 0;    // of files
    bool reads_fail = false;  // of segments' records: behind their first page
    int short_of_files = 0;   // so many open() fail with EMFILE
  };
  Faults faults;

  int open_folder(const std::string& /*path*/, bool /*make*/) override { return add_handle(nullptr); }
  int open(int /*folder*/, const std::string& name, Open how) override {
    if (faults.short_of_files > 0) {
      --faults.short_of_files;
      return fail(EMFILE);
    }
    const auto found = names_.find(name);
    if (found == names_.end()) {
      if (how == Open::change || how == Open::look) return fail(ENOENT);
      names_[name] = std::make_shared<Inode>();
      return add_handle(names_[name]);
    }
    return how == Open::make ? fail(EEXIST) : add_handle(found->second);
  }
  void close(int file) override {
    const auto inode = handles_[file];
    handles_.erase(file);
    if (inode && inode->locked_by == file) inode->locked_by = -1;
  }
  int lock(int file) override {
    Inode& inode = *handles_.at(file);
    if (inode.locked_by >= 0) return fail(EWOULDBLOCK);
    inode.locked_by = file;
    return 0;
  }
  void unlock(int file) override { handles_.at(file)->locked_by = -1; }
  int status(int file, Status& out) override {
    out = {.bytes = handles_.at(file)->now.size(), .changed_ns = 1};
    return 0;
  }
  ssize_t pread(int file, void* to, std::size_t size, std::uint64_t offset) override {
    const Bytes& bytes = handles_.at(file)->now;
    if (faults.reads_fail && size > kPage) return fail(EIO);
    if (offset >= bytes.size()) return 0;
    const std::size_t some = std::min(size, bytes.size() - static_cast<std::size_t>(offset));
    std::memcpy(to, bytes.data() + offset, some);
    return static_cast<ssize_t>(some);
  }
  ssize_t pwrite(int file, const void* from, std::size_t size, std::uint64_t offset) override {
    ++writes;
    Inode& inode = *handles_.at(file);
    std::size_t some = std::min(size, faults.longest_write.value_or(size));
    const bool fails = faults.failing_writes > 0;
    if (fails) {
      --faults.failing_writes;
      some /= 2;
    }
    const std::uint64_t grows = offset + some > inode.now.size() ? offset + some - inode.now.size() : 0;
    if (faults.room && grows > *faults.room) {
      some -= static_cast<std::size_t>(std::min<std::uint64_t>(some, grows - *faults.room));
      *faults.room = 0;
      if (some == 0) return fail(ENOSPC);
    } else if (faults.room) {
      *faults.room -= grows;
    }
    if (offset + some > inode.now.size()) inode.now.resize(static_cast<std::size_t>(offset) + some);
    if (some != 0) std::memcpy(inode.now.data() + offset, from, some);
    for (std::size_t page = offset / kPage; page * kPage < offset + some; ++page) inode.dirty.insert(page);
    return fails ? fail(EIO) : static_cast<ssize_t>(some);
  }
  int truncate(int file, std::uint64_t size) override {
    if (faults.failing_truncates > 0) {
      --faults.failing_truncates;
      return fail(EIO);
    }
    Inode& inode = *handles_.at(file);
    if (faults.room && inode.now.size() > size) *faults.room += inode.now.size() - size;
    inode.now.resize(static_cast<std::size_t>(size));
    return 0;
  }
  int fdatasync(int file) override {
    ++syncs;
    Inode& inode = *handles_.at(file);
    if (faults.failing_syncs > 0) {
      --faults.failing_syncs;
      inode.dirty.clear();  // as the kernel does: the next call would say yes
      return fail(EIO);
    }
    for (const std::size_t page : inode.dirty) copy_page(inode, page, inode.now.size());
    inode.durable.resize(inode.now.size());
    inode.dirty.clear();
    return 0;
  }
  int fsync_folder(int /*folder*/) override {
    durable_names_ = names_;
    return 0;
  }
  int rename(int /*folder*/, const std::string& from, const std::string& to) override {
    names_[to] = names_.at(from);
    names_.erase(from);
    return 0;
  }
  int unlink(int /*folder*/, const std::string& name) override {
    if (names_.erase(name) == 0) return fail(ENOENT);
    return 0;
  }
  int list(int /*folder*/, std::vector<std::string>& names) override {
    names.clear();
    for (const auto& [name, inode] : names_) names.push_back(name);
    return 0;
  }
  int free_bytes(int /*folder*/, std::uint64_t& bytes) override {
    bytes = faults.room.value_or(std::uint64_t{1} << 50U);
    return 0;
  }

  // What is there after the power failed: of what was not forced to the disk any page may be there or not, and any
  // name.
  void lose_power(std::mt19937_64& random) {
    const auto coin = [&] { return random() % 2 == 0; };
    std::map<std::string, std::shared_ptr<Inode>> left;
    std::set<std::string> all;
    for (const auto& [name, inode] : names_) all.insert(name);
    for (const auto& [name, inode] : durable_names_) all.insert(name);
    std::set<const Inode*> settled;
    for (const std::string& name : all) {
      const auto now = names_.find(name);
      const auto durable = durable_names_.find(name);
      const bool same = now != names_.end() && durable != durable_names_.end() && now->second == durable->second;
      const auto& from = same || coin() ? names_ : durable_names_;
      const auto kept = from.find(name);
      if (kept == from.end()) continue;
      Inode& inode = *kept->second;
      if (settled.insert(&inode).second) lose_pages(inode, coin);
      left[name] = kept->second;
    }
    // What both names of a rename miss would be a file that the disk forgot: it keeps one of them.
    for (const auto& [name, inode] : durable_names_) {
      const auto same_file = [&file = inode](const auto& now) { return now.second == file; };
      const bool renamed = std::ranges::any_of(names_, same_file);
      const bool there = std::ranges::any_of(left, same_file);
      if (renamed && !there) left[name] = inode;
    }
    names_ = durable_names_ = left;
    for (auto& [name, inode] : names_) inode->locked_by = -1;
  }

  // The store that uses it must be gone.
  [[nodiscard]] Bytes& content(const std::string& name) { return names_.at(name)->now; }
  [[nodiscard]] bool has(const std::string& name) const { return names_.contains(name); }
  void remove(const std::string& name) { names_.erase(name); }
  [[nodiscard]] std::vector<std::string> named(const std::string& prefix) const {
    std::vector<std::string> out;
    for (const auto& [name, inode] : names_) {
      if (name.starts_with(prefix)) out.push_back(name);
    }
    return out;
  }
  // The same files again, as a killed process leaves them: nobody holds them.
  [[nodiscard]] std::unique_ptr<MemoryFiles> copy() const {
    auto out = std::make_unique<MemoryFiles>();
    std::map<const Inode*, std::shared_ptr<Inode>> copies;
    const auto copy_all = [&](const auto& from, auto& to) {
      for (const auto& [name, inode] : from) {
        auto& made = copies[inode.get()];
        if (!made) made = std::make_shared<Inode>(*inode);
        made->locked_by = -1;
        to[name] = made;
      }
    };
    copy_all(names_, out->names_);
    copy_all(durable_names_, out->durable_names_);
    return out;
  }

  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;

 private:
  struct Inode {
    Bytes now;
    Bytes durable;
    std::set<std::size_t> dirty;  // pages
    int locked_by = -1;
  };

  static int fail(int number) {
    errno = number;
    return -1;
  }
  int add_handle(std::shared_ptr<Inode> inode) {
    handles_[next_] = std::move(inode);
    return next_++;
  }
  static void copy_page(Inode& inode, std::size_t page, std::size_t size) {
    const std::size_t from = page * kPage;
    const std::size_t to = std::min({from + kPage, size, inode.now.size()});
    if (from >= to) return;
    if (inode.durable.size() < to) inode.durable.resize(to);
    std::copy(inode.now.begin() + static_cast<std::ptrdiff_t>(from),
              inode.now.begin() + static_cast<std::ptrdiff_t>(to),
              inode.durable.begin() + static_cast<std::ptrdiff_t>(from));
  }
  template <typename Coin>
  static void lose_pages(Inode& inode, const Coin& coin) {
    const std::size_t size = coin() ? inode.now.size() : std::min(inode.now.size(), inode.durable.size());
    for (const std::size_t page : inode.dirty) {
      if (coin()) copy_page(inode, page, size);
    }
    inode.durable.resize(size);
    inode.now = inode.durable;
    inode.dirty.clear();
  }

  std::map<std::string, std::shared_ptr<Inode>> names_;
  std::map<std::string, std::shared_ptr<Inode>> durable_names_;
  std::map<int, std::shared_ptr<Inode>> handles_;
  int next_ = 100;
};

}  // namespace nfbus::host::spill
