#include "plugins/hearing.hpp"
#include "plugins/instance_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <limits>

namespace nfbus::host {

namespace {
// By NFBUS_DELIVERED and its like.
constexpr std::array kOutcomes = {Outcome::unnamed, Outcome::delivered, Outcome::again, Outcome::rejected};
}  // namespace

struct SinkInstance::State : InstanceState<nfbus_sink> {
  State(const Plugin& from, std::string instance_name, const SharedServices& shared)
      : InstanceState(from, std::move(instance_name), *from.entry->sink, shared) {
    report.struct_size = sizeof report;
    report.context = this;
    report.outcome = name_outcome;
    report.time_left_ms = time_left_ms;
  }

  // Owned by the thread that is in a call.
  nfbus_report report{};               // here and not on the stack: a plugin that keeps it past the call does no harm
  const WriteCall* writing = nullptr;  // null outside of write()

  // Read by any thread of the plugin; null outside of write(). The worker's, which outlives its calls.
  std::atomic<const WriteDeadline*> deadline{nullptr};

  static void name_outcome(void* context, uint32_t first, uint32_t count, uint32_t outcome,
                           nfbus_text reason) noexcept {
    State& state = *static_cast<State*>(context);
    try {
      state.name_events(first, count, outcome, plugin_view(reason));
    } catch (const std::exception& thrown) {
      state.complain_once(fmt::format("the outcome of an event was not noted: {}", thrown.what()));
    }
  }

  void name_events(std::uint32_t first, std::uint32_t count, std::uint32_t outcome, std::string_view reason) {
    const WriteCall* call = writing;
    if (call == nullptr) return complain_once("the plugin named an event's outcome outside of write(): ignored");
    const std::size_t events = call->outcomes.size();
    if (first >= events || count > events - first) {
      return complain_once(
          fmt::format("the plugin named the outcome of {} events from {} on, of {}: ignored", count, first, events));
    }
    if (outcome < NFBUS_DELIVERED || outcome > NFBUS_REJECTED) {
      return complain_once(fmt::format("the plugin named the unknown outcome {}: ignored", outcome));
    }
    for (std::uint32_t i = first; i < first + count; ++i) {
      if (call->outcomes[i] != Outcome::unnamed) continue;  // an event that has an outcome keeps it
      call->outcomes[i] = kOutcomes.at(outcome);
      if (outcome == NFBUS_REJECTED && !reason.empty()) call->reason(i, clean_text(reason));
    }
  }

  static uint32_t time_left_ms(void* context) noexcept {
    const WriteDeadline* of_call = static_cast<State*>(context)->deadline.load(std::memory_order_acquire);
    if (of_call == nullptr) return 0;
    constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min<std::int64_t>(of_call->left().count(), kMost));
  }
};

SinkInstance::SinkInstance(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<SinkInstance>> SinkInstance::create(const Plugin& plugin, std::string name,
                                                           std::string_view options_json,
                                                           const SharedServices& shared) {
  if (auto checked = check_kind(plugin, NFBUS_PLUGIN_SINK); !checked) return checked.error();
  auto state = std::make_shared<State>(plugin, std::move(name), shared);
  if (auto created = state->create(options_json); !created) return created.error();
  return std::unique_ptr<SinkInstance>(new SinkInstance(std::move(state)));
}

SinkInstance::~SinkInstance() { destroy(std::move(state_)); }

Result<nfbus_shape> SinkInstance::open() {
  State& s = *state_;
  nfbus_shape shape = shape_of(*s.plugin.entry);
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
  s.report.retry_after_ms = 0;
  const nfbus_events events = events_of(call.items, call.size_bytes);
  const Hearing hearing(call.items);
  s.writing = &call;
  s.deadline.store(&call.deadline, std::memory_order_release);
  const std::uint32_t status = call_plugin(
      {s.whole_name, "write", &s.services.clock()}, s.error,
      [&] { return s.calls.write(s.instance, &events, &s.report, &s.error); }, NFBUS_FAILED);
  s.deadline.store(nullptr, std::memory_order_relaxed);
  s.writing = nullptr;
  WriteResult result{.status = WriteResult::Status::ok, .retry_after_ms = s.report.retry_after_ms, .error = {}};
  switch (status) {
    case NFBUS_OK: break;
    case NFBUS_RETRY: result.status = WriteResult::Status::again; break;
    case NFBUS_FAILED: result.status = WriteResult::Status::failed; break;
    default: result.status = WriteResult::Status::fatal; break;
  }
  if (status != NFBUS_OK) result.error = failure_text(status, s.error, "write");
  s.services.call_ended();
  return result;
}

Result<void> SinkInstance::reopen() { return state_->call_optional("reopen", state_->calls.reopen); }
bool SinkInstance::flushes() const noexcept { return state_->calls.flush != nullptr; }
Result<void> SinkInstance::flush() { return state_->call_optional("flush", state_->calls.flush); }
Result<void> SinkInstance::tick() { return state_->call_optional("tick", state_->calls.tick); }
void SinkInstance::close() noexcept { state_->call_last("close", state_->calls.close); }

std::vector<Finding> SinkInstance::diagnose() {
  return diagnose_instance(state_->whole_name, state_->calls.diagnose, state_->instance);
}

void SinkInstance::set_waker(std::function<void()> waker) { state_->services.set_waker(std::move(waker)); }
std::optional<RunningCall> SinkInstance::running_call() const { return state_->services.clock().now(); }
OwnCounters SinkInstance::counters() const { return state_->services.counters(); }
std::string_view SinkInstance::plugin_name() const noexcept { return view(state_->plugin.entry->name); }
const std::string& SinkInstance::name() const noexcept { return state_->name; }
InstanceServices& SinkInstance::services() noexcept { return state_->services; }

}  // namespace nfbus::host
