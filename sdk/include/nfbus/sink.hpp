// A sink in C++: a class and one macro.
//
//   class Lines {
//    public:
//     Lines(nfbus::Host host, const nfbus::Options& options);  // [control] or a default constructor
//     void open(nfbus::Shape& shape);                          // [control] opens outputs; never waits for a peer
//     void write(nfbus::Events events);                        // [worker]  required
//     void reopen();                                           // [worker]  reopens files after an outside rotation
//     void flush();                                            // [worker]  brings what was written to its destination
//     void tick();                                             // [worker]  about each Shape::tick_ms
//     void close();                                            // [worker]  the counterpart of open()
//   };                                                         // [control] destructor
//   NFBUS_SINK(Lines, "lines", {.summary = "writes lines", .schema = kSchema})
//
// Calls to one instance never overlap. All but the constructor and write() may be left out. open() may leave out its
// argument. open, reopen, flush and tick may return nfbus::Result<void>; write may return nfbus::Delivery. An
// exception is an error: of the constructor and open() the host does not start; of write() this sink is closed (and no
// other); of reopen, flush, tick and close it is logged.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/detail/members.hpp>
#include <nfbus/event.hpp>
#include <nfbus/plugin.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus {

// What became of a batch.
struct Delivery {
  std::uint32_t status;    // NFBUS_OK, NFBUS_RETRY or NFBUS_FATAL
  std::uint32_t done = 0;  // with retry
  std::uint32_t retry_after_ms = 0;
  std::string reason = {};

  // Every event that was not rejected is delivered, not merely buffered.
  [[nodiscard]] static Delivery ok() { return {.status = NFBUS_OK}; }
  // The first `done` events are delivered or rejected; the rest comes again after a backoff that the host keeps.
  // after_ms: a hint for it; 0: none.
  [[nodiscard]] static Delivery retry(std::uint32_t done, std::string reason, std::uint32_t after_ms = 0) {
    return {.status = NFBUS_RETRY, .done = done, .retry_after_ms = after_ms, .reason = std::move(reason)};
  }
  // This instance cannot go on; it is closed, and what is queued counts as rejected. So does throwing.
  [[nodiscard]] static Delivery fatal(std::string reason) {
    return {.status = NFBUS_FATAL, .reason = std::move(reason)};
  }
};

namespace detail {

template <typename T>
concept OpensWithShape = requires(T& sink, Shape& shape) {
  sink.open(shape);
};
template <typename T>
concept Opens = requires(T& sink) {
  sink.open();
};
template <typename T>
concept Writes = requires(T& sink, Events events) {
  sink.write(events);
};
template <typename T>
concept Reopens = requires(T& sink) {
  sink.reopen();
};
template <typename T>
concept Flushes = requires(T& sink) {
  sink.flush();
};
template <typename T>
concept Closes = requires(T& sink) {
  sink.close();
};

template <typename T>
std::uint32_t open(void* instance, nfbus_shape* shape, nfbus_error* error) noexcept {
  T& sink = plugin_of<T>(instance);
  if constexpr (OpensWithShape<T>) {
    Shape wanted{shape->batch_events, shape->batch_bytes, shape->batch_age_ms, shape->tick_ms};
    const std::uint32_t status = guard(error, [&] { return sink.open(wanted); });
    if (status != NFBUS_OK) return status;
    shape->batch_events = wanted.batch_events;
    shape->batch_bytes = wanted.batch_bytes;
    shape->batch_age_ms = wanted.batch_age_ms;
    shape->tick_ms = wanted.tick_ms;
    return NFBUS_OK;
  } else if constexpr (Opens<T>) {
    return guard(error, [&] { return sink.open(); });
  } else {
    return NFBUS_OK;
  }
}

template <typename T>
std::uint32_t write(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error) noexcept {
  T& sink = plugin_of<T>(instance);
  if constexpr (std::is_void_v<decltype(sink.write(Events(events, report)))>) {
    return guard(error, [&] { sink.write(Events(events, report)); });
  } else {
    std::uint32_t status = NFBUS_FATAL;
    const std::uint32_t outcome = guard(error, [&] {
      const Delivery delivery = sink.write(Events(events, report));
      report->done = delivery.done;
      report->retry_after_ms = delivery.retry_after_ms;
      say(error, delivery.reason);
      status = delivery.status;
    });
    return outcome == NFBUS_OK ? status : outcome;
  }
}

template <typename T>
std::uint32_t reopen(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).reopen(); });
}

template <typename T>
std::uint32_t flush(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).flush(); });
}

template <typename T>
void close(void* instance) noexcept {
  if constexpr (Closes<T>) {
    auto* owned = static_cast<Instance<T>*>(instance);
    guard_or_log(owned->host, "failed to close: ", [&] { owned->plugin.close(); });
  }
}

// Every way in which a sink's class can be wrong, each with the signature that was wanted.
template <typename T>
constexpr void check_sink() {
  static_assert(
      is_creatable<T>,
      "nfbus: a sink needs a public constructor `T(nfbus::Host host, const nfbus::Options& options)` or `T()`");
  static_assert(Writes<T>,
                "nfbus: a sink needs a public `void write(nfbus::Events events)`; it may return nfbus::Delivery");
  static_assert(!has_open<T>() || Opens<T> || OpensWithShape<T>,
                "nfbus: open must be `void open(nfbus::Shape& shape)` or `void open()`, public; it may return "
                "nfbus::Result<void>");
  static_assert(!has_reopen<T>() || Reopens<T>,
                "nfbus: reopen must be `void reopen()`, public; it may return nfbus::Result<void>");
  static_assert(!has_flush<T>() || Flushes<T>,
                "nfbus: flush must be `void flush()`, public; it may return nfbus::Result<void>");
  static_assert(!has_close<T>() || Closes<T>, "nfbus: close must be `void close()`, public");
  if constexpr (Writes<T>) {
    using R = decltype(std::declval<T&>().write(std::declval<Events>()));
    static_assert(std::is_void_v<R> || std::is_same_v<R, Delivery>, "nfbus: write must return void or nfbus::Delivery");
  }
  if constexpr (OpensWithShape<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().open(std::declval<Shape&>()))>,
                  "nfbus: open must return void or nfbus::Result<void>");
  } else if constexpr (Opens<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().open())>,
                  "nfbus: open must return void or nfbus::Result<void>");
  }
  if constexpr (Reopens<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().reopen())>,
                  "nfbus: reopen must return void or nfbus::Result<void>");
  }
  if constexpr (Flushes<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().flush())>,
                  "nfbus: flush must return void or nfbus::Result<void>");
  }
  check_tick<T>();
}

template <typename T>
constexpr nfbus_sink sink_table() {
  nfbus_sink out{};
  out.struct_size = sizeof out;
  out.create = &create<T>;
  out.open = &open<T>;
  out.write = &write<T>;
  if constexpr (Reopens<T>) out.reopen = &reopen<T>;
  if constexpr (Flushes<T>) out.flush = &flush<T>;
  if constexpr (Ticks<T>) out.tick = &tick<T>;
  out.close = &close<T>;
  out.destroy = &destroy<T>;
  return out;
}

template <typename T>
inline constexpr nfbus_sink kSink = sink_table<T>();

template <typename T>
constexpr nfbus_entry sink_entry(std::string_view name, const Info& info = {}) {
  check_sink<T>();
  nfbus_entry out = entry(NFBUS_PLUGIN_SINK, name, info);
  out.sink = &kSink<T>;
  return out;
}

}  // namespace detail
}  // namespace nfbus

// NFBUS_SINK(Class, "name") or NFBUS_SINK(Class, "name", {.summary = "...", ...}): once in a plugin, outside of any
// namespace. The fields are nfbus::Info's.
#define NFBUS_SINK(Class, ...)                                  \
  extern "C" NFBUS_EXPORT const nfbus_entry nfbus_plugin_entry; \
  extern "C" constinit const nfbus_entry nfbus_plugin_entry = ::nfbus::detail::sink_entry<Class>(__VA_ARGS__);
