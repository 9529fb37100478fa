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

struct FilterInstance::State {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : plugin(from),
        name(std::move(instance_name)),
        calls(host_copy(*from.entry->filter)),
        services("filter." + name, name, shared) {}

  // Constant after creation.
  const Plugin plugin;
  const std::string name;
  const nfbus_filter calls;
  InstanceServices services;
  void* instance = nullptr;

  // Owned by the thread that is in a call; calls never overlap.
  nfbus_error error{};
  nfbus_filter_call asked{};           // here and not on the stack: a plugin that keeps it past the call does no harm
  const Annotate* annotate = nullptr;  // null outside of apply()
  bool complained = false;

  template <typename Call>
  Result<void> call(std::string_view function, const Call& run) {
    const std::uint32_t status = call_plugin(error, run);
    services.call_ended();
    return outcome(status, error, function, Code::io);
  }

  static void add_field(void* context, uint32_t index, nfbus_text name, nfbus_text value) noexcept {
    State& state = *static_cast<State*>(context);
    try {
      const std::string_view field = plugin_view(name);
      if (state.annotate != nullptr && index < state.asked.count && !field.empty()) {
        (*state.annotate)(index, field, plugin_view(value));
      } else if (!std::exchange(state.complained, true)) {
        state.services.log(log::Level::warning,
                           "the plugin annotated an event that it was not given, or without a name: ignored");
      }
    } catch (const std::exception& thrown) {
      if (!std::exchange(state.complained, true)) state.services.log(log::Level::error, thrown.what());
    }
  }
};

FilterInstance::FilterInstance(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<FilterInstance>> FilterInstance::create(const Plugin& plugin, std::string name,
                                                               std::string_view options_json,
                                                               const SharedServices& shared) {
  if (plugin.entry->plugin_kind != NFBUS_PLUGIN_FILTER) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("plugin \"{}\" is a sink, not a filter", view(plugin.entry->name))};
  }
  auto state = std::make_unique<State>(plugin, std::move(name), shared);
  state->services.allow_listening(true);
  auto instance = create_instance(state->calls.create, *state->services.abi(), options_json);
  state->services.allow_listening(false);
  if (!instance) return instance.error();
  state->instance = *instance;
  std::unique_ptr<FilterInstance> made(new FilterInstance(std::move(state)));
  if (!made->listened().empty() && made->state_->calls.hear == nullptr) {
    return Error{.code = Code::invalid,
                 .text = "the plugin listens to messages, but its nfbus_filter has no hear(): set nfbus_filter.hear"};
  }
  return made;
}

FilterInstance::~FilterInstance() {
  State& s = *state_;
  const std::uint32_t status = call_plugin(s.error, [&] {
    s.calls.destroy(s.instance);
    return NFBUS_OK;
  });
  if (status != NFBUS_OK) s.services.log(log::Level::error, failure_text(status, s.error, "destroy"));
}

Result<void> FilterInstance::apply(std::span<const nfbus_event* const> items, std::span<std::uint8_t> verdicts,
                                   const Annotate& annotate) {
  State& s = *state_;
  std::ranges::fill(verdicts, static_cast<std::uint8_t>(NFBUS_KEEP));
  s.asked = {.struct_size = sizeof(nfbus_filter_call),
             .count = static_cast<std::uint32_t>(items.size()),
             .items = items.data(),
             .verdicts = verdicts.data(),
             .context = &s,
             .annotate = State::add_field};
  s.annotate = &annotate;
  const Hearing hearing(items);
  auto applied = s.call("apply", [&] { return s.calls.apply(s.instance, &s.asked, &s.error); });
  s.annotate = nullptr;
  if (!applied) std::ranges::fill(verdicts, static_cast<std::uint8_t>(NFBUS_KEEP));
  return applied;
}

Result<void> FilterInstance::hear(std::span<const nfbus_event* const> messages, std::uint64_t size_bytes) {
  State& s = *state_;
  const nfbus_events events = {.struct_size = sizeof(nfbus_events),
                               .count = static_cast<std::uint32_t>(messages.size()),
                               .items = messages.data(),
                               .size_bytes = size_bytes};
  const Hearing hearing(messages);
  return s.call("hear", [&] { return s.calls.hear(s.instance, &events, &s.error); });
}

Result<void> FilterInstance::tick() {
  State& s = *state_;
  return s.call("tick", [&] { return s.calls.tick(s.instance, &s.error); });
}

Result<void> FilterInstance::finish() {
  State& s = *state_;
  if (s.calls.finish == nullptr) return {};
  return s.call("finish", [&] { return s.calls.finish(s.instance, &s.error); });
}

bool FilterInstance::finishes() const noexcept { return state_->calls.finish != nullptr; }

std::uint32_t FilterInstance::tick_ms() const noexcept {
  return state_->calls.tick == nullptr ? 0 : state_->plugin.entry->shape.tick_ms;
}

std::uint32_t FilterInstance::event_kinds() const noexcept {
  const std::uint32_t kinds = state_->plugin.entry->event_kinds;
  return kinds == 0 ? NFBUS_EVENT_PACKET : kinds;
}

const std::vector<std::string>& FilterInstance::listened() const noexcept { return state_->services.listened(); }
const Plugin& FilterInstance::plugin() const noexcept { return state_->plugin; }
const std::string& FilterInstance::name() const noexcept { return state_->name; }
InstanceServices& FilterInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
