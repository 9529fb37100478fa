#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
#include "plugins/hearing.hpp"
#include "plugins/instance.hpp"
#include "plugins/options.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace nfbus::host {

struct SinkInstance::State {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : plugin(from),
        name(std::move(instance_name)),
        calls(host_copy(*from.entry->sink)),
        services("sink." + name, name, shared) {
    report.struct_size = sizeof report;
    report.context = this;
    report.rejected = reject;
  }

  // Constant after creation.
  const Plugin plugin;
  const std::string name;
  const nfbus_sink calls;
  InstanceServices services;
  void* instance = nullptr;

  // Owned by the thread that is in a call; calls never overlap.
  nfbus_error error{};
  nfbus_report report{};               // here and not on the stack: a plugin that keeps it past the call does no harm
  const WriteCall* written = nullptr;  // null outside of write()
  bool complained = false;

  void complain_once(std::string_view of) noexcept {
    if (std::exchange(complained, true)) return;
    services.log(log::Level::warning, of);
  }

  static void reject(void* context, uint32_t index, nfbus_text reason) noexcept {
    State& state = *static_cast<State*>(context);
    try {
      if (state.written == nullptr) {
        state.complain_once("the plugin rejected an event outside of write(): ignored");
        return;
      }
      const WriteCall& call = *state.written;
      if (index >= call.outcomes.size()) {
        state.complain_once(fmt::format("the plugin rejected event {} of {}: ignored", index, call.outcomes.size()));
        return;
      }
      if (std::exchange(call.outcomes[index], Outcome::rejected) == Outcome::rejected) {
        state.complain_once(fmt::format("the plugin rejected event {} twice: counted once", index));
        return;
      }
      const std::string_view why = plugin_view(reason);
      if (!why.empty()) call.reason(index, clean_text(why));
    } catch (const std::exception& thrown) {
      state.complain_once(fmt::format("why an event was rejected is not said: {}", thrown.what()));
    }
  }

  template <typename Call>
  Result<void> call(std::string_view function, const Call& run) {
    const std::uint32_t status = call_plugin(error, run);
    services.call_ended();
    return outcome(status, error, function, Code::io);
  }

  using OptionalFunction = uint32_t (*)(void* instance, nfbus_error* error);
  Result<void> call_optional(std::string_view function_name, OptionalFunction function) {
    if (function == nullptr) return {};
    return call(function_name, [&] { return function(instance, &error); });
  }

  // For functions that cannot fail, but for an exception.
  void call_last(std::string_view function_name, void (*function)(void* instance)) noexcept {
    const std::uint32_t status = call_plugin(error, [&] {
      function(instance);
      return NFBUS_OK;
    });
    if (status == NFBUS_OK) return;
    services.log(log::Level::error, failure_text(status, error, function_name));
  }
};

SinkInstance::SinkInstance(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<SinkInstance>> SinkInstance::create(const Plugin& plugin, std::string name,
                                                           std::string_view options_json,
                                                           const SharedServices& shared) {
  if (plugin.entry->plugin_kind != NFBUS_PLUGIN_SINK) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("plugin \"{}\" is a filter, not a sink", view(plugin.entry->name))};
  }
  auto state = std::make_unique<State>(plugin, std::move(name), shared);
  auto instance = create_instance(state->calls.create, *state->services.abi(), options_json);
  if (!instance) return instance.error();
  state->instance = *instance;
  return std::unique_ptr<SinkInstance>(new SinkInstance(std::move(state)));
}

SinkInstance::~SinkInstance() { state_->call_last("destroy", state_->calls.destroy); }

Result<nfbus_shape> SinkInstance::open() {
  State& s = *state_;
  nfbus_shape shape = s.plugin.entry->shape;
  auto opened = s.call("open", [&] { return s.calls.open(s.instance, &shape, &s.error); });
  if (!opened) return opened.error();
  if (shape.tick_ms != 0 && s.calls.tick == nullptr) {
    s.complain_once("the plugin asks for ticks but has no tick(): it gets none");
    shape.tick_ms = 0;
  }
  return shape;
}

WriteResult SinkInstance::write(const WriteCall& call) {
  State& s = *state_;
  const auto count = static_cast<std::uint32_t>(call.items.size());
  s.written = &call;
  s.report.done = 0;
  s.report.retry_after_ms = 0;
  const nfbus_events events = {
      .struct_size = sizeof(nfbus_events), .count = count, .items = call.items.data(), .size_bytes = call.size_bytes};
  const Hearing hearing(call.items);
  bool returned = false;
  const std::uint32_t status = call_plugin(s.error, [&] {
    const std::uint32_t answer = s.calls.write(s.instance, &events, &s.report, &s.error);
    returned = true;
    return answer;
  });
  s.written = nullptr;
  WriteResult result{.status = WriteResult::Status::ok, .retry_after_ms = 0, .error = {}};
  if (status != NFBUS_OK) {
    result.error = failure_text(status, s.error, "write");
    result.status = WriteResult::Status::fatal;
    if (!returned) {
      result.status = WriteResult::Status::failed;
    } else if (status == NFBUS_RETRY) {
      if (s.report.done > count) {
        s.complain_once(
            fmt::format("the plugin said {} of {} events are done: cut to {}", s.report.done, count, count));
      }
      for (Outcome& outcome : call.outcomes.first(std::min(s.report.done, count))) {
        if (outcome == Outcome::unnamed) outcome = Outcome::delivered;
      }
      result.status = WriteResult::Status::again;
      result.retry_after_ms = s.report.retry_after_ms;
    }
  }
  s.services.call_ended();
  return result;
}

Result<void> SinkInstance::reopen() { return state_->call_optional("reopen", state_->calls.reopen); }
Result<void> SinkInstance::flush() { return state_->call_optional("flush", state_->calls.flush); }
Result<void> SinkInstance::tick() { return state_->call_optional("tick", state_->calls.tick); }
void SinkInstance::close() noexcept { state_->call_last("close", state_->calls.close); }

const Plugin& SinkInstance::plugin() const noexcept { return state_->plugin; }
const std::string& SinkInstance::name() const noexcept { return state_->name; }
std::string_view SinkInstance::plugin_name() const noexcept { return view(state_->plugin.entry->name); }
OwnCounters SinkInstance::counters() const { return state_->services.counters(); }
InstanceServices& SinkInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
