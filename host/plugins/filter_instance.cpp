#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
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
  nfbus_filter_call call{};            // here and not on the stack: a plugin that keeps it past the call does no harm
  const Annotate* annotate = nullptr;  // null outside of apply()
  bool complained = false;

  static void add_field(void* context, uint32_t index, nfbus_text name, nfbus_text value) noexcept {
    State& state = *static_cast<State*>(context);
    try {
      const std::string_view field = plugin_view(name);
      if (state.annotate != nullptr && index < state.call.count && !field.empty()) {
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
  auto instance = create_instance(state->calls.create, *state->services.abi(), options_json);
  if (!instance) return instance.error();
  state->instance = *instance;
  return std::unique_ptr<FilterInstance>(new FilterInstance(std::move(state)));
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
  s.call = {.struct_size = sizeof(nfbus_filter_call),
            .count = static_cast<std::uint32_t>(items.size()),
            .items = items.data(),
            .verdicts = verdicts.data(),
            .context = &s,
            .annotate = State::add_field};
  s.annotate = &annotate;
  const std::uint32_t status = call_plugin(s.error, [&] { return s.calls.apply(s.instance, &s.call, &s.error); });
  s.annotate = nullptr;
  s.services.call_ended();
  if (status != NFBUS_OK) std::ranges::fill(verdicts, static_cast<std::uint8_t>(NFBUS_KEEP));
  return outcome(status, s.error, "apply", Code::io);
}

const Plugin& FilterInstance::plugin() const noexcept { return state_->plugin; }
const std::string& FilterInstance::name() const noexcept { return state_->name; }
InstanceServices& FilterInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
