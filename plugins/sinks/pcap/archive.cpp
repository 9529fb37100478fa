#include "archive.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace pcapsink {
namespace {

// What waits for the compressor; the others are handed to it later.
constexpr std::size_t kMaxJobs = 16;
constexpr std::chrono::milliseconds kPatience{2000};

nfbus::Error failed(const std::string& what, const std::string& path, int error) {
  return {nfbus::Code::io, "cannot " + what + ' ' + path + ": " + output::reason(error) + "; let uid " +
                               std::to_string(geteuid()) + " write to its folder"};
}

std::string part_of(const OwnFile& file) { return file.name + file.ending + std::string(kUnfinished); }

}  // namespace

nfbus::Result<Archive::OwnFiles> Archive::survey() {
  compressor_.reset();
  current_ = {};
  complete_.clear();
  complete_bytes_ = 0;
  uncompressed_ = 0;
  jobs_ = 0;
  nfbus::Result<OwnFiles> found = names_.list();
  if (!found.ok()) return found;
  for (const OwnFile& file : *found) {
    next_number_ = std::max(next_number_, file.number + 1);
    if (file.is_part()) current_ = file;  // the last one goes on
  }
  return found;
}

nfbus::Result<File::Opened> Archive::open(File& file, const Encoding& encoding) {
  OwnFiles found;
  if (!is_ours_) {
    nfbus::Result<OwnFiles> surveyed = survey();
    if (!surveyed.ok()) return std::move(surveyed).error();
    found = std::move(surveyed).value();
  }
  const std::string path = names_.path(part_of(current_));
  nfbus::Result<File::Opened> opened =
      current_.number == 0 ? begin_next(file, encoding) : file.open(path, encoding, File::Foreign::left);
  if (opened.ok() && opened->foreign) {
    // Of another configuration: it is complete as it is.
    if (const int error = give_name(current_); error != 0) return failed("rename", path, error);
    return open(file, encoding);
  }
  if (opened.ok() && !is_ours_) take_over(std::move(found), encoding);
  is_ours_ = opened.ok();  // if not, whoever writes to it may have finished it when we come again
  if (!opened.ok() && opened.error().code == nfbus::Code::busy) {
    return nfbus::Error{nfbus::Code::busy,
                        "cannot open " + names_.pattern() + ": another sink or program writes to files of that name"};
  }
  return opened;
}

nfbus::Result<File::Opened> Archive::begin_next(File& file, const Encoding& encoding) {
  OwnFile next;
  next.number = next_number_;
  next.name = names_.make(next_number_, std::time(nullptr));
  next.unfinished = true;
  nfbus::Result<File::Opened> opened = file.open(names_.path(part_of(next)), encoding, File::Foreign::set_aside);
  if (!opened.ok()) return opened;
  ++next_number_;
  current_ = std::move(next);
  return opened;
}

void Archive::take_over(OwnFiles files, const Encoding& encoding) {
  const auto has_raw_form = [&](const OwnFile& file) {
    return std::any_of(files.begin(), files.end(), [&](const OwnFile& other) {
      return other.name == file.name && other.ending.empty() && !other.unfinished;
    });
  };
  for (OwnFile& file : files) {
    if (file.is_part()) {
      if (file.name == current_.name) continue;
      if (!finish_leftover(file, encoding)) continue;  // left by several crashes
    } else if (file.unfinished) {
      unlink(names_.path(part_of(file)).c_str());
      continue;
    } else if (!file.ending.empty() && file.ending == ending_of(compression_) && has_raw_form(file)) {
      continue;  // nobody knows whether it is whole: it is made again
    }
    add(file);
  }
}

bool Archive::finish_leftover(OwnFile& leftover, const Encoding& encoding) {
  const std::string path = names_.path(part_of(leftover));
  File file;
  const nfbus::Result<File::Opened> opened = file.open(path, encoding, File::Foreign::left);
  if (!opened.ok()) return false;  // somebody writes to it
  if (file.is_open() && opened->packets == 0) {
    unlink(path.c_str());
    return false;
  }
  if (give_name(leftover) != 0) return false;
  if (file.is_open()) leftover.size_bytes = file.size_bytes();
  return true;
}

int Archive::give_name(OwnFile& file) {
  constexpr int kMaxAttempts = 100;
  const std::string from = names_.path(part_of(file));
  OwnFile named = file;
  named.unfinished = false;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const int error = rename_to_new(from, names_.path(named.name));
    if (error == 0) {
      if (named.number != file.number) host_.info(names_.path(file.name) + " was there: it is " + named.name + " now");
      file = std::move(named);
      return 0;
    }
    if (error != EEXIST) return error;
    named.number = next_number_++;
    named.name = names_.make(named.number, std::time(nullptr));
  }
  return EEXIST;
}

nfbus::Result<void> Archive::finish(File& file, std::uint64_t packets) {
  if (packets == 0) {
    if (unlink(file.path().c_str()) != 0 && errno != ENOENT) return failed("remove", file.path(), errno);
    file.close();
    current_ = {};
    return {};
  }
  if (const int error = give_name(current_); error != 0) return failed("rotate", file.path(), error);
  current_.size_bytes = file.size_bytes();
  file.close();
  add(std::exchange(current_, {}));
  prune(0);
  collect();
  return {};
}

void Archive::add(OwnFile file) {
  complete_bytes_ += file.size_bytes;
  if (compression_ != Compression::none && file.ending.empty()) ++uncompressed_;
  complete_.push_back(std::move(file));
}

void Archive::prune(std::uint64_t current_bytes) {
  if (!is_ours_) return;
  const auto too_many = [&] {
    return (limits_.files != 0 && complete_.size() > limits_.files) ||
           (limits_.total_bytes != 0 && complete_bytes_ + current_bytes > limits_.total_bytes);
  };
  if (too_many()) drop_the_gone();
  for (auto file = complete_.begin(); file != complete_.end() && too_many();) {
    if (file->stuck || !remove(*file)) {
      file->stuck = true;
      ++file;
      continue;
    }
    complete_bytes_ -= file->size_bytes;
    file = complete_.erase(file);
  }
}

void Archive::drop_the_gone() {
  std::erase_if(complete_, [&](const OwnFile& file) {
    const bool is_uncompressed = compression_ != Compression::none && file.ending.empty();
    if (is_uncompressed && file.submitted) return false;  // the compressor takes it away
    struct stat found {};
    if (lstat(names_.path(file.name + file.ending).c_str(), &found) == 0 || errno != ENOENT) return false;
    complete_bytes_ -= file.size_bytes;
    if (is_uncompressed) --uncompressed_;
    return true;
  });
}

bool Archive::remove(OwnFile& file) {
  const bool is_uncompressed = compression_ != Compression::none && file.ending.empty();
  if (is_uncompressed && compressor_ && compressor_->forget(file.number)) {
    --jobs_;
    file.submitted = false;
  }
  const std::string path = names_.path(file.name + file.ending);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    trouble_.met(failed("remove", path, errno).text);
    return false;
  }
  if (is_uncompressed) {
    --uncompressed_;
    // It may have got this name a moment ago.
    unlink(names_.path(file.name + std::string(ending_of(compression_))).c_str());
  }
  return true;
}

void Archive::look_after(std::uint64_t current_bytes) {
  collect();
  for (OwnFile& file : complete_) file.stuck = false;
  prune(current_bytes);
}

void Archive::collect() {
  if (compression_ == Compression::none || !is_ours_) return;
  if (compressor_) {
    for (const Compressor::Done& done : compressor_->collect()) {
      --jobs_;
      const auto file = std::find_if(complete_.begin(), complete_.end(),
                                     [&](const OwnFile& one) { return one.number == done.number && one.submitted; });
      if (file == complete_.end()) continue;
      if (!done.error.empty()) {
        file->submitted = false;
        hold_compression(done.error);
        continue;
      }
      complete_bytes_ -= file->size_bytes;
      complete_bytes_ += done.size_bytes;
      file->size_bytes = done.size_bytes;
      file->ending = ending_of(compression_);
      --uncompressed_;
      compression_backoff_ = kFirstBackoff;
    }
  }
  submit();
}

void Archive::submit() {
  if (uncompressed_ == 0 || std::chrono::steady_clock::now() < compresses_from_) return;
  for (OwnFile& file : complete_) {
    if (jobs_ >= kMaxJobs) break;
    if (!file.ending.empty() || file.submitted) continue;
    if (!compressor_) compressor_ = std::make_unique<Compressor>(compression_);
    try {
      compressor_->submit(file.number, names_.path(file.name));
    } catch (const std::system_error& error) {
      return hold_compression("cannot compress " + names_.path(file.name) + ": no thread: " + error.code().message());
    }
    file.submitted = true;
    ++jobs_;
  }
}

void Archive::hold_compression(const std::string& reason) {
  trouble_.met(reason + "; it stays as it is until that works");
  compresses_from_ = std::chrono::steady_clock::now() + compression_backoff_;
  compression_backoff_ = std::min(compression_backoff_ * 2, kLongestBackoff);
}

void Archive::close() {
  if (compressor_) compressor_->stop(kPatience);
  compressor_.reset();
}

}  // namespace pcapsink
