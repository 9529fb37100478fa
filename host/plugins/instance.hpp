// Instances of plugins, as the host holds them: typed calls, each behind a barrier, each error in our vocabulary.
#pragma once

#include "event/batch.hpp"
#include "formats/format.hpp"
#include "formats/renderer.hpp"
#include "match/known_fields.hpp"
#include "plugins/registry.hpp"
#include "rewrite/edits.hpp"
#include "support/log.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// What all instances of a host share. Outlives them.
struct SharedServices {
  const FormatSet& formats;
  // [any] Publishes a message of a plugin; false when its topic is refused.
  std::function<bool(std::string_view topic, std::string_view text, const MessageOrigin& origin)> publish;
  // What matches may ask for; an instance keeps those of its creation. [control]
  KnownFields fields = {};
};

// Counters that a plugin registered, with their values.
using OwnCounters = std::vector<std::pair<std::string, std::uint64_t>>;

// What stands behind one instance's nfbus_host. Thread safety: as the functions of nfbus_host say.
class InstanceServices {
 public:
  // kind_and_name: "sink.archive", for the log.
  InstanceServices(std::string kind_and_name, std::string_view instance_name, const SharedServices& shared);
  InstanceServices(const InstanceServices&) = delete;
  InstanceServices& operator=(const InstanceServices&) = delete;
  ~InstanceServices();

  [[nodiscard]] const nfbus_host* abi() const noexcept;
  // [worker] A call into the instance has returned: texts that it was given end here. The instances below do it.
  void call_ended() noexcept;
  [[nodiscard]] OwnCounters counters() const;  // [any]
  // [any] A line in the host's log, after "sink.archive: ".
  void log(log::Level level, std::string_view line) const noexcept;
  // [any] Event copies that the plugin holds.
  [[nodiscard]] std::uint64_t copies_held() const noexcept;
  // [any] What nfbus_host.wake does, from any thread; empty: nothing any more. Waits for a call of the one before.
  void set_waker(std::function<void()> waker);
  // [control] Whether listen() is answered: for a filter, while it is created.
  void allow_listening(bool allowed) noexcept;
  // [control] The topics that the instance listens to; empty: none.
  [[nodiscard]] const std::vector<std::string>& listened() const noexcept;
  // [any] Matches that the plugin holds.
  [[nodiscard]] std::uint64_t matches_held() const noexcept;

 private:
  friend struct ServiceFunctions;
  struct State;
  std::unique_ptr<State> state_;
};

// The outcome of one write() to a sink.
struct WriteResult {
  enum class Status : std::uint8_t { ok = 1, retry = 2, fatal = 3 };
  Status status;
  std::uint32_t done;            // with retry: events that do not come again
  std::uint32_t retry_after_ms;  // with retry: a hint; 0: none
  std::string error;             // with retry and fatal: what the sink said
};

// A sink instance: created by create(), destroyed by its destructor. Threads as in nfbus_sink. Nothing that a plugin
// throws comes through: it is an error like those that the plugin returns, with Code::invalid from create() and
// Code::io from the others, and from write() Status::fatal, as an unknown status is. What a plugin says beyond the ABI
// (an event rejected twice, an index out of range, more done than given) is ignored, or cut, and logged once per
// instance.
class SinkInstance {
 public:
  // [control] name: the instance's. options_json: checked, with defaults.
  static Result<std::unique_ptr<SinkInstance>> create(const Plugin& plugin, std::string name,
                                                      std::string_view options_json, const SharedServices& shared);
  SinkInstance(const SinkInstance&) = delete;
  SinkInstance& operator=(const SinkInstance&) = delete;
  ~SinkInstance();  // [control] destroys; close() must have been called if open() had succeeded

  // The shape is the entry's as the sink changed it; fields that it left open are 0. Once; after a failure: destroy.
  Result<nfbus_shape> open();
  // Costs nothing per event by itself. rejected: called for each event that the sink rejects, at most once an event,
  // indices below items.size() only.
  WriteResult write(std::span<const nfbus_event* const> items, std::uint64_t size_bytes,
                    const std::function<void(std::uint32_t index, std::string_view reason)>& rejected);
  Result<void> reopen();
  Result<void> flush();
  Result<void> tick();
  void close() noexcept;

  [[nodiscard]] const Plugin& plugin() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] InstanceServices& services() noexcept;

 private:
  struct State;
  explicit SinkInstance(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A filter instance. Threads as in nfbus_filter.
class FilterInstance {
 public:
  // [control] As SinkInstance::create().
  static Result<std::unique_ptr<FilterInstance>> create(const Plugin& plugin, std::string name,
                                                        std::string_view options_json, const SharedServices& shared);
  FilterInstance(const FilterInstance&) = delete;
  FilterInstance& operator=(const FilterInstance&) = delete;
  ~FilterInstance();

  // [control] Before the first of the calls below.
  Result<void> open();
  // verdicts.size() == items.size(); preset to NFBUS_KEEP by this call. On error (an exception is one) all are
  // NFBUS_KEEP. What the plugin changes lies in `room`, and stands in `items` in the place of what it was; changes made
  // before an error stay.
  Result<void> apply(std::span<const nfbus_event*> items, std::span<std::uint8_t> verdicts, EditRoom& room);
  // Nothing happens to a filter without reopen().
  Result<void> reopen();
  // messages: at least one, all of kind message. Only when listened() is not empty.
  Result<void> hear(std::span<const nfbus_event* const> messages, std::uint64_t size_bytes);
  // Only when tick_ms() is not 0.
  Result<void> tick();
  // Once, after the last event. Nothing happens to a filter without finish().
  Result<void> finish();

  [[nodiscard]] bool finishes() const noexcept;
  // Whether it has a tick() at all.
  [[nodiscard]] bool ticks() const noexcept;
  // How often tick() wants to be called; 0: only when it asks for that. After open().
  [[nodiscard]] std::uint32_t tick_ms() const noexcept;
  // NFBUS_EVENT_*, ORed: what apply() takes.
  [[nodiscard]] std::uint32_t event_kinds() const noexcept;
  // The topics that it listens to, as prefixes; empty: none.
  [[nodiscard]] const std::vector<std::string>& listened() const noexcept;
  [[nodiscard]] const Plugin& plugin() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] InstanceServices& services() noexcept;

 private:
  struct State;
  explicit FilterInstance(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nfbus::host
