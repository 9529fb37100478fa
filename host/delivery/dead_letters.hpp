// A file of the events that a sink rejected, with the reason: nothing that was captured vanishes without a trace.
#pragma once

#include "formats/renderer.hpp"

#include <nfbus/abi.h>
#include <nfbus/util/output_place.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {

// Lines of JSON: {"Time","Sink","Reason","Topic","Event"}, in which Event is as the `packet` format has it. At half of
// its bytes the file becomes FILE.1, and replaces what was that. A file that cannot be written to is said once, and
// tried again with each event. Thread safety: owned by the sink's thread; written() from any.
class DeadLetters {
 public:
  // formats outlive this. sink: its name. Opens nothing yet.
  DeadLetters(std::string file, std::uint64_t max_bytes, const FormatSet& formats, std::string sink);

  // Once before the host gives up its rights, so that the file can be made; and again to open it anew (SIGHUP).
  void open();
  // Keeps a line of it until flush().
  void add(const nfbus_event& event, std::string_view reason);
  void flush();

  // [any] Lines that are in the file.
  [[nodiscard]] std::uint64_t written() const noexcept { return written_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] bool is_open();
  void rotate();
  void say(const std::string& trouble);

  const std::string file_;
  const std::uint64_t most_bytes_;  // of one file
  const std::string sink_;
  Renderer renderer_;
  std::string lines_;
  std::uint64_t line_count_ = 0;
  util::OutputPlace place_;
  util::Descriptor fd_;
  std::uint64_t size_bytes_ = 0;
  bool in_trouble_ = false;
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace nfbus::host
