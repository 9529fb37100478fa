// Holds what a plugin says of itself, its commands and its findings: the parts that sinks, filters and sources share.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/detail/members.hpp>
#include <nfbus/host.hpp>
#include <nfbus/options.hpp>
#include <nfbus/text.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nfbus {

// How a sink wants its batches; the fields of nfbus_shape.
struct Shape {
  std::uint32_t batch_events = 0;  // at most so many events a call; 0: the host's default
  std::uint64_t batch_bytes = 0;   // at most so many bytes of records and texts; 0: the host's default
  std::uint32_t batch_age_ms = 0;  // a call may wait so long for half of batch_events; 0: never wait
  std::uint32_t tick_ms = 0;       // call tick() about so often; 0: only after Host::wake()
};

namespace detail {
inline constexpr nfbus_text kNoFields[1] = {};
}

// For Info::annotates of a filter that adds none.
inline constexpr std::span<const nfbus_text> kAnnotatesNothing{detail::kNoFields, 0};

// The second argument of nfbus::sink, filter and source. All texts must be literals.
struct Info {
  std::string_view summary = {};  // one line
  std::string_view version = {};  // the plugin's own
  std::string_view schema = {};   // JSON schema of the options (sdk/README.md); empty: no options
  // NFBUS_EVENT_*, ORed: what a sink or filter takes, or a source gives.
  std::uint32_t event_kinds = NFBUS_EVENT_PACKET;
  Shape shape = {};                              // open() may change it. Of a filter only tick_ms
  std::span<const nfbus_command> commands = {};  // from command<>(); a constant array
  // Filters: every field that it may add, a constant array of NFBUS_TEXT, or kAnnotatesNothing; {}: it may add any.
  std::span<const nfbus_text> annotates = {};
  bool lossless = false;             // sources: it can wait, and nothing of it may be dropped for a full queue
  bool has_privileged_part = false;  // NAME.privileged.so lies beside the library (nfbus/privileged.hpp)
};

// One plugin of a library, from nfbus::sink, filter and source; for NFBUS_LIBRARY.
class Plugin {
 public:
  static constexpr std::size_t kMostCommands = 16;

  constexpr Plugin(std::uint32_t kind, std::string_view name, const Info& info)
      : shape_{sizeof(nfbus_shape), info.shape.batch_events, info.shape.batch_bytes, info.shape.batch_age_ms,
               info.shape.tick_ms} {
    if (!is_plugin_name(name)) throw "nfbus: the plugin's name must be one or more of a-z 0-9 _ -";
    if (info.commands.size() > kMostCommands) throw "nfbus: a plugin may have 16 commands";
    fields_.struct_size = sizeof fields_;
    fields_.plugin_kind = kind;
    fields_.event_kinds = info.event_kinds;
    fields_.flags = (info.lossless ? NFBUS_LOSSLESS : 0U) | (info.has_privileged_part ? NFBUS_HAS_PRIVILEGED_PART : 0U);
    fields_.name = to_text(name);
    fields_.version = to_text(info.version);
    fields_.summary = to_text(info.summary);
    fields_.schema = to_text(info.schema);
    fields_.annotates = info.annotates.data();
    fields_.annotates_count = static_cast<std::uint32_t>(info.annotates.size());
    for (const nfbus_command& command : info.commands) commands_[fields_.command_count++] = &command;
  }
  constexpr void set(const nfbus_sink* sink) { fields_.sink = sink; }
  constexpr void set(const nfbus_filter* filter) { fields_.filter = filter; }
  constexpr void set(const nfbus_source* source) { fields_.source = source; }

  // As the ABI wants it: points into this object.
  [[nodiscard]] constexpr nfbus_plugin raw() const {
    nfbus_plugin out = fields_;
    out.shape = &shape_;
    if (out.command_count != 0) out.commands = commands_.data();
    return out;
  }

 private:
  static constexpr bool is_plugin_name(std::string_view name) {
    for (const char c : name) {
      if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-') return false;
    }
    return !name.empty();
  }

  nfbus_plugin fields_{};
  nfbus_shape shape_;
  std::array<const nfbus_command*, kMostCommands> commands_{};
};

// A struct of the library's for hosts that know its id, from nfbus::extension; for NFBUS_LIBRARY.
struct Extension {
  std::string_view id;
  const void* data;
};

// Takes what diagnose() finds; valid during it. fix: what the user can do; may be empty. [control]
class Findings {
 public:
  explicit Findings(const nfbus_findings* raw) noexcept : raw_(raw) {}
  void error(std::string_view text, std::string_view fix) const noexcept { add(NFBUS_LOG_ERROR, text, fix); }
  void warning(std::string_view text, std::string_view fix) const noexcept { add(NFBUS_LOG_WARNING, text, fix); }
  void info(std::string_view text) const noexcept { add(NFBUS_LOG_INFO, text, {}); }

 private:
  void add(std::uint32_t level, std::string_view text, std::string_view fix) const noexcept {
    raw_->found(raw_->context, level, to_text(text), to_text(fix));
  }

  const nfbus_findings* raw_;
};

// An instance of the library's plugins, as it is configured. Valid during the command.
class Configured {
 public:
  explicit Configured(const nfbus_configured* raw) noexcept : raw_(raw) {}
  [[nodiscard]] std::uint32_t kind() const noexcept { return raw_->plugin_kind; }  // NFBUS_PLUGIN_*
  [[nodiscard]] std::string_view plugin() const noexcept { return to_view(raw_->plugin); }
  [[nodiscard]] std::string_view name() const noexcept { return to_view(raw_->name); }  // of [sink.NAME]
  [[nodiscard]] Options options() const { return Options(raw_->options); }
  // As the instance's own; of it the log, matches and request() work.
  [[nodiscard]] Host host() const noexcept { return Host(raw_->host); }

 private:
  const nfbus_configured* raw_;
};

// Holds what a command is called with; valid during it.
class CommandCall {
 public:
  explicit CommandCall(const nfbus_command_call* raw) noexcept : raw_(raw) {}
  // The first is the command's name.
  [[nodiscard]] std::span<const char* const> arguments() const noexcept {
    return {raw_->arguments, raw_->argument_count};
  }
  // How many instances the configuration has of the plugins in this library; 0 without a configuration.
  [[nodiscard]] std::uint32_t instance_count() const noexcept { return raw_->instance_count; }
  [[nodiscard]] Configured instance(std::uint32_t index) const noexcept { return Configured(raw_->instances[index]); }

 private:
  const nfbus_command_call* raw_;
};

namespace detail {

template <auto Run>
std::int32_t run_command(const nfbus_host* host, const nfbus_command_call* call) noexcept {
  std::int32_t status = 1;
  guard_or_log(host, "", [&] { status = Run(Host(host), CommandCall(call)); });
  return status;
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
  return guard_create(error, [&] { *instance = make_instance<T>(host, Options(options)); });
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

template <typename T>
concept OpensWithShape = requires(T& plugin, Shape& shape) {
  plugin.open(shape);
};
template <typename T>
concept Opens = requires(T& plugin) {
  plugin.open();
};
template <typename T>
concept Reopens = requires(T& plugin) {
  plugin.reopen();
};
template <typename T>
concept Closes = requires(T& plugin) {
  plugin.close();
};
template <typename T>
concept Diagnoses = requires(T& plugin, Findings findings) {
  plugin.diagnose(findings);
};

template <typename T>
std::uint32_t open(void* instance, nfbus_shape* shape, nfbus_error* error) noexcept {
  T& plugin = plugin_of<T>(instance);
  if constexpr (OpensWithShape<T>) {
    Shape wanted{shape->batch_events, shape->batch_bytes, shape->batch_age_ms, shape->tick_ms};
    const std::uint32_t status = guard(error, [&] { return plugin.open(wanted); });
    if (status != NFBUS_OK) return status;
    shape->batch_events = wanted.batch_events;
    shape->batch_bytes = wanted.batch_bytes;
    shape->batch_age_ms = wanted.batch_age_ms;
    shape->tick_ms = wanted.tick_ms;
    return NFBUS_OK;
  } else if constexpr (Opens<T>) {
    return guard(error, [&] { return plugin.open(); });
  } else {
    return NFBUS_OK;
  }
}

template <typename T>
std::uint32_t reopen(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).reopen(); });
}

template <typename T>
void close(void* instance) noexcept {
  if constexpr (Closes<T>) {
    auto* owned = static_cast<Instance<T>*>(instance);
    guard_or_log(owned->host, "failed to close: ", [&] { owned->plugin.close(); });
  }
}

template <typename T>
void diagnose(void* instance, const nfbus_findings* findings) noexcept {
  contain([&] { plugin_of<T>(instance).diagnose(Findings(findings)); },
          [&](std::string_view thrown) { Findings(findings).error(thrown, {}); });
}

template <typename T>
constexpr void check_open() {
  static_assert(!has_open<T>() || Opens<T> || OpensWithShape<T>,
                "nfbus: open must be `void open(nfbus::Shape& shape)` or `void open()`, public; it may return "
                "nfbus::Result<void>");
  if constexpr (OpensWithShape<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().open(std::declval<Shape&>()))>,
                  "nfbus: open must return void or nfbus::Result<void>");
  } else if constexpr (Opens<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().open())>,
                  "nfbus: open must return void or nfbus::Result<void>");
  }
}

template <typename T>
constexpr void check_reopen() {
  static_assert(!has_reopen<T>() || Reopens<T>,
                "nfbus: reopen must be `void reopen()`, public; it may return nfbus::Result<void>");
  if constexpr (Reopens<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().reopen())>,
                  "nfbus: reopen must return void or nfbus::Result<void>");
  }
}

template <typename T>
constexpr void check_close() {
  static_assert(!has_close<T>() || Closes<T>, "nfbus: close must be `void close()`, public");
}

template <typename T>
constexpr void check_diagnose() {
  static_assert(!has_diagnose<T>() || Diagnoses<T>,
                "nfbus: diagnose must be `void diagnose(nfbus::Findings findings)`, public");
}

template <typename T>
constexpr bool begins_with_struct_size() {
  if constexpr (requires(const T& data) { requires std::is_same_v<decltype(data.struct_size), std::uint32_t>; }) {
    return offsetof(T, struct_size) == 0;
  } else {
    return false;
  }
}

// The part, in a tuple, when it is of this kind.
template <typename Kind, typename Part>
constexpr auto only(const Part& part) {
  if constexpr (std::is_same_v<Kind, Part>) {
    return std::tuple<Kind>(part);
  } else {
    return std::tuple<>();
  }
}

// The plugins of a library, as the ABI wants them; points into `plugins`.
template <std::size_t N>
constexpr std::array<nfbus_plugin, N> raw_plugins(const std::array<Plugin, N>& plugins) {
  std::array<nfbus_plugin, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = plugins[i].raw();
  return out;
}

template <std::size_t N>
constexpr std::array<const nfbus_plugin*, N> pointers_to(const std::array<nfbus_plugin, N>& plugins) {
  std::array<const nfbus_plugin*, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = &plugins[i];
  return out;
}

// Holds what NFBUS_LIBRARY is given.
template <std::size_t PluginCount, std::size_t ExtensionCount>
struct LibraryParts {
  std::array<Plugin, PluginCount> plugins;
  std::array<Extension, ExtensionCount> extensions;
};

template <typename Kind, typename... Parts>
constexpr auto all_of(const Parts&... parts) {
  return std::apply([](const auto&... found) { return std::array<Kind, sizeof...(found)>{found...}; },
                    std::tuple_cat(only<Kind>(parts)...));
}

template <typename... Parts>
constexpr auto library_parts(const Parts&... parts) {
  const auto plugins = all_of<Plugin>(parts...);
  const auto extensions = all_of<Extension>(parts...);
  static_assert(plugins.size() + extensions.size() == sizeof...(Parts),
                "nfbus: a library is made of nfbus::sink, filter, source and extension");
  static_assert(!plugins.empty(), "nfbus: a library needs a plugin");
  for (std::size_t i = 0; i < extensions.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (extensions[i].id == extensions[j].id) throw "nfbus: two extensions of a library have the same id";
    }
  }
  return LibraryParts<plugins.size(), extensions.size()>{plugins, extensions};
}

template <const auto& Parts>
const void* find_extension(nfbus_text id) noexcept {
  for (const Extension& extension : Parts.extensions) {
    if (extension.id == to_view(id)) return extension.data;
  }
  return nullptr;
}

// Null where there are none.
template <const auto& Parts>
constexpr auto extension_function() -> const void* (*)(nfbus_text) {
  if constexpr (Parts.extensions.empty()) {
    return nullptr;
  } else {
    return &find_extension<Parts>;
  }
}

template <std::size_t N>
constexpr nfbus_library library(const std::array<const nfbus_plugin*, N>& plugins,
                                const void* (*extension)(nfbus_text id)) {
  nfbus_library out{};
  out.abi_major = NFBUS_ABI_MAJOR;
  out.abi_minor = NFBUS_ABI_TARGET_MINOR;
  out.struct_size = sizeof out;
  out.plugin_count = static_cast<std::uint32_t>(N);
  out.plugins = plugins.data();
  out.extension = extension;
  return out;
}

}  // namespace detail

// A command that the plugin brings, `nfbus NAME ...`, for Info::commands. Run is
// `int (nfbus::Host host, nfbus::CommandCall call)`; it prints to standard output and returns the exit status.
// What it throws is logged, and the exit status is 1.
template <auto Run>
constexpr nfbus_command command(std::string_view name, std::string_view summary) {
  static_assert(std::is_invocable_r_v<int, decltype(Run), Host, CommandCall>,
                "nfbus: a command must be `int run(nfbus::Host host, nfbus::CommandCall call)`");
  return {sizeof(nfbus_command), 0, to_text(name), to_text(summary), &detail::run_command<Run>};
}

// Gives what the library has for a host that knows `id`, "OWNER.THING/VERSION" (sdk/ABI.md): a constant at namespace
// scope, of the struct that the id's header describes. Functions in it are called behind no barrier: they must not
// throw.
template <typename T>
constexpr Extension extension(std::string_view id, const T& data) {
  static_assert(std::is_standard_layout_v<T> && detail::begins_with_struct_size<T>(),
                "nfbus: an extension's struct must begin with `uint32_t struct_size`");
  if (data.struct_size != sizeof(T)) throw "nfbus: an extension's struct_size must be the struct's size";
  const std::size_t slash = id.find('/');
  if (slash == 0 || slash >= id.size() - 1) throw "nfbus: an extension's id must be OWNER.THING/VERSION";
  return {id, &data};
}

}  // namespace nfbus

// NFBUS_LIBRARY(nfbus::sink<Lines>("lines", {...}), nfbus::filter<Quiet>("quiet")): once in a shared object, outside of
// any namespace: all plugins that it brings, and its extensions.
#define NFBUS_LIBRARY(...)                                                    \
  namespace nfbus::detail::made_here {                                        \
  static constexpr auto kParts = ::nfbus::detail::library_parts(__VA_ARGS__); \
  static constexpr auto kRaw = ::nfbus::detail::raw_plugins(kParts.plugins);  \
  static constexpr auto kPointers = ::nfbus::detail::pointers_to(kRaw);       \
  }                                                                           \
  extern "C" NFBUS_EXPORT const nfbus_library nfbus_library_v1;               \
  extern "C" constinit const nfbus_library nfbus_library_v1 =                 \
      ::nfbus::detail::library(::nfbus::detail::made_here::kPointers,         \
                               ::nfbus::detail::extension_function<::nfbus::detail::made_here::kParts>());
