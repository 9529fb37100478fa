// Holds what the instances of sinks, filters and sources have in common: how their plugin is called.
#pragma once

#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
#include "plugins/instance.hpp"
#include "plugins/late_calls.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"
#include "support/log.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus::host {

// [control] Code::invalid, and both kinds named, when the plugin is of another kind than NFBUS_PLUGIN_*.
[[nodiscard]] inline Result<void> check_kind(const Plugin& plugin, std::uint32_t plugin_kind) {
  if (plugin.entry->plugin_kind == plugin_kind) return {};
  return Error{.code = Code::invalid,
               .text = fmt::format("plugin \"{}\" is a {}, not a {}", view(plugin.entry->name),
                                   kind_name(plugin.entry->plugin_kind), kind_name(plugin_kind))};
}

// The base of an instance's state. Calls: nfbus_sink, nfbus_filter or nfbus_source. Thread safety: as its members say.
template <typename Calls>
struct InstanceState {
  InstanceState(const Plugin& from, std::string instance_name, const Calls& theirs, const SharedServices& shared)
      : plugin(from),
        name(std::move(instance_name)),
        whole_name(fmt::format("{}.{}", kind_name(from.entry->plugin_kind), name)),
        calls(host_copy(theirs)),
        services(whole_name, name, shared) {}

  // Constant after creation.
  const Plugin plugin;
  const std::string name;
  const std::string whole_name;  // "sink.archive"
  const Calls calls;
  InstanceServices services;
  void* instance = nullptr;

  // Owned by the thread that is in a call; calls never overlap.
  nfbus_error error{};
  bool complained = false;

  // Calls the plugin's create(), after its privileged part, if it has one, got the options.
  [[nodiscard]] Result<void> create(std::string_view options_json) {
    if (auto opened = services.open_privileged_part(*plugin.entry, options_json); !opened) return opened;
    auto created = create_instance(whole_name, calls.create, *services.abi(), options_json, &services.clock());
    if (!created) return created.error();
    instance = *created;
    return {};
  }

  // Of what a plugin does beyond the ABI one line tells, once per instance.
  void complain_once(std::string_view of) noexcept {
    if (!std::exchange(complained, true)) services.log(log::Level::warning, of);
  }

  // `run` calls one function of the plugin.
  template <typename Call>
  Result<void> call(std::string_view function, const Call& run) {
    return call(function, run, services.clock());
  }
  template <typename Call>
  Result<void> call(std::string_view function, const Call& run, CallClock& clock) {
    const std::uint32_t status = call_plugin({whole_name, function, &clock}, error, run);
    services.call_ended();
    return outcome(status, error, function, Code::io);
  }

  // Nothing happens where the plugin has no such function.
  using OptionalFunction = uint32_t (*)(void* instance, nfbus_error* error);
  Result<void> call_optional(std::string_view function_name, OptionalFunction function) {
    if (function == nullptr) return {};
    return call(function_name, [&] { return function(instance, &error); });
  }

  // For functions that cannot fail, but for an exception. `into`, `clock`: of this call alone, where another may run.
  using LastFunction = void (*)(void* instance);
  void call_last(std::string_view function_name, LastFunction function, nfbus_error& into, CallClock& clock) noexcept {
    if (function == nullptr) return;
    const std::uint32_t status = call_plugin({whole_name, function_name, &clock}, into, [&] {
      function(instance);
      return NFBUS_OK;
    });
    if (status != NFBUS_OK) services.log(log::Level::error, failure_text(status, into, function_name));
  }
  void call_last(std::string_view function_name, LastFunction function) noexcept {
    call_last(function_name, function, error, services.clock());
  }
};

// [control] Ends an instance. What its plugin may still reach stays behind.
template <typename State>
void destroy(std::shared_ptr<State> state) noexcept {
  state->call_last("destroy", state->calls.destroy);
  state->services.end();
  keep_for_late_calls(std::move(state));
}

}  // namespace nfbus::host
