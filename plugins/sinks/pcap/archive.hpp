// The files of a rotation: the one that is written, those that are complete, and which of them must go.
#pragma once

#include "../../lib/lasting_warning.hpp"
#include "compress.hpp"
#include "file.hpp"
#include "names.hpp"

#include <nfbus/host.hpp>
#include <nfbus/result.hpp>
#include <nfbus/util/output_folder.hpp>
#include <nfbus/util/output_place.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace pcapsink {

struct ArchiveLimits {
  std::uint64_t files = 0;        // complete ones that stay; 0: no limit
  std::uint64_t total_bytes = 0;  // of all files, the current one included; 0: no limit
};

// Knows its files by their names: others in the folder are never touched, and those neither while another sink holds
// the current file. Thread safety: none.
class Archive {
 public:
  Archive(nfbus::Host host, Names names, ArchiveLimits limits, Compression compression)
      : host_(host), names_(std::move(names)), limits_(limits), compression_(compression), warning_(host) {}

  // Opens the file that a crash left unfinished, or begins the next one; then finishes what else was left unfinished.
  nfbus::Result<File::Opened> open(File& file, const Encoding& encoding);
  // Begins the next file, gives the open one its finished name, and closes it; `file` is the next one then. On failure
  // the open file stays open and keeps its name, and there is no other.
  nfbus::Result<void> rotate(File& file, const Encoding& encoding);
  // Gives the open file its finished name, or removes it when it has no packets, and closes it. On failure it stays
  // open and keeps its name.
  nfbus::Result<void> finish(File& file, std::uint64_t packets);
  // The file was closed as it is: it was taken away or broken.
  void abandon() noexcept {
    is_ours_ = false;
    folder_ = {};
  }

  // Removes the oldest complete files while there are too many. One that cannot be removed counts, and is tried again
  // at the next look_after().
  void prune(std::uint64_t current_bytes);
  // From time to time: takes note of what was compressed, and prunes.
  void look_after(std::uint64_t current_bytes);
  // Waits a while for what is being compressed; the next start does the rest.
  void close();

 private:
  using OwnFiles = std::vector<OwnFile>;

  // Goes to the folder as the path leads now, if that is the same one. Failing that, changes nothing.
  nfbus::Result<void> look_for_folder();
  nfbus::Result<void> finish_and_begin(File& file, const Encoding& encoding);
  // What is there; changes nothing.
  nfbus::Result<OwnFiles> survey();
  // Opens the last part that is there, if it can be continued; those after it are complete then. Failing that, begins
  // the next file.
  nfbus::Result<File::Opened> go_on(File& file, const Encoding& encoding, OwnFiles& found);
  nfbus::Result<File::Opened> begin_next(File& file, const Encoding& encoding, OwnFile& own);
  // The current file is complete.
  void complete(std::uint64_t size_bytes);
  [[nodiscard]] nfbus::util::OutputPlace place_of(std::string name) const;
  // Once the current file is ours: so are the others.
  void take_over(OwnFiles files, const Encoding& encoding);
  // False: it is not there any more, or is being written by somebody.
  bool finish_leftover(OwnFile& leftover, const Encoding& encoding);
  // What an unfinished file is to be when it is complete: with a new number if somebody took its name.
  OwnFile completed(const OwnFile& file);
  // Makes it that, or a later one. errno; 0: done.
  int give_name(OwnFile& file, OwnFile named);
  void add(OwnFile file);
  void collect();
  void submit();
  // Compressing failed: it is tried again, later and later.
  void hold_compression(const std::string& reason);
  // What somebody removed, or compressed by hand, counts no more.
  void drop_the_gone();
  // False: it is still there.
  bool remove(OwnFile& file);

  static constexpr std::chrono::milliseconds kFirstBackoff{1'000};
  static constexpr std::chrono::milliseconds kLongestBackoff{64'000};

  const nfbus::Host host_;
  const Names names_;
  const ArchiveLimits limits_;
  const Compression compression_;
  nfbus::util::OutputFolder folder_;  // as the last survey() found it
  OwnFile current_;                   // number 0: none
  std::uint64_t next_number_ = 1;
  bool is_ours_ = false;          // the current file is, and the rest is as the folder is
  std::deque<OwnFile> complete_;  // oldest first
  std::uint64_t complete_bytes_ = 0;
  std::size_t uncompressed_ = 0;  // of complete_
  std::size_t jobs_ = 0;          // that the compressor has
  std::unique_ptr<Compressor> compressor_;
  std::chrono::milliseconds compression_backoff_ = kFirstBackoff;  // after the next failure
  std::chrono::steady_clock::time_point compresses_from_;
  output::LastingWarning warning_;
};

}  // namespace pcapsink
