#include "archive.hpp"

#include "../../lib/output.hpp"

#include <nfbus/util/output_lock.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>

namespace pcapsink {
namespace {

using nfbus::util::OutputPlace;

// What waits for the compressor; the others are handed to it later.
constexpr std::size_t kMaxJobs = 16;
constexpr std::chrono::milliseconds kPatience{2000};

constexpr int kMaxAttempts = 100;  // for a name that nobody took

std::string part_of(const OwnFile& file) { return file.name + file.ending + std::string(kUnfinished); }

}  // namespace

nfbus::Result<Archive::OwnFiles> Archive::survey() {
  compressor_.reset();
  current_ = {};
  complete_.clear();
  complete_bytes_ = 0;
  uncompressed_ = 0;
  jobs_ = 0;
  nfbus::Result<nfbus::util::OutputFolder> folder = nfbus::util::find_output_folder(names_.folder());
  if (!folder.ok()) return std::move(folder).error();
  folder_ = std::move(folder).value();
  nfbus::Result<OwnFiles> found = names_.list(folder_);
  if (!found.ok()) return found;
  for (const OwnFile& file : *found) {
    next_number_ = std::max(next_number_, file.number + 1);
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
  nfbus::Result<File::Opened> opened = go_on(file, encoding, found);
  if (opened.ok() && !is_ours_) take_over(std::move(found), encoding);
  is_ours_ = opened.ok();  // if not, whoever writes to it may have finished it when we come again
  if (!is_ours_) folder_ = {};
  if (!opened.ok() && opened.error().code == nfbus::Code::busy) {
    return nfbus::Error{nfbus::Code::busy, "cannot open " + names_.pattern() + ": " + file.holder() +
                                               " writes to files of that name; each sink needs names of its own"};
  }
  return opened;
}

nfbus::Result<File::Opened> Archive::go_on(File& file, const Encoding& encoding, OwnFiles& found) {
  for (std::size_t at = found.size(); at-- > 0;) {
    OwnFile& last = found[at];
    if (!last.is_part()) continue;
    const std::string path = names_.path(part_of(last));
    nfbus::Result<File::Opened> opened = file.open(place_of(part_of(last)), path, encoding, File::Foreign::left);
    if (!opened.ok()) return opened;
    if (!opened->foreign) {
      current_ = last;
      return opened;
    }
    // Of another configuration: it is complete as it is.
    if (const int error = give_name(last, completed(last)); error != 0) {
      return output::cannot_change("rename " + path, folder_, error);
    }
  }
  return begin_next(file, encoding, current_);
}

OutputPlace Archive::place_of(std::string name) const {
  return {.folder = folder_, .name = std::move(name), .by_link = false, .by_proc = false};
}

nfbus::Result<File::Opened> Archive::begin_next(File& file, const Encoding& encoding, OwnFile& own) {
  OwnFile next;
  next.unfinished = true;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    next.number = next_number_ + static_cast<std::uint64_t>(attempt);
    next.name = names_.make(next.number, std::time(nullptr));
    struct stat found {};
    if (folder_.stat_entry(part_of(next), found) != 0) break;  // else a link or a folder is in the way
  }
  nfbus::Result<File::Opened> opened =
      file.open(place_of(part_of(next)), names_.path(part_of(next)), encoding, File::Foreign::set_aside);
  if (!opened.ok()) return opened;
  next_number_ = next.number + 1;
  own = std::move(next);
  return opened;
}

void Archive::take_over(OwnFiles files, const Encoding& encoding) {
  std::unordered_set<std::string> raw_forms;
  for (const OwnFile& file : files) {
    if (file.ending.empty() && !file.unfinished) raw_forms.insert(file.name);
  }
  for (OwnFile& file : files) {
    if (file.is_part()) {
      if (file.name == current_.name) continue;
      if (!finish_leftover(file, encoding)) continue;  // left by several crashes
    } else if (file.unfinished) {
      (void)folder_.remove(part_of(file));
      continue;
    } else if (!file.ending.empty() && file.ending == ending_of(compression_) && raw_forms.contains(file.name)) {
      continue;  // nobody knows whether it is whole: it is made again
    }
    add(file);
  }
}

bool Archive::finish_leftover(OwnFile& leftover, const Encoding& encoding) {
  const std::string name = part_of(leftover);
  File file;
  const nfbus::Result<File::Opened> opened =
      file.open(place_of(name), names_.path(name), encoding, File::Foreign::left);
  if (!opened.ok()) return false;  // somebody writes to it
  if (file.is_open() && opened->packets == 0) {
    (void)folder_.remove(name);
    return false;
  }
  if (give_name(leftover, completed(leftover)) != 0) return false;
  if (file.is_open()) leftover.size_bytes = file.size_bytes();
  return true;
}

OwnFile Archive::completed(const OwnFile& file) {
  OwnFile named = file;
  named.unfinished = false;
  struct stat part {};
  struct stat other {};
  (void)folder_.stat_entry(part_of(file), part);
  for (int attempt = 0; attempt < kMaxAttempts && folder_.stat_entry(named.name, other) == 0; ++attempt) {
    if (nfbus::util::same_file(part, other)) break;  // linked by a call that came no further
    named.number = next_number_++;
    named.name = names_.make(named.number, std::time(nullptr));
  }
  return named;
}

int Archive::give_name(OwnFile& file, OwnFile named) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const int error = folder_.rename_to_new(part_of(file), named.name);
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

nfbus::Result<void> Archive::look_for_folder() {
  nfbus::Result<nfbus::util::OutputFolder> found = nfbus::util::find_output_folder(names_.folder());
  if (!found.ok()) return std::move(found).error();
  if (!nfbus::util::same_file(found->status(), folder_.status())) {
    return nfbus::Error{nfbus::Code::not_found, names_.folder() + " is another folder now"};
  }
  folder_ = std::move(found).value();
  return {};
}

nfbus::Result<void> Archive::rotate(File& file, const Encoding& encoding) {
  const nfbus::util::OutputFolder before = folder_;
  nfbus::Result<void> rotated = look_for_folder();
  if (!rotated.ok()) {
    rotated = nfbus::Error{rotated.error().code, "cannot rotate " + file.path() + ": " + rotated.error().text};
  } else {
    rotated = finish_and_begin(file, encoding);
  }
  if (!rotated.ok()) folder_ = before;  // a file system that became read-only is not kept from being unmounted
  return rotated;
}

nfbus::Result<void> Archive::finish_and_begin(File& file, const Encoding& encoding) {
  File next;
  OwnFile own;
  const std::string what = "rotate " + file.path();
  OwnFile named = completed(current_);  // has the lower number
  if (nfbus::Result<File::Opened> begun = begin_next(next, encoding, own); !begun.ok()) {
    return nfbus::Error{begun.error().code, "cannot " + what + ": " + begun.error().text};
  }
  if (const int error = give_name(current_, std::move(named)); error != 0) {
    (void)folder_.remove(part_of(own));
    next_number_ = own.number;
    return output::cannot_change(what, folder_, error);
  }
  const std::uint64_t size_bytes = file.size_bytes();
  file.close();
  file = std::move(next);
  complete(size_bytes);
  current_ = std::move(own);
  return {};
}

nfbus::Result<void> Archive::finish(File& file, std::uint64_t packets) {
  if (packets == 0) {
    if (const int error = folder_.remove(part_of(current_)); error != 0 && error != ENOENT) {
      return output::cannot_change("remove " + file.path(), folder_, error);
    }
    file.close();
    current_ = {};
    return {};
  }
  if (const int error = give_name(current_, completed(current_)); error != 0) {
    return output::cannot_change("rotate " + file.path(), folder_, error);
  }
  const std::uint64_t size_bytes = file.size_bytes();
  file.close();
  complete(size_bytes);
  return {};
}

void Archive::complete(std::uint64_t size_bytes) {
  current_.size_bytes = size_bytes;
  add(std::exchange(current_, {}));
  prune(0);
  collect();
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
    if (folder_.stat_entry(file.name + file.ending, found) != ENOENT) return false;
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
  const std::string name = file.name + file.ending;
  const nfbus::util::Opening opened = folder_.open(name, O_RDONLY);
  if (opened.fd.valid() && nfbus::util::is_held(opened.fd.get())) {
    warning_.met("cannot remove " + names_.path(name) + ": " + nfbus::util::holder_of(opened.fd.get()) +
                 " writes to it; each sink needs names of its own");
    return false;
  }
  if (const int error = folder_.remove(name); error != 0 && error != ENOENT) {
    warning_.met(output::cannot_change("remove " + names_.path(name), folder_, error).text);
    return false;
  }
  if (is_uncompressed) {
    --uncompressed_;
    // It may have got this name a moment ago.
    (void)folder_.remove(file.name + std::string(ending_of(compression_)));
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
      compressor_->submit(file.number, folder_, file.name);
    } catch (const std::system_error& error) {
      return hold_compression("cannot compress " + names_.path(file.name) + ": no thread: " + error.code().message());
    }
    file.submitted = true;
    ++jobs_;
  }
}

void Archive::hold_compression(const std::string& reason) {
  warning_.met(reason + "; it stays as it is until that works");
  compresses_from_ = std::chrono::steady_clock::now() + compression_backoff_;
  compression_backoff_ = std::min(compression_backoff_ * 2, kLongestBackoff);
}

void Archive::close() {
  if (compressor_) compressor_->stop(kPatience);
  compressor_.reset();
}

}  // namespace pcapsink
