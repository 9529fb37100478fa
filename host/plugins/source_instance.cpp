#include "plugins/source_instance.hpp"

#include "plugins/instance_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace nfbus::host {

struct SourceInstance::State : InstanceState<nfbus_source> {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : InstanceState(from, std::move(instance_name), *from.entry->source, shared) {
    feed.struct_size = sizeof feed;
    feed.context = this;
    feed.records = take_records;
    feed.messages = take_messages;
    feed.wait = wait;
  }

  // Owned by the thread that is in a call.
  nfbus_feed feed{};             // here and not on the stack: a plugin that keeps it past the call does no harm
  SourceFeed* target = nullptr;  // null outside of run()

  // A null pointer among the items ends what is taken: the plugin is broken, and hears of it.
  template <typename Item>
  static uint32_t take(void* context, const Item* const* items, uint32_t count, uint32_t* taken) noexcept {
    State& state = *static_cast<State*>(context);
    SourceFeed::Accepted result{.count = 0, .status = NFBUS_STOPPING};
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
};

SourceInstance::SourceInstance(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<SourceInstance>> SourceInstance::create(const Plugin& plugin, std::string name,
                                                               std::string_view options_json,
                                                               const SharedServices& shared) {
  if (auto checked = check_kind(plugin, NFBUS_PLUGIN_SOURCE); !checked) return checked.error();
  auto state = std::make_shared<State>(plugin, std::move(name), shared);
  if (auto created = state->create(options_json); !created) return created.error();
  return std::unique_ptr<SourceInstance>(new SourceInstance(std::move(state)));
}

SourceInstance::~SourceInstance() { destroy(std::move(state_)); }

Result<void> SourceInstance::open() { return state_->call_optional("open", state_->calls.open); }

Result<void> SourceInstance::run(SourceFeed& feed) {
  State& s = *state_;
  s.target = &feed;
  auto ran = s.call(
      "run", [&] { return s.calls.run(s.instance, &s.feed, &s.error); }, s.services.run_clock());
  s.target = nullptr;
  return ran;
}

void SourceInstance::stop() noexcept {
  nfbus_error of_this_call{};  // run() may be in its own
  state_->call_last("stop", state_->calls.stop, of_this_call, state_->services.stop_clock());
}

void SourceInstance::close() noexcept { state_->call_last("close", state_->calls.close); }

std::vector<Finding> SourceInstance::diagnose() {
  return diagnose_instance(state_->whole_name, state_->calls.diagnose, state_->instance);
}

bool SourceInstance::lossless() const noexcept { return (state_->plugin.entry->flags & NFBUS_LOSSLESS) != 0; }
const std::string& SourceInstance::name() const noexcept { return state_->name; }
InstanceServices& SourceInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
