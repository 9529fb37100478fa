// A sink's queue with a disk behind it: in memory what is new, on disk what is older and had no room.
#pragma once

#include "bus/memory_queue.hpp"
#include "delivery/sink_worker.hpp"
#include "delivery/spill/store.hpp"
#include "event/event.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

// The worker pulls from it: from disk, when there is something, else from memory. Owns the store. Thread safety: as
// EventQueue says; step() from the one thread that writes to disk; finish() from [control].
class SpillQueue final : public EventQueue {
 public:
  // memory serves it alone. name: "sink.archive", for the log.
  SpillQueue(std::shared_ptr<MemoryQueue> memory, std::unique_ptr<spill::Store> store, spill::Mode mode,
             std::string name);

  bool pull(std::vector<const QueueEntry*>& out, PullSize size, std::chrono::milliseconds age,
            Clock::time_point deadline) override;
  bool settle(const Settled& settled) override;
  void let_go() override;
  void interrupt() override;
  void fail() override;
  [[nodiscard]] QueueCounters counters() const override;

  // [control] Before others use it: has `wake` called, on any thread, when step() is due.
  void start(std::function<void()> wake);
  // [spiller] Writes what is due, and does what time asks for. Returns when it wants to be called next, at the latest.
  [[nodiscard]] Clock::time_point step();
  // [control] Once, before its end: writes all that the sink has not delivered, and closes the store. The sink's thread
  // has ended, or does not return from its plugin; nobody calls step() any more. What could not be written is `queued`
  // still.
  void finish();

  [[nodiscard]] SpillSnapshot spill() const;

 private:
  [[nodiscard]] bool read(std::vector<const QueueEntry*>& out, std::size_t most);
  [[nodiscard]] bool lease_records(std::vector<const QueueEntry*>& out) NFBUS_REQUIRES(reader_mutex_);
  [[nodiscard]] bool decode(const spill::Record& record, std::size_t slot) NFBUS_REQUIRES(reader_mutex_);
  [[nodiscard]] bool lease_run(std::size_t first, std::size_t end, std::vector<const QueueEntry*>& out)
      NFBUS_REQUIRES(reader_mutex_);
  void note_progress(const SpillProgress& progress, std::uint64_t read_end) NFBUS_REQUIRES(reader_mutex_);
  void end_reading() NFBUS_REQUIRES(reader_mutex_);
  void tick();
  // Whether all that was due is written.
  [[nodiscard]] bool write_due(Spilling::Amount amount);
  [[nodiscard]] bool write_lent();
  [[nodiscard]] bool write_taken();
  void encode_entries();
  // The next drafts from `first` on, as many as go into one segment; at least one.
  [[nodiscard]] std::span<const spill::Draft> portion(std::size_t first) const;
  [[nodiscard]] std::vector<QueueEntry> rest_of_entries(std::size_t written);
  void say_failure(const Error& error);
  void say_success();

  const std::shared_ptr<MemoryQueue> memory_owner_;
  MemoryQueue& memory_;
  const std::unique_ptr<spill::Store> store_;
  const spill::Mode mode_;
  const std::string name_;
  const std::uint64_t portion_bytes_;

  // The worker's side of the store; a worker that comes back from its plugin late finds it finished.
  Mutex reader_mutex_;
  bool finished_ NFBUS_GUARDED_BY(reader_mutex_) = false;
  std::vector<spill::Record> records_ NFBUS_GUARDED_BY(reader_mutex_);
  struct Decoded {
    Event event;
    std::vector<nfbus_field> fields;
    nfbus_ports ports;
  };
  std::vector<Decoded> decoded_ NFBUS_GUARDED_BY(reader_mutex_);
  std::vector<const Event*> run_ NFBUS_GUARDED_BY(reader_mutex_);
  bool progress_is_lost_ NFBUS_GUARDED_BY(reader_mutex_) = false;  // the last settle() of the store failed

  // Owned by the spiller.
  std::vector<QueueEntry> entries_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::pair<std::size_t, std::uint8_t>> ends_;  // of each event in bytes_, and its kind
  std::vector<spill::Draft> drafts_;
  Clock::time_point retry_at_{};
  bool failing_ = false;
};

}  // namespace nfbus::host
