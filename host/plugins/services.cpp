// What the host does for an instance: the functions behind nfbus_host. None lets an exception out.
#include "decode/dns.hpp"
#include "event/batch.hpp"
#include "match/match.hpp"
#include "plugins/crossing.hpp"
#include "plugins/handshake.hpp"
#include "plugins/hearing.hpp"
#include "plugins/instance.hpp"
#include "plugins/late_calls.hpp"
#include "plugins/match_words.hpp"
#include "record/record.hpp"
#include "support/log.hpp"
#include "support/mutex.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <unordered_map>

// What the ABI leaves open. Immutable.
struct nfbus_match {
  nfbus::host::MatchSet tables;
};

namespace nfbus::host {

namespace {

constexpr std::size_t kMaxCounters = 64;
constexpr std::size_t kMaxListened = 64;

struct Counter {
  std::string name;
  std::atomic<std::uint64_t> value{0};
};

// Owns what a plugin holds until it gives it back. Any thread.
template <class Held, class Owner>
class Handles {
 public:
  void add(const Held* held, Owner owner) {
    const MutexLock lock(mutex_);
    owners_.emplace(held, std::move(owner));
  }
  // False when the plugin does not hold it.
  bool take_back(const Held* held) {
    Owner owner;  // freed outside of the lock
    const MutexLock lock(mutex_);
    const auto found = owners_.find(held);
    if (found == owners_.end()) return false;
    owner = std::move(found->second);
    owners_.erase(found);
    return true;
  }
  [[nodiscard]] std::uint64_t count() const {
    const MutexLock lock(mutex_);
    return owners_.size();
  }
  void clear() {
    const MutexLock lock(mutex_);
    owners_.clear();
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<const Held*, Owner> owners_ NFBUS_GUARDED_BY(mutex_);
};

}  // namespace

struct InstanceServices::State {
  State(std::string whole_name, std::string_view short_name, const SharedServices& services)
      : kind_and_name(std::move(whole_name)),
        instance_name(short_name),
        shared(services),
        fields(services.fields),
        match_words(services.fields),
        clock(kind_and_name),
        run_clock(kind_and_name, CallClock::Lasts::for_good),
        stop_clock(kind_and_name),
        given(std::make_unique<Given>(services.formats)) {}

  // Constant after construction.
  const std::string kind_and_name;
  const std::string instance_name;
  const SharedServices& shared;  // only inside of the gate
  const KnownFields fields;
  const MatchWords match_words;
  nfbus_host abi{};

  Gate gate;
  CallClock clock;
  CallClock run_clock;
  CallClock stop_clock;

  // Owned by [control].
  bool may_listen = false;
  std::vector<std::string> listened;

  // Written by [control], read by [worker].
  std::array<std::atomic<bool>, kMaxFormats> formats_used{};
  std::array<FormatUse, kMaxFormats> format_uses;  // each made once, by whom formats_used let in

  // Owned by [worker]; null once the instance has ended.
  struct Given {
    explicit Given(const FormatSet& formats) : renderer(formats) {}
    Renderer renderer;
    DnsDecoder dns_decoder;
    std::vector<std::uint8_t> record;  // that record() gave last
    std::string answer;                // of the last request()
    Facts facts;  // of the event that was tested last in this call: the next match finds them ready
  };
  std::unique_ptr<Given> given;

  // Any thread.
  std::array<Counter, kMaxCounters> counters;  // [0, counter_count): names do not change any more
  std::atomic<std::uint32_t> counter_count{0};
  Mutex counters_mutex;  // of those who register
  Mutex waker_mutex;
  std::function<void()> waker NFBUS_GUARDED_BY(waker_mutex);  // empty: nothing to wake
  Handles<nfbus_event, BatchRef> copies;
  Handles<nfbus_match, std::unique_ptr<const nfbus_match>> matches;

  [[nodiscard]] std::array<const CallClock*, 3> clocks() const noexcept { return {&clock, &run_clock, &stop_clock}; }
  const nfbus_event* keep_copy(const Event& event) {
    given->facts = {};  // the copy may take the place of one that was tested
    const Event* const one = &event;
    BatchRef batch = copy_events({&one, 1});
    const nfbus_event* copy = batch->events().data();
    copies.add(copy, std::move(batch));
    return copy;
  }
  void say(log::Level level, std::string_view line) const noexcept { log::repeated(level, kind_and_name, line); }
  void say_late(std::string_view function) const noexcept {
    try {
      say(log::Level::warning, fmt::format("its plugin called {}() after destroy(): ignored; a plugin's threads have "
                                           "to end in destroy()",
                                           function));
    } catch (const std::exception&) {  // memory is short
      say(log::Level::warning, "its plugin called the host after destroy(): ignored");
    }
  }
  void say_loop(std::string_view topic, std::string_view heard_from) const {
    const std::string_view heard = heard_from == kind_and_name ? "itself" : heard_from;
    log::repeated(
        log::Level::warning, kind_and_name, "a message loop",
        fmt::format("a message loop: its message \"{}\" is refused, since it comes of {} messages that answer one "
                    "another, the last of them by {}; change the topics that one of these sinks or filters hears",
                    clean_text(topic), kMostHops, heard));
  }
};

namespace {

// Runs a service; an exception (memory is short) makes it answer `otherwise`.
template <typename Answer, typename Service>
Answer guarded(Answer otherwise, const Service& service) noexcept {
  try {
    return service();
  } catch (const std::exception&) {
    return otherwise;
  }
}

}  // namespace

// The functions of nfbus_host, with the State that their context is. Those of [any] hold the gate open.
struct ServiceFunctions {
  using State = InstanceServices::State;

  // One of [any], for as long as it lasts. False: the instance has ended, which is said.
  class Visit {
   public:
    Visit(void* context, std::string_view function) noexcept
        : state_(*static_cast<State*>(context)), inside_(state_.gate.enter()) {
      if (!inside_) state_.say_late(function);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() {
      if (inside_) state_.gate.leave();
    }
    explicit operator bool() const noexcept { return inside_; }
    State* operator->() const noexcept { return &state_; }

   private:
    State& state_;
    const bool inside_;
  };

  // One of [worker] or [control], which the end waits for anyway. Null: the instance has ended, which is said.
  static State* of(void* context, std::string_view function) noexcept {
    auto* const state = static_cast<State*>(context);
    if (!state->gate.is_closed()) return state;
    state->say_late(function);
    return nullptr;
  }

  static void log(void* context, uint32_t level, nfbus_text line) noexcept {
    const Visit state(context, "log");
    if (!state) return;
    const bool known = level >= NFBUS_LOG_ERROR && level <= NFBUS_LOG_DEBUG;
    state->say(known ? static_cast<log::Level>(level) : log::Level::info, plugin_view(line));
  }

  static uint32_t publish(void* context, nfbus_text topic, nfbus_text text) noexcept {
    const Visit state(context, "publish");
    if (!state) return NFBUS_REFUSED;
    return guarded(NFBUS_REFUSED, [&] {
      const Hearing::Answer answer = Hearing::next_answer();
      if (answer.hops > kMostHops) {
        state->say_loop(plugin_view(topic), answer.heard_from);
        return NFBUS_REFUSED;
      }
      const MessageOrigin origin = {.hops = static_cast<std::uint8_t>(answer.hops), .publisher = state->kind_and_name};
      const auto& publish = state->shared.publish;
      return publish && publish(plugin_view(topic), plugin_view(text), origin) ? NFBUS_OK : NFBUS_REFUSED;
    });
  }

  static uint32_t format(void* context, nfbus_text name) noexcept {
    State* const state = of(context, "format");
    if (state == nullptr) return 0;
    const FormatId id = FormatSet::find(plugin_view(name));
    if (id == 0) return 0;
    if (!state->formats_used.at(id).exchange(true)) state->format_uses.at(id) = FormatUse(state->shared.formats, id);
    return id;
  }

  static nfbus_text render(void* context, const nfbus_event* event, uint32_t format) noexcept {
    State* const state = of(context, "render");
    if (state == nullptr || event == nullptr || format >= kMaxFormats) return {};
    if (!state->formats_used[format].load(std::memory_order_relaxed)) return {};
    return guarded(nfbus_text{}, [&] { return text(state->given->renderer.render(host_event(*event), format)); });
  }

  static const nfbus_event* event_copy(void* context, const nfbus_event* event) noexcept {
    State* const state = of(context, "event_copy");
    if (state == nullptr || event == nullptr) return nullptr;
    return guarded<const nfbus_event*>(nullptr,
                                       [&]() -> const nfbus_event* { return state->keep_copy(host_event(*event)); });
  }

  static void event_release(void* context, const nfbus_event* event) noexcept {
    if (event == nullptr) return;
    const Visit state(context, "event_release");
    if (!state || state->copies.take_back(event)) return;
    state->say(log::Level::warning, "released an event copy that it does not hold: ignored");
  }

  static uint32_t counter(void* context, nfbus_text name) noexcept {
    State* const state = of(context, "counter");
    if (state == nullptr) return 0;
    return guarded(0U, [&]() -> uint32_t {
      const std::string_view wanted = plugin_view(name);
      if (!is_plain_name(wanted)) {
        state->say(log::Level::warning, fmt::format("counter \"{}\" does not fit [a-z0-9_-]+: not counted", wanted));
        return 0;
      }
      const MutexLock lock(state->counters_mutex);
      const std::uint32_t count = state->counter_count.load(std::memory_order_relaxed);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (state->counters.at(i).name == wanted) return i + 1;
      }
      if (count == kMaxCounters) return 0;
      state->counters.at(count).name = wanted;
      state->counter_count.store(count + 1, std::memory_order_release);
      return count + 1;
    });
  }

  // The counters stay with what is kept: a look at the gate is enough.
  static void counter_add(void* context, uint32_t counter, uint64_t amount) noexcept {
    State* const state = of(context, "counter_add");
    if (state == nullptr) return;
    if (counter == 0 || counter > state->counter_count.load(std::memory_order_acquire)) return;
    state->counters[counter - 1].value.fetch_add(amount, std::memory_order_relaxed);
  }

  static const nfbus_dns* dns(void* context, const nfbus_event* event) noexcept {
    State* const state = of(context, "dns");
    if (state == nullptr || event == nullptr) return nullptr;
    const CarriedMessage message = carried_dns(*event);
    if (message.bytes.empty()) return nullptr;
    return guarded<const nfbus_dns*>(nullptr, [&] { return state->given->dns_decoder.decode(message); });
  }

  static uint32_t listen(void* context, nfbus_text topic_prefix) noexcept {
    State* const state = of(context, "listen");
    if (state == nullptr || !state->may_listen || state->listened.size() == kMaxListened) return NFBUS_REFUSED;
    return guarded(NFBUS_REFUSED, [&] {
      state->listened.emplace_back(plugin_view(topic_prefix));
      return NFBUS_OK;
    });
  }

  static void wake(void* context) noexcept {
    const Visit state(context, "wake");
    if (!state) return;
    const MutexLock lock(state->waker_mutex);
    if (state->waker) state->waker();
  }

  static nfbus_bytes record(void* context, const nfbus_event* event) noexcept {
    State* const state = of(context, "record");
    if (state == nullptr || event == nullptr) return {};
    std::vector<std::uint8_t>& record = state->given->record;
    return guarded(nfbus_bytes{}, [&] {
      record.clear();
      if (!record::encode(*event, record)) return nfbus_bytes{};
      return nfbus_bytes{.data = record.data(), .size = record.size()};
    });
  }

  static const nfbus_event* event_of(void* context, nfbus_bytes bytes, nfbus_error* error) noexcept {
    State* const state = of(context, "event_of");
    if (state == nullptr) return nullptr;
    return guarded<const nfbus_event*>(nullptr, [&]() -> const nfbus_event* {
      Event event;
      std::vector<nfbus_field> fields;
      nfbus_ports ports{};
      const Bytes given = bytes.data == nullptr ? Bytes() : Bytes(bytes.data, bytes.size);
      if (auto decoded = record::decode(given, event, fields, ports); !decoded) {
        if (error != nullptr) append_error(*error, decoded.error().text);
        return nullptr;
      }
      return state->keep_copy(event);
    });
  }

  static std::uint32_t status_of(Code code) noexcept {
    switch (code) {
      case Code::refused: return NFBUS_REFUSED;
      case Code::busy: return NFBUS_RETRY;
      case Code::invalid: return NFBUS_FAILED;
      default: return NFBUS_FATAL;
    }
  }

  static uint32_t request(void* context, nfbus_bytes request, uint32_t timeout_ms, nfbus_bytes* answer,
                          nfbus_error* error) noexcept {
    const Visit state(context, "request");
    if (!state) return NFBUS_FATAL;
    return guarded(NFBUS_FAILED, [&]() -> uint32_t {
      PrivilegedParts none;
      PrivilegedParts& parts = state->shared.parts == nullptr ? none : *state->shared.parts;
      const std::string_view bytes = plugin_view({reinterpret_cast<const char*>(request.data), request.size});
      auto answered = parts.request(state->kind_and_name, bytes, std::chrono::milliseconds(timeout_ms));
      if (!answered) {
        if (error != nullptr) append_error(*error, answered.error().text);
        return status_of(answered.error().code);
      }
      std::string& kept = state->given->answer;
      kept = std::move(answered).value();
      if (answer != nullptr) {
        *answer = {.data = reinterpret_cast<const std::uint8_t*>(kept.data()), .size = kept.size()};
      }
      return NFBUS_OK;
    });
  }

  static const void* extension(void* context, nfbus_text id) noexcept {
    const Visit state(context, "extension");
    if (!state) return nullptr;
    if (plugin_view(id) == NFBUS_MATCH_WORDS) return state->match_words.abi();
    return plugin_view(id) == NFBUS_CAPTURES ? state->shared.captures : nullptr;
  }

  static const nfbus_match* match_compile(void* context, nfbus_text tables, nfbus_error* error) noexcept {
    const Visit state(context, "match_compile");
    if (!state) return nullptr;
    return guarded<const nfbus_match*>(nullptr, [&]() -> const nfbus_match* {
      auto compiled = compile_match_json(plugin_view(tables), state->fields);
      if (!compiled) {
        if (error != nullptr) append_error(*error, compiled.error().text);
        return nullptr;
      }
      auto owned = std::make_unique<const nfbus_match>(nfbus_match{.tables = std::move(compiled).value()});
      const nfbus_match* match = owned.get();
      state->matches.add(match, std::move(owned));
      return match;
    });
  }

  static uint32_t match_test(void* context, const nfbus_match* match, const nfbus_event* event) noexcept {
    State* const state = of(context, "match_test");
    if (state == nullptr || match == nullptr || event == nullptr) return 0;
    Facts& facts = state->given->facts;
    if (facts.event != event) facts = Facts(*event);
    return match->tables.first(facts);
  }

  static void match_release(void* context, const nfbus_match* match) noexcept {
    if (match == nullptr) return;
    const Visit state(context, "match_release");
    if (!state || state->matches.take_back(match)) return;
    state->say(log::Level::warning, "released a match that it does not hold: ignored");
  }
};

InstanceServices::InstanceServices(std::string kind_and_name, std::string_view instance_name,
                                   const SharedServices& shared)
    : state_(std::make_shared<State>(std::move(kind_and_name), instance_name, shared)) {
  if (shared.calls != nullptr) {
    for (const CallClock* clock : state_->clocks()) shared.calls->add(*clock);
  }
  state_->abi = {.struct_size = sizeof(nfbus_host),
                 .abi_major = NFBUS_ABI_MAJOR,
                 .abi_minor = NFBUS_ABI_MINOR,
                 .context = state_.get(),
                 .instance_name = text(state_->instance_name),
                 .log = ServiceFunctions::log,
                 .publish = ServiceFunctions::publish,
                 .format = ServiceFunctions::format,
                 .render = ServiceFunctions::render,
                 .event_copy = ServiceFunctions::event_copy,
                 .event_release = ServiceFunctions::event_release,
                 .counter = ServiceFunctions::counter,
                 .counter_add = ServiceFunctions::counter_add,
                 .match_compile = ServiceFunctions::match_compile,
                 .match_test = ServiceFunctions::match_test,
                 .match_release = ServiceFunctions::match_release,
                 .dns = ServiceFunctions::dns,
                 .listen = ServiceFunctions::listen,
                 .wake = ServiceFunctions::wake,
                 .record = ServiceFunctions::record,
                 .event_of = ServiceFunctions::event_of,
                 .extension = ServiceFunctions::extension,
                 .request = ServiceFunctions::request};
}

InstanceServices::~InstanceServices() {
  if (!state_->gate.is_closed()) end();
  keep_for_late_calls(std::move(state_));
}

void InstanceServices::end() noexcept {
  State& state = *state_;
  state.gate.close();
  if (state.shared.calls != nullptr) {
    for (const CallClock* clock : state.clocks()) state.shared.calls->remove(*clock);
  }
  if (const std::uint64_t held = state.copies.count(); held != 0) {
    state.say(log::Level::warning,
              fmt::format("the plugin did not give back {} event copies: freed by the host", held));
  }
  if (const std::uint64_t held = state.matches.count(); held != 0) {
    state.say(log::Level::warning, fmt::format("the plugin did not give back {} matches: freed by the host", held));
  }
  state.copies.clear();
  state.matches.clear();
  state.format_uses = {};
  state.given.reset();
  set_waker({});
}

CallClock& InstanceServices::clock() noexcept { return state_->clock; }
CallClock& InstanceServices::run_clock() noexcept { return state_->run_clock; }
CallClock& InstanceServices::stop_clock() noexcept { return state_->stop_clock; }

const nfbus_host* InstanceServices::abi() const noexcept { return &state_->abi; }

void InstanceServices::call_ended() noexcept {
  state_->given->renderer.release();
  state_->given->facts = {};
}

void InstanceServices::log(log::Level level, std::string_view line) const noexcept { state_->say(level, line); }

OwnCounters InstanceServices::counters() const {
  OwnCounters out;
  const std::uint32_t count = state_->counter_count.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Counter& counter = state_->counters.at(i);
    out.emplace_back(counter.name, counter.value.load(std::memory_order_relaxed));
  }
  return out;
}

void InstanceServices::set_waker(std::function<void()> waker) {
  const MutexLock lock(state_->waker_mutex);
  state_->waker = std::move(waker);
}

Result<void> InstanceServices::open_privileged_part(const nfbus_plugin& plugin, std::string_view options_json) {
  if (state_->shared.parts == nullptr) return {};
  return state_->shared.parts->open(state_->kind_and_name, plugin, options_json);
}

void InstanceServices::allow_listening(bool allowed) noexcept { state_->may_listen = allowed; }

const std::vector<std::string>& InstanceServices::listened() const noexcept { return state_->listened; }

std::uint64_t InstanceServices::copies_held() const noexcept { return state_->copies.count(); }

std::uint64_t InstanceServices::matches_held() const noexcept { return state_->matches.count(); }

}  // namespace nfbus::host
