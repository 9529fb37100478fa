#include "plugins/source_instance.hpp"

#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
#include "plugins/options.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace nfbus::host {

struct SourceInstance::State {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : plugin(from),
        name(std::move(instance_name)),
        calls(host_copy(*from.entry->source)),
        services("source." + name, name, shared) {
    feed.struct_size = sizeof feed;
    feed.context = this;
    feed.records = take_records;
    feed.messages = take_messages;
    feed.wait = wait;
  }

  // Constant after creation.
  const Plugin plugin;
  const std::string name;
  const nfbus_source calls;
  InstanceServices services;
  void* instance = nullptr;

  // Owned by the thread that is in a call.
  nfbus_error error{};
  nfbus_feed feed{};             // here and not on the stack: a plugin that keeps it past the call does no harm
  SourceFeed* target = nullptr;  // null outside of run()
  bool complained = false;

  void complain_once(std::string_view of) noexcept {
    if (!std::exchange(complained, true)) services.log(log::Level::warning, of);
  }

  // A null pointer among the items ends what is taken: the plugin is broken, and hears of it.
  template <typename Item>
  static uint32_t take(void* context, const Item* const* items, uint32_t count, uint32_t* taken) noexcept {
    State& state = *static_cast<State*>(context);
    SourceFeed::Taken result{.count = 0, .status = NFBUS_STOPPING};
    try {
      if (state.target == nullptr) {
        state.complain_once("the plugin used its feed outside of run(): ignored");
      } else {
        const std::span<const Item* const> given(items, items == nullptr ? 0 : count);
        const auto null = std::ranges::find(given, nullptr);
        if (null != given.end() || given.size() != count) {
          state.complain_once("the plugin handed over a null pointer: it and what is behind it is ignored");
        }
        const auto good = given.first(static_cast<std::size_t>(null - given.begin()));
        result = state.target->take(good);
        if (result.count == good.size()) result.count = count;  // what is ignored must not come again
      }
    } catch (const std::exception& thrown) {
      state.complain_once(thrown.what());
      result = {.count = 0, .status = NFBUS_FULL};  // memory is short: it may try again
    }
    if (taken != nullptr) *taken = result.count;
    return result.status;
  }
  static uint32_t take_records(void* context, const nfbus_record* const* items, uint32_t count,
                               uint32_t* taken) noexcept {
    return take(context, items, count, taken);
  }
  static uint32_t take_messages(void* context, const nfbus_message* const* items, uint32_t count,
                                uint32_t* taken) noexcept {
    return take(context, items, count, taken);
  }
  static uint32_t wait(void* context, uint32_t timeout_ms) noexcept {
    State& state = *static_cast<State*>(context);
    if (state.target == nullptr) return NFBUS_STOPPING;
    return state.target->wait_for_stop(timeout_ms) ? NFBUS_STOPPING : NFBUS_OK;
  }

  template <typename Call>
  Result<void> call(std::string_view function, const Call& run) {
    const std::uint32_t status = call_plugin(error, run);
    services.call_ended();
    return outcome(status, error, function, Code::io);
  }

  // For functions that cannot fail, but for an exception; `into` is theirs alone.
  void call_last(std::string_view function_name, void (*function)(void* instance), nfbus_error& into) const noexcept {
    if (function == nullptr) return;
    const std::uint32_t status = call_plugin(into, [&] {
      function(instance);
      return NFBUS_OK;
    });
    if (status != NFBUS_OK) services.log(log::Level::error, failure_text(status, into, function_name));
  }
};

SourceInstance::SourceInstance(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<SourceInstance>> SourceInstance::create(const Plugin& plugin, std::string name,
                                                               std::string_view options_json,
                                                               const SharedServices& shared) {
  if (plugin.entry->plugin_kind != NFBUS_PLUGIN_SOURCE) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("plugin \"{}\" is a {}, not a source", view(plugin.entry->name),
                                     kind_name(plugin.entry->plugin_kind))};
  }
  auto state = std::make_unique<State>(plugin, std::move(name), shared);
  auto instance = create_instance(state->calls.create, *state->services.abi(), options_json);
  if (!instance) return instance.error();
  state->instance = *instance;
  return std::unique_ptr<SourceInstance>(new SourceInstance(std::move(state)));
}

SourceInstance::~SourceInstance() { state_->call_last("destroy", state_->calls.destroy, state_->error); }

Result<void> SourceInstance::open() {
  State& s = *state_;
  if (s.calls.open == nullptr) return {};
  return s.call("open", [&] { return s.calls.open(s.instance, &s.error); });
}

Result<void> SourceInstance::run(SourceFeed& feed) {
  State& s = *state_;
  s.target = &feed;
  auto ran = s.call("run", [&] { return s.calls.run(s.instance, &s.feed, &s.error); });
  s.target = nullptr;
  return ran;
}

void SourceInstance::stop() noexcept {
  nfbus_error of_this_call{};  // run() may be in its own
  state_->call_last("stop", state_->calls.stop, of_this_call);
}

void SourceInstance::close() noexcept { state_->call_last("close", state_->calls.close, state_->error); }

std::vector<Finding> SourceInstance::diagnose() { return diagnose_instance(state_->calls.diagnose, state_->instance); }

bool SourceInstance::lossless() const noexcept { return (state_->plugin.entry->flags & NFBUS_LOSSLESS) != 0; }
const std::string& SourceInstance::name() const noexcept { return state_->name; }
InstanceServices& SourceInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
