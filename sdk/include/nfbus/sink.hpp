// A sink in C++: a class and one macro.
//
//   class Lines {
//    public:
//     Lines(nfbus::Host host, const nfbus::Options& options);  // [control] or a default constructor
//     void open(nfbus::Shape& shape);                          // [control] opens outputs; never waits for a peer
//     void write(nfbus::Events events);                        // [worker]  required
//     void reopen();                                           // [worker]  reopens files after an outside rotation
//     void flush();                                            // [worker]  brings what was written to its destination;
//                                                              //           others still get what is published here
//     void tick();                                             // [worker]  about each Shape::tick_ms
//     void close();                                            // [worker]  the counterpart of open()
//     void diagnose(nfbus::Findings findings);                 // [control] for `nfbus doctor`
//   };                                                         // [control] destructor
//   NFBUS_SINK(Lines, "lines", {.summary = "writes lines", .schema = kSchema})
//
// Calls to one instance never overlap. All but the constructor and write() may be left out. open() may leave out its
// argument. open, reopen, flush and tick may return nfbus::Result<void>; write may return nfbus::Delivery, and says of
// single events by its argument what became of them. diagnose is called on an instance that is not open. An exception
// is an error: of the constructor and open() the host does not start; of write(), what has no outcome comes again, and
// ten in a row without progress close this sink (and no other); of reopen, flush, tick and close it is logged.
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

// Says what became of those events of a batch that Events::delivered, again and reject did not name.
struct Delivery {
  std::uint32_t status;    // NFBUS_OK, NFBUS_RETRY or NFBUS_FATAL
  std::uint32_t done = 0;  // with retry
  std::uint32_t retry_after_ms = 0;
  std::string reason = {};

  // They are delivered, not merely buffered. after_ms: when some were named to come again: a hint for the backoff.
  [[nodiscard]] static Delivery ok(std::uint32_t after_ms = 0) {
    return {.status = NFBUS_OK, .retry_after_ms = after_ms};
  }
  // The first `done` events of the batch are delivered; the others come again after a backoff that the host keeps.
  // after_ms: a hint for it; 0: none.
  [[nodiscard]] static Delivery retry(std::uint32_t done, std::string reason, std::uint32_t after_ms = 0) {
    return {.status = NFBUS_RETRY, .done = done, .retry_after_ms = after_ms, .reason = std::move(reason)};
  }
  // This instance cannot go on; it is closed, and they count as rejected with all that is queued.
  [[nodiscard]] static Delivery fatal(std::string reason) {
    return {.status = NFBUS_FATAL, .reason = std::move(reason)};
  }
};

namespace detail {

template <typename T>
concept Writes = requires(T& sink, Events events) {
  sink.write(events);
};
template <typename T>
concept Flushes = requires(T& sink) {
  sink.flush();
};

template <typename T>
std::uint32_t write(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error) noexcept {
  T& sink = plugin_of<T>(instance);
  if constexpr (std::is_void_v<decltype(sink.write(Events(events, report)))>) {
    return guard(
        error, [&] { sink.write(Events(events, report)); }, NFBUS_FAILED);
  } else {
    std::uint32_t status = NFBUS_FAILED;
    const std::uint32_t outcome = guard(
        error,
        [&] {
          const Delivery delivery = sink.write(Events(events, report));
          if (delivery.done != 0) report->outcome(report->context, 0, delivery.done, NFBUS_DELIVERED, {});
          report->retry_after_ms = delivery.retry_after_ms;
          say(error, delivery.reason);
          status = delivery.status;
        },
        NFBUS_FAILED);
    return outcome == NFBUS_OK ? status : outcome;
  }
}

template <typename T>
std::uint32_t flush(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).flush(); });
}

// Every way in which a sink's class can be wrong, each with the signature that was wanted.
template <typename T>
constexpr void check_sink() {
  static_assert(
      is_creatable<T>,
      "nfbus: a sink needs a public constructor `T(nfbus::Host host, const nfbus::Options& options)` or `T()`");
  static_assert(Writes<T>,
                "nfbus: a sink needs a public `void write(nfbus::Events events)`; it may return nfbus::Delivery");
  static_assert(!has_flush<T>() || Flushes<T>,
                "nfbus: flush must be `void flush()`, public; it may return nfbus::Result<void>");
  if constexpr (Writes<T>) {
    using R = decltype(std::declval<T&>().write(std::declval<Events>()));
    static_assert(std::is_void_v<R> || std::is_same_v<R, Delivery>, "nfbus: write must return void or nfbus::Delivery");
  }
  if constexpr (Flushes<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().flush())>,
                  "nfbus: flush must return void or nfbus::Result<void>");
  }
  check_open<T>();
  check_reopen<T>();
  check_tick<T>();
  check_close<T>();
  check_diagnose<T>();
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
  if constexpr (Diagnoses<T>) out.diagnose = &diagnose<T>;
  return out;
}

template <typename T>
inline constexpr nfbus_sink kSink = sink_table<T>();

}  // namespace detail

// A sink for NFBUS_LIBRARY.
template <typename T>
constexpr Plugin sink(std::string_view name, const Info& info = {}) {
  detail::check_sink<T>();
  Plugin out(NFBUS_PLUGIN_SINK, name, info);
  out.set(&detail::kSink<T>);
  return out;
}

}  // namespace nfbus

// NFBUS_SINK(Class, "name") or NFBUS_SINK(Class, "name", {.summary = "...", ...}): the one plugin of a shared object,
// outside of any namespace. The fields are nfbus::Info's.
#define NFBUS_SINK(Class, ...) NFBUS_LIBRARY(::nfbus::sink<Class>(__VA_ARGS__))
