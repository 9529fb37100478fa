#include "archive.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
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

// Whether it was compressed, too. files: in the order of their numbers.
bool has_whole_form(const std::vector<OwnFile>& files, const OwnFile& file) {
  const auto less = [](const OwnFile& a, const OwnFile& b) { return a.number < b.number; };
  const auto [begin, end] = std::equal_range(files.begin(), files.end(), file, less);
  return std::any_of(begin, end, [&](const OwnFile& other) {
    return other.name == file.name && !other.ending.empty() && !other.unfinished;
  });
}

}  // namespace

// Looks for what is there.
nfbus::Result<void> Archive::survey(const Encoding& encoding) {
  nfbus::Result<std::vector<OwnFile>> found = names_.list();
  if (!found.ok()) return found.error();
  compressor_.reset();
  current_ = {};
  complete_.clear();
  complete_bytes_ = 0;
  uncompressed_ = 0;
  jobs_ = 0;
  const auto is_part = [](const OwnFile& file) { return file.unfinished && file.ending.empty(); };
  const auto last_part = std::find_if(found->rbegin(), found->rend(), is_part);
  for (OwnFile& file : *found) {
    next_number_ = std::max(next_number_, file.number + 1);
    if (last_part != found->rend() && &file == &*last_part) {
      current_ = file;  // it goes on
    } else if (is_part(file)) {
      // Left by several crashes.
      if (finish_leftover(file, encoding)) add(file);
    } else if (file.unfinished) {
      unlink(names_.path(file.name + file.ending + std::string(kUnfinished)).c_str());
    } else if (file.ending.empty() && has_whole_form(*found, file)) {
      unlink(names_.path(file.name).c_str());
    } else {
      add(file);
    }
  }
  is_surveyed_ = true;
  return {};
}

bool Archive::finish_leftover(OwnFile& leftover, const Encoding& encoding) {
  const std::string path = names_.path(leftover.name + std::string(kUnfinished));
  File file;
  const nfbus::Result<File::Opened> opened = file.open(path, encoding, File::Foreign::left);
  if (!opened.ok()) return false;  // somebody writes to it
  if (file.is_open() && opened->packets == 0) {
    unlink(path.c_str());
    return false;
  }
  if (rename_to_new(path, names_.path(leftover.name)) != 0) return false;
  if (file.is_open()) leftover.size_bytes = file.size_bytes();
  leftover.unfinished = false;
  return true;
}

nfbus::Result<File::Opened> Archive::open(File& file, const Encoding& encoding) {
  if (!is_surveyed_) {
    if (nfbus::Result<void> surveyed = survey(encoding); !surveyed.ok()) return std::move(surveyed).error();
  }
  if (current_.number == 0) return begin_next(file, encoding);
  const std::string path = names_.path(current_.name + std::string(kUnfinished));
  nfbus::Result<File::Opened> opened = file.open(path, encoding, File::Foreign::left);
  if (opened.ok() && !opened->foreign) return opened;
  is_surveyed_ = false;  // whoever writes to it may have finished it when we come again
  if (!opened.ok()) return opened;
  // Of another configuration: it is complete as it is.
  if (const int error = rename_to_new(path, names_.path(current_.name)); error != 0) {
    return failed("rename", path, error);
  }
  return open(file, encoding);
}

nfbus::Result<File::Opened> Archive::begin_next(File& file, const Encoding& encoding) {
  OwnFile next;
  next.number = next_number_;
  next.name = names_.make(next_number_, std::time(nullptr));
  next.unfinished = true;
  nfbus::Result<File::Opened> opened =
      file.open(names_.path(next.name + std::string(kUnfinished)), encoding, File::Foreign::set_aside);
  if (!opened.ok()) {
    is_surveyed_ = false;
    return opened;
  }
  ++next_number_;
  current_ = std::move(next);
  return opened;
}

nfbus::Result<void> Archive::finish(File& file, std::uint64_t packets) {
  const std::string path = names_.path(current_.name);
  if (packets == 0) {
    if (unlink(file.path().c_str()) != 0 && errno != ENOENT) return failed("remove", file.path(), errno);
    file.close();
    current_ = {};
    return {};
  }
  if (const int error = rename_to_new(file.path(), path); error != 0) return failed("rotate", file.path(), error);
  current_.unfinished = false;
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
  const auto too_many = [&] {
    return (limits_.files != 0 && complete_.size() > limits_.files) ||
           (limits_.total_bytes != 0 && complete_bytes_ + current_bytes > limits_.total_bytes);
  };
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

bool Archive::remove(OwnFile& file) {
  const bool is_uncompressed = compression_ != Compression::none && file.ending.empty();
  if (is_uncompressed && compressor_ && compressor_->forget(file.number)) {
    --jobs_;
    file.submitted = false;
  }
  const std::string path = names_.path(file.name + file.ending);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    complain(failed("remove", path, errno).text);
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
  if (compression_ == Compression::none) return;
  if (compressor_) {
    for (const Compressor::Done& done : compressor_->collect()) {
      --jobs_;
      const auto file = std::find_if(complete_.begin(), complete_.end(),
                                     [&](const OwnFile& one) { return one.number == done.number; });
      if (!done.error.empty()) {
        complain(done.error + "; it stays as it is until the next start");
      } else if (file != complete_.end()) {
        complete_bytes_ -= file->size_bytes;
        complete_bytes_ += done.size_bytes;
        file->size_bytes = done.size_bytes;
        file->ending = ending_of(compression_);
        --uncompressed_;
      }
    }
  }
  for (OwnFile& file : complete_) {
    if (uncompressed_ == 0 || jobs_ >= kMaxJobs) break;
    if (!file.ending.empty() || file.submitted) continue;
    if (!compressor_) compressor_ = std::make_unique<Compressor>(compression_);
    file.submitted = true;
    ++jobs_;
    compressor_->submit(file.number, names_.path(file.name));
  }
}

void Archive::close() {
  if (compressor_) compressor_->stop(kPatience);
  compressor_.reset();
}

void Archive::complain(const std::string& text) {
  if (text == complaint_) return;
  complaint_ = text;
  host_.warning(text);
}

}  // namespace pcapsink
