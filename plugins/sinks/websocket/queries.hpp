// What HTTP asks the worker for: each a job, in pieces where it looks at many kept events.
#pragma once

#include "board.hpp"
#include "jobs.hpp"
#include "server/message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace websocket {

enum class ExportFormat : std::uint8_t { jsonl = 1, csv, pcap };

// All [any]; what they return runs on the worker, and calls `reply` once.
// The newest `most` rows before the event `before` (none: the end), with the numbers that are kept by then: [kept_from,
// end).
[[nodiscard]] Jobs::Job rows_query(Board& board, SharedMatch match, std::optional<std::uint64_t> before,
                                   std::size_t most, Reply reply);
[[nodiscard]] Jobs::Job event_query(Board& board, std::uint64_t number, Reply reply);
[[nodiscard]] Jobs::Job host_query(Board& board, std::string address, SharedMatch of_address, Reply reply);
[[nodiscard]] Jobs::Job preview_query(Board& board, std::string rule, Reply reply);
// How many rows there are between two events, without both: {"count":N,"kept_from":NUMBER}.
[[nodiscard]] Jobs::Job count_query(Board& board, SharedMatch match, std::uint64_t after, std::uint64_t before,
                                    Reply reply);
// How many came after the event `since`; told to the view as
// {"missed":N,"since":NUMBER,"matched":M}. M: how many it had counted by then.
[[nodiscard]] Jobs::Job missed_query(Board& board, SharedMatch match, std::uint64_t since, ViewId view);

// The parts of a download, one a call.
class Export {
 public:
  // [any]
  Export(Board& board, SharedMatch match, ExportFormat format)
      : board_(board), match_(std::move(match)), format_(format) {}
  // [worker] Returns whether the part is whole.
  bool make_part(Jobs::Clock::time_point until, const TakePart& take);

 private:
  void append(nfbus::Event event);

  Board& board_;
  const SharedMatch match_;
  const ExportFormat format_;
  std::uint64_t next_ = 0;  // 0: nothing is made yet
  std::uint64_t end_ = 0;
  std::string part_;
};

}  // namespace websocket
