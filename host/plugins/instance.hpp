// Instances of plugins, as the host holds them: typed calls, each behind a barrier, each error in our vocabulary.
#pragma once

#include "delivery/sink.hpp"
#include "event/batch.hpp"
#include "formats/format.hpp"
#include "formats/renderer.hpp"
#include "match/known_fields.hpp"
#include "plugins/diagnosis.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/registry.hpp"
#include "rewrite/edits.hpp"
#include "support/call_clock.hpp"
#include "support/log.hpp"

#include <nfbus/abi.h>
#include <nfbus/captures.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Holds what all instances of a host share. Outlives them.
struct SharedServices {
  const FormatSet& formats;
  // [any] Publishes a message of a plugin; false when its topic is refused.
  std::function<bool(std::string_view topic, std::string_view text, const MessageOrigin& origin)> publish;
  // What matches may ask for; an instance keeps those of its creation. [control]
  KnownFields fields = {};
  PrivilegedParts* parts = nullptr;          // null: none run here
  RunningCalls* calls = nullptr;             // null: nobody asks which calls last; else it outlives all but this struct
  const nfbus_captures* captures = nullptr;  // the extension of that name; null: there is none here
};

// Answers one instance's nfbus_host. Thread safety: as the functions of nfbus_host say.
class InstanceServices {
 public:
  // kind_and_name: "sink.archive", for the log.
  InstanceServices(std::string kind_and_name, std::string_view instance_name, const SharedServices& shared);
  InstanceServices(const InstanceServices&) = delete;
  InstanceServices& operator=(const InstanceServices&) = delete;
  ~InstanceServices();

  // [control] The instance is gone, or was never made. From now on a call from a thread that the plugin did not end is
  // ignored, and a warning names the instance; what nfbus_host points to stays until the process ends. Once; the
  // destructor does it otherwise.
  void end() noexcept;
  // [any] Note the calls into the instance. Those to a source's run() and stop() have clocks of their own, since other
  // calls come meanwhile.
  [[nodiscard]] CallClock& clock() noexcept;
  [[nodiscard]] CallClock& run_clock() noexcept;
  [[nodiscard]] CallClock& stop_clock() noexcept;

  [[nodiscard]] const nfbus_host* abi() const noexcept;
  // [worker] A call into the instance has returned: texts that it was given end here. The instances below do it.
  void call_ended() noexcept;
  [[nodiscard]] OwnCounters counters() const;  // [any]
  // [any] A line in the host's log, after "sink.archive: ".
  void log(log::Level level, std::string_view line) const noexcept;
  // [any] Event copies that the plugin holds.
  [[nodiscard]] std::uint64_t copies_held() const noexcept;
  // [any] Sets what nfbus_host.wake does, from any thread; empty: nothing any more. Waits for a call of the one before.
  void set_waker(std::function<void()> waker);
  // [control] Returns whether listen() is answered: for a filter, while it is created.
  void allow_listening(bool allowed) noexcept;
  // [control] The topics that the instance listens to; empty: none.
  [[nodiscard]] const std::vector<std::string>& listened() const noexcept;
  // [control] Gives the instance's privileged part, if its plugin has one, the options that it goes by for good.
  // Errors: it refuses them, or goes by others already.
  Result<void> open_privileged_part(const nfbus_plugin& plugin, std::string_view options_json);
  // [any] Matches that the plugin holds.
  [[nodiscard]] std::uint64_t matches_held() const noexcept;

 private:
  friend struct ServiceFunctions;
  struct State;
  std::shared_ptr<State> state_;
};

// A sink instance: created by create(), destroyed by its destructor. Threads as in nfbus_sink. Nothing that a plugin
// throws comes through: it is an error like those that the plugin returns, with Code::invalid from create() and
// Code::io from the others, and from write() Status::failed; an unknown status is fatal. What a plugin says beyond the
// ABI (an index out of range, an unknown outcome, a word after the call) is ignored, and logged once per instance.
class SinkInstance final : public Sink {
 public:
  // [control] name: the instance's. options_json: checked, with defaults.
  static Result<std::unique_ptr<SinkInstance>> create(const Plugin& plugin, std::string name,
                                                      std::string_view options_json, const SharedServices& shared);
  ~SinkInstance() override;

  [[nodiscard]] const std::string& name() const noexcept override;
  [[nodiscard]] std::string_view plugin_name() const noexcept override;
  Result<nfbus_shape> open() override;
  // Costs nothing per event by itself.
  WriteResult write(const WriteCall& call) override;
  Result<void> reopen() override;
  [[nodiscard]] bool flushes() const noexcept override;
  Result<void> flush() override;
  Result<void> tick() override;
  void close() noexcept override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] OwnCounters counters() const override;
  [[nodiscard]] std::optional<RunningCall> running_call() const override;
  // [control] Before open(). Nothing is found by a sink without diagnose().
  [[nodiscard]] std::vector<Finding> diagnose();

  [[nodiscard]] InstanceServices& services() noexcept;

 private:
  struct State;
  explicit SinkInstance(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
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
  // [control] As SinkInstance::diagnose().
  [[nodiscard]] std::vector<Finding> diagnose();

  [[nodiscard]] bool finishes() const noexcept;
  // Returns whether it has a tick() at all.
  [[nodiscard]] bool ticks() const noexcept;
  // How often tick() wants to be called; 0: only when it asks for that. After open().
  [[nodiscard]] std::uint32_t tick_ms() const noexcept;
  // NFBUS_EVENT_*, ORed: what apply() takes.
  [[nodiscard]] std::uint32_t event_kinds() const noexcept;
  // The topics that it listens to, as prefixes; empty: none.
  [[nodiscard]] const std::vector<std::string>& listened() const noexcept;
  // [any] The call that it is in; nothing between calls.
  [[nodiscard]] std::optional<RunningCall> running_call() const;
  [[nodiscard]] const Plugin& plugin() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] InstanceServices& services() noexcept;

 private:
  struct State;
  explicit FilterInstance(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace nfbus::host
