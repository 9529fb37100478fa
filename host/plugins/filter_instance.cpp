#include "plugins/hearing.hpp"
#include "plugins/instance_state.hpp"
#include "rewrite/edits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace nfbus::host {

struct FilterInstance::State : InstanceState<nfbus_filter> {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : InstanceState(from, std::move(instance_name), *from.entry->filter, shared) {}

  // Owned by the thread that is in a call.
  nfbus_filter_call asked{};            // here and not on the stack: a plugin that keeps it past the call does no harm
  EditRoom* room = nullptr;             // null outside of apply()
  std::span<const nfbus_event*> items;  // of this apply()
  std::uint32_t tick_ms = 0;            // set by open()

  // Runs an edit of one event. What is not allowed is said once, and the plugin told each time.
  template <typename Edit>
  static uint32_t edit(void* context, uint32_t index, std::string_view function, const Edit& run) noexcept {
    State& state = *static_cast<State*>(context);
    try {
      if (state.room == nullptr || index >= state.asked.count) {
        state.complain_once(
            fmt::format("the plugin called {}() for an event that it was not given: ignored", function));
        return NFBUS_REFUSED;
      }
      Event& event = state.room->writable(*state.items[index]);
      state.items[index] = &event;
      if (run(event, *state.room)) return NFBUS_OK;
      state.complain_once(
          fmt::format("{}(): what the plugin asked for is not allowed (nfbus/abi.h): the event stays as "
                      "it was",
                      function));
    } catch (const std::exception& thrown) {
      state.complain_once(thrown.what());
    }
    return NFBUS_REFUSED;
  }

  static uint32_t annotate_event(void* context, uint32_t index, const nfbus_field* field) noexcept {
    return edit(context, index, "annotate", [&](Event& event, EditRoom& to) {
      if (field == nullptr) return false;
      nfbus_field clean = *field;
      clean.name = text(plugin_view(field->name));
      clean.value = text(plugin_view(field->value));
      return annotate(event, clean, to);
    });
  }
  static uint32_t set_event_topic(void* context, uint32_t index, nfbus_text topic) noexcept {
    return edit(context, index, "set_topic",
                [&](Event& event, EditRoom& to) { return set_topic(event, plugin_view(topic), to); });
  }
  static uint32_t rewrite_event(void* context, uint32_t index, uint32_t part, uint32_t offset,
                                nfbus_bytes bytes) noexcept {
    return edit(context, index, "rewrite", [&](Event& event, EditRoom& to) {
      return rewrite(event, part, offset, bytes.data == nullptr ? Bytes() : Bytes(bytes.data, bytes.size), to);
    });
  }
  static uint32_t cut_event(void* context, uint32_t index, uint32_t size_bytes) noexcept {
    return edit(context, index, "cut", [&](Event& event, EditRoom& to) { return cut(event, size_bytes, to); });
  }
};

FilterInstance::FilterInstance(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<FilterInstance>> FilterInstance::create(const Plugin& plugin, std::string name,
                                                               std::string_view options_json,
                                                               const SharedServices& shared) {
  if (auto checked = check_kind(plugin, NFBUS_PLUGIN_FILTER); !checked) return checked.error();
  auto state = std::make_shared<State>(plugin, std::move(name), shared);
  state->services.allow_listening(true);
  auto created = state->create(options_json);
  state->services.allow_listening(false);
  if (!created) return created.error();
  std::unique_ptr<FilterInstance> made(new FilterInstance(std::move(state)));
  if (!made->listened().empty() && made->state_->calls.hear == nullptr) {
    return Error{.code = Code::invalid,
                 .text = "the plugin listens to messages, but its nfbus_filter has no hear(): set nfbus_filter.hear"};
  }
  return made;
}

FilterInstance::~FilterInstance() { destroy(std::move(state_)); }

Result<void> FilterInstance::apply(std::span<const nfbus_event*> items, std::span<std::uint8_t> verdicts,
                                   EditRoom& room) {
  State& s = *state_;
  std::ranges::fill(verdicts, static_cast<std::uint8_t>(NFBUS_KEEP));
  s.asked = {.struct_size = sizeof(nfbus_filter_call),
             .count = static_cast<std::uint32_t>(items.size()),
             .items = items.data(),
             .verdicts = verdicts.data(),
             .context = &s,
             .annotate = State::annotate_event,
             .set_topic = State::set_event_topic,
             .rewrite = State::rewrite_event,
             .cut = State::cut_event};
  s.room = &room;
  s.items = items;
  const Hearing hearing(items);
  auto applied = s.call("apply", [&] { return s.calls.apply(s.instance, &s.asked, &s.error); });
  s.room = nullptr;
  if (!applied) std::ranges::fill(verdicts, static_cast<std::uint8_t>(NFBUS_KEEP));
  return applied;
}

Result<void> FilterInstance::open() {
  State& s = *state_;
  nfbus_shape shape = shape_of(*s.plugin.entry);
  if (s.calls.open != nullptr) {
    if (auto opened = s.call("open", [&] { return s.calls.open(s.instance, &shape, &s.error); }); !opened)
      return opened;
  }
  if (shape.tick_ms != 0 && s.calls.tick == nullptr) {
    s.complain_once("the plugin asks for ticks but has no tick(): it gets none");
    shape.tick_ms = 0;
  }
  s.tick_ms = shape.tick_ms;
  return {};
}

Result<void> FilterInstance::reopen() { return state_->call_optional("reopen", state_->calls.reopen); }

Result<void> FilterInstance::hear(std::span<const nfbus_event* const> messages, std::uint64_t size_bytes) {
  State& s = *state_;
  const nfbus_events events = events_of(messages, size_bytes);
  const Hearing hearing(messages);
  return s.call("hear", [&] { return s.calls.hear(s.instance, &events, &s.error); });
}

Result<void> FilterInstance::tick() { return state_->call_optional("tick", state_->calls.tick); }

Result<void> FilterInstance::finish() { return state_->call_optional("finish", state_->calls.finish); }

std::vector<Finding> FilterInstance::diagnose() {
  return diagnose_instance(state_->whole_name, state_->calls.diagnose, state_->instance);
}

bool FilterInstance::finishes() const noexcept { return state_->calls.finish != nullptr; }

std::uint32_t FilterInstance::tick_ms() const noexcept { return state_->tick_ms; }

bool FilterInstance::ticks() const noexcept { return state_->calls.tick != nullptr; }

std::uint32_t FilterInstance::event_kinds() const noexcept { return event_kinds_of(*state_->plugin.entry); }

const std::vector<std::string>& FilterInstance::listened() const noexcept { return state_->services.listened(); }
std::optional<RunningCall> FilterInstance::running_call() const { return state_->services.clock().now(); }
const Plugin& FilterInstance::plugin() const noexcept { return state_->plugin; }
const std::string& FilterInstance::name() const noexcept { return state_->name; }
InstanceServices& FilterInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
