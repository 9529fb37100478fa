// From datagrams to published batches: what the kernel's groups and a replayed file have in common.
#pragma once

#include "capture/interface_names.hpp"
#include "capture/messages.hpp"
#include "capture/sequence.hpp"
#include "capture/source.hpp"
#include "capture/topic_cache.hpp"
#include "support/mutex.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Counts what one take() saw besides the packets that it published.
struct ReadResult {
  std::size_t packets = 0;
  std::size_t broken = 0;   // datagrams with an unreadable end
  std::size_t answers = 0;  // of the kernel to configuration messages
  int last_answer = 0;      // 0: done; else -errno
};

// What a file tells of a record, whatever that says itself.
struct Beside {
  std::int64_t time_ns = 0;
  std::string_view interface_name = {};  // that it came in by, else left by; empty: none is known
};

// One row of counters: written by the capture thread alone, read by any.
class Counter {
 public:
  void add(std::uint64_t amount) noexcept {
    // No read-modify-write: there is one writer.
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Thread safety: snapshots() and gaps() from any thread, all else on the capture thread.
class Intake {
 public:
  enum class Losses : std::uint8_t {
    counted = 1,  // gaps in the sequence numbers are packets that we lost
    ignored = 2,  // a file's gaps are packets that somebody left out
  };

  // What becomes of the packets of groups that the configuration does not name.
  enum class Undeclared : std::uint8_t {
    allowed = 1,
    blocked,  // but group 0, which is allowed; said once for each
  };

  // publish: one of the two of `context`. names: null where this machine's interfaces mean nothing; else outlives the
  // intake.
  Intake(std::vector<CaptureSpec> captures, const SourceContext& context, Publish publish, Losses losses,
         InterfaceNames* names, Undeclared undeclared = Undeclared::allowed);

  // A slab with room for `room_bytes`, to be filled from writer().room() and committed before take().
  const SlabRef& reserve(std::size_t room_bytes) { return writer_.reserve(room_bytes); }
  SlabWriter& writer() noexcept { return writer_; }

  // Publishes the packets of `datagrams`, which lie in `slab`, in one or more batches. now_ns: the time of receipt.
  // beside: empty, or one for each packet, whose names live until this returns.
  ReadResult take(const SlabRef& slab, std::span<const Datagram> datagrams, std::int64_t now_ns,
                  std::span<const Beside> beside = {});
  void count_overrun(std::uint16_t group);
  // For filters, also when no packet comes: how long tick_filters() can wait, at most `most_ms` (-1: without end).
  [[nodiscard]] int wait_ms(int most_ms) const noexcept;
  // Ticks the filters that are due.
  void tick_filters() noexcept;
  // The filters that these groups had say their last words, and are what `filters` has afterwards.
  void replace_filters(FiltersOfGroups& filters) noexcept;
  // No packet will come any more: every filter is told.
  void finish() noexcept;
  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const;
  // [any] How many gaps there were in a group's sequence numbers.
  [[nodiscard]] std::uint64_t gaps(std::uint16_t group) const;

 private:
  struct Group {
    explicit Group(CaptureSpec capture) : spec(std::move(capture)) {}
    CaptureSpec spec;
    SequenceTracker sequence;
    std::uint32_t lost_before = 0;      // not yet told to an event, since none was forwarded
    std::vector<std::uint8_t> forward;  // by topic id: 0 not judged yet, else a Forward
    Counter received, lost, published, not_forwarded, filtered, decode_errors, gaps, overruns;
  };
  // The capture thread's view, which alone adds groups, with the mutex held.
  [[nodiscard]] const std::vector<std::unique_ptr<Group>>& own_groups() const noexcept NFBUS_OWNERS_VIEW {
    return groups_;
  }
  Group& group_of_number(std::uint16_t number);
  // Fills records_ with the next packets of one group, which become one batch; null at the end.
  Group* next_run(MessageCursor& cursor);
  void publish_run(Group& group, const SlabRef& slab, std::int64_t now_ns, std::span<const Beside> beside);
  void apply_filters(Group& group, Batch& batch);
  void find_ticking();
  static bool forwarded(Group& group, const Topic& topic, std::string_view prefix);
  std::uint32_t count_gap(Group& group, const Event& event);
  void set_names(Event& event, Batch& batch);
  [[gnu::cold, gnu::noinline]] void set_port_names(Event& event, Batch& batch);
  nfbus_ports& add_ports(Event& event, Batch& batch);
  void set_name_of_file(Event& event, std::string_view name, Batch& batch);
  const char* copy_to(Batch& batch, std::string_view name);
  nfbus_text name_in_batch(std::uint32_t index, Batch& batch);

  BatchPool& batches_;
  const Publish publish_;
  const Losses losses_;
  InterfaceNames* const names_;
  const Undeclared undeclared_;
  SlabWriter writer_;
  TopicCache topics_;
  std::uint64_t batch_serial_ = 0;
  // The last name of a file, and its copy in the batch that is being made.
  std::string_view file_name_;
  std::uint64_t file_name_copied_for_ = 0;
  nfbus_text file_name_copy_{};
  Group* last_group_ = nullptr;
  std::vector<CaptureFilters*> ticking_;  // filters that want ticks
  std::vector<Record> records_;           // of the batch being made
  Record pending_;                        // the first of the run after it; data() is null: none
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Group>> groups_ NFBUS_GUARDED_BY(mutex_);
};

}  // namespace nfbus::host
