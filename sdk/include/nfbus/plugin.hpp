// What a plugin says of itself, its commands and its findings: the parts that sinks and filters share.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/detail/members.hpp>
#include <nfbus/host.hpp>
#include <nfbus/options.hpp>
#include <nfbus/text.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus {

// How a sink wants its batches; the fields of nfbus_shape.
struct Shape {
  std::uint32_t batch_events = 0;  // at most so many events a call; 0: the host's default
  std::uint64_t batch_bytes = 0;   // at most so many bytes of records and texts; 0: the host's default
  std::uint32_t batch_age_ms = 0;  // a call may wait so long for half of batch_events; 0: never wait
  std::uint32_t tick_ms = 0;       // call tick() about so often; 0: never
};

namespace detail {
inline constexpr nfbus_text kNoFields[1] = {};
}

// For Info::annotates of a filter that adds none.
inline constexpr std::span<const nfbus_text> kAnnotatesNothing{detail::kNoFields, 0};

// The second argument of NFBUS_SINK and NFBUS_FILTER. All texts must be literals.
struct Info {
  std::string_view summary = {};  // one line
  std::string_view version = {};  // the plugin's own
  std::string_view schema = {};   // JSON schema of the options (sdk/README.md); empty: no options
  std::uint32_t event_kinds = NFBUS_EVENT_PACKET;
  Shape shape = {};                              // sinks; open() may change it. Of a filter only tick_ms
  std::span<const nfbus_command> commands = {};  // from command<>()
  // From diagnose<>(): for `nfbus doctor`.
  void (*diagnose)(const nfbus_host* host, nfbus_finding found, void* context) = nullptr;
  // Filters: every field that it may add, a constant array of NFBUS_TEXT, or kAnnotatesNothing; {}: it may add any.
  std::span<const nfbus_text> annotates = {};
};

// Takes what diagnose() finds. fix: what the user can do; may be empty. [control]
class Findings {
 public:
  Findings(nfbus_finding found, void* context) noexcept : found_(found), context_(context) {}
  void error(std::string_view text, std::string_view fix) const noexcept { add(NFBUS_LOG_ERROR, text, fix); }
  void warning(std::string_view text, std::string_view fix) const noexcept { add(NFBUS_LOG_WARNING, text, fix); }
  void info(std::string_view text) const noexcept { add(NFBUS_LOG_INFO, text, {}); }

 private:
  void add(std::uint32_t level, std::string_view text, std::string_view fix) const noexcept {
    found_(context_, level, to_text(text), to_text(fix));
  }

  nfbus_finding found_;
  void* context_;
};

namespace detail {

template <auto Run>
int run_command(const nfbus_host* host, int argc, const char* const* argv) noexcept {
  int status = 1;
  guard_or_log(host, "",
               [&] { status = Run(Host(host), std::span<const char* const>(argv, static_cast<std::size_t>(argc))); });
  return status;
}

template <auto Find>
void run_diagnose(const nfbus_host* host, nfbus_finding found, void* context) noexcept {
  contain([&] { Find(Host(host), Findings(found, context)); },
          [&](std::string_view thrown) { Findings(found, context).error(thrown, {}); });
}

template <typename T>
inline constexpr bool is_creatable =
    std::is_constructible_v<T, Host, const Options&> || std::is_default_constructible_v<T>;

// A plugin's object and the host that it logs to.
template <typename T>
struct Instance {
  Instance(const nfbus_host* raw_host, const Options& options) requires std::is_constructible_v<T, Host, const Options&>
      : host(raw_host), plugin(Host(raw_host), options) {}
  Instance(const nfbus_host* raw_host, const Options& /*options*/) : host(raw_host) {}

  const nfbus_host* host;
  T plugin{};
};

template <typename T>
void* make_instance(const nfbus_host* host, const Options& options) {
  return new Instance<T>(host, options);
}

template <typename T>
std::uint32_t create(const nfbus_host* host, const nfbus_options* options, void** instance,
                     nfbus_error* error) noexcept {
  return guard(error, [&] { *instance = make_instance<T>(host, Options(options)); });
}

template <typename T>
T& plugin_of(void* instance) noexcept {
  return static_cast<Instance<T>*>(instance)->plugin;
}

template <typename T>
concept Ticks = requires(T& plugin) {
  plugin.tick();
};

template <typename T>
std::uint32_t tick(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).tick(); });
}

template <typename T>
constexpr void check_tick() {
  static_assert(!has_tick<T>() || Ticks<T>,
                "nfbus: tick must be `void tick()`, public; it may return nfbus::Result<void>");
  if constexpr (Ticks<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().tick())>,
                  "nfbus: tick must return void or nfbus::Result<void>");
  }
}

// A destructor that may throw (noexcept(false)) is contained, too.
template <typename T>
void destroy(void* instance) noexcept {
  auto* owned = static_cast<Instance<T>*>(instance);
  guard_or_log(owned->host, "failed in its destructor: ", [&] { delete owned; });
}

constexpr bool is_plugin_name(std::string_view name) {
  for (const char c : name) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-') return false;
  }
  return !name.empty();
}

// The entry without its function table.
constexpr nfbus_entry entry(std::uint32_t plugin_kind, std::string_view name, const Info& info) {
  if (!is_plugin_name(name)) throw "nfbus: the plugin's name must be one or more of a-z 0-9 _ -";
  nfbus_entry out{};
  out.abi_major = NFBUS_ABI_MAJOR;
  out.abi_minor = NFBUS_ABI_MINOR;
  out.struct_size = sizeof out;
  out.plugin_kind = plugin_kind;
  out.event_kinds = info.event_kinds;
  out.name = to_text(name);
  out.version = to_text(info.version);
  out.summary = to_text(info.summary);
  out.schema = to_text(info.schema);
  out.shape = {info.shape.batch_bytes, info.shape.batch_events, info.shape.batch_age_ms, info.shape.tick_ms, 0};
  out.commands = info.commands.data();
  out.command_count = info.commands.size();
  out.diagnose = info.diagnose;
  out.annotates = info.annotates.data();
  out.annotates_count = info.annotates.size();
  return out;
}

}  // namespace detail

// A command that the plugin brings, `nfbus NAME ...`, for Info::commands. Run is
// `int (nfbus::Host host, std::span<const char* const> arguments)`; arguments[0] is NAME; it returns the exit status.
// What it throws is logged, and the exit status is 1.
template <auto Run>
constexpr nfbus_command command(std::string_view name, std::string_view summary) {
  static_assert(std::is_invocable_r_v<int, decltype(Run), Host, std::span<const char* const>>,
                "nfbus: a command must be `int run(nfbus::Host host, std::span<const char* const> arguments)`");
  return {to_text(name), to_text(summary), &detail::run_command<Run>};
}

// For Info::diagnose. Find is `void (nfbus::Host host, nfbus::Findings findings)`; what it throws is a finding.
template <auto Find>
constexpr auto diagnose() {
  static_assert(std::is_invocable_v<decltype(Find), Host, Findings>,
                "nfbus: diagnose must be `void find(nfbus::Host host, nfbus::Findings findings)`");
  return &detail::run_diagnose<Find>;
}

}  // namespace nfbus
