// Compressing finished files, on a thread of its own.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/output_folder.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pcapsink {

enum class Compression : std::uint8_t { none = 1, gzip, zstd };

// ".gz" (RFC 1952), ".zst" (RFC 8878); empty for none.
[[nodiscard]] std::string_view ending_of(Compression compression) noexcept;

// Owns one thread, from the first file on, of low priority. A file is compressed under a temporary name, which is
// renamed when it is whole, and then the file itself is removed: whenever the process dies, one of both is complete.
class Compressor {
 public:
  struct Done {
    std::uint64_t number;      // as given to submit()
    std::uint64_t size_bytes;  // of the compressed file
    std::string error;         // not empty: it failed, and the file is as it was
  };

  explicit Compressor(Compression compression) : compression_(compression) {}
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  // Gives up at once.
  ~Compressor() { stop({}); }

  // [worker] The owner says of each file which number it has. As many may wait as there are files. Throws
  // std::system_error when there is no thread to be had; then the file was not taken.
  void submit(std::uint64_t number, nfbus::util::OutputFolder folder, std::string name);
  // [worker] A file is not wanted any more. True: it will not be collected, and gets no compressed form any more.
  bool forget(std::uint64_t number);
  // [worker] What ended since the last call.
  std::vector<Done> collect();
  // [worker] Waits so long for what was submitted, then gives up the rest. Temporary files are removed.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Job {
    std::uint64_t number;
    nfbus::util::OutputFolder folder;
    std::string name;
  };

  void run();
  Done compress(const Job& job);
  [[nodiscard]] bool unwanted();
  bool rename_if_wanted(const Job& job, const std::string& from, const std::string& to);

  const Compression compression_;
  std::thread thread_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the first is being compressed
  std::vector<Done> done_;
  bool first_is_unwanted_ = false;
  bool stopping_ = false;
};

}  // namespace pcapsink
