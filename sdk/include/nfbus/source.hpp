// A source in C++: a class and one macro.
//
//   class Reader {
//    public:
//     Reader(nfbus::Host host, const nfbus::Options& options);  // [control] or a default constructor
//     void open();                                              // [control] opens inputs; never waits for a peer
//     void run(nfbus::Feed feed);                               // [worker]  required: until the end, or a stop
//     void stop();                                              // [any]     ends a wait that feed cannot end
//     void close();                                             // [worker]  the counterpart of open()
//     void diagnose(nfbus::Findings findings);                  // [control] for `nfbus doctor`
//   };                                                          // [control] destructor
//   NFBUS_SOURCE(Reader, "reader", {.summary = "reads what others wrote", .schema = kSchema, .lossless = true})
//
// All but the constructor and run() may be left out. open and run may return nfbus::Result<void>. An exception is an
// error: of the constructor and open() the host does not start; of run() the source has ended, and the host goes on
// without it.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/detail/members.hpp>
#include <nfbus/plugin.hpp>
#include <nfbus/text.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus {

// Takes what a source hands over. Valid during run(), on its thread.
class Feed {
 public:
  // How far a call came.
  struct Accepted {
    std::uint32_t count;   // the first so many are accounted for, and must not come again
    std::uint32_t status;  // NFBUS_OK, NFBUS_FULL or NFBUS_STOPPING
    [[nodiscard]] bool full() const noexcept { return status == NFBUS_FULL; }
    [[nodiscard]] bool stopping() const noexcept { return status == NFBUS_STOPPING; }
  };

  explicit Feed(const nfbus_feed* raw) noexcept : raw_(raw) {}

  // Packets, or messages. What they point to is copied. A lossless source that finds it full has waited some
  // milliseconds, and hands the rest over again.
  [[nodiscard]] Accepted records(std::span<const nfbus_record* const> items) const noexcept {
    return give(raw_->records, items.data(), items.size());
  }
  [[nodiscard]] Accepted messages(std::span<const nfbus_message* const> items) const noexcept {
    return give(raw_->messages, items.data(), items.size());
  }
  // One message, now.
  [[nodiscard]] Accepted message(std::string_view topic, std::string_view text) const noexcept {
    const nfbus_message message{sizeof message, 0, 0, to_text(topic), to_text(text)};
    const nfbus_message* const one = &message;
    return messages({&one, 1});
  }
  // Waits until run() is to return, at most so long; true: it is to return.
  [[nodiscard]] bool wait_for_stop(std::uint32_t timeout_ms) const noexcept {
    return raw_->wait(raw_->context, timeout_ms) == NFBUS_STOPPING;
  }

 private:
  template <typename Give, typename Items>
  [[nodiscard]] Accepted give(Give function, Items items, std::size_t count) const noexcept {
    Accepted taken{};
    taken.status = function(raw_->context, items, static_cast<std::uint32_t>(count), &taken.count);
    return taken;
  }

  const nfbus_feed* raw_;
};

namespace detail {

template <typename T>
concept Runs = requires(T& source, Feed feed) {
  source.run(feed);
};
template <typename T>
concept Stops = requires(T& source) {
  source.stop();
};

template <typename T>
std::uint32_t open_source(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).open(); });
}

template <typename T>
std::uint32_t run(void* instance, const nfbus_feed* feed, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).run(Feed(feed)); });
}

template <typename T>
void stop(void* instance) noexcept {
  auto* owned = static_cast<Instance<T>*>(instance);
  guard_or_log(owned->host, "failed to stop: ", [&] { owned->plugin.stop(); });
}

template <typename T>
constexpr void check_source() {
  static_assert(is_creatable<T>,
                "nfbus: a source needs a public constructor `T(nfbus::Host host, const nfbus::Options& options)` or "
                "`T()`");
  static_assert(Runs<T>,
                "nfbus: a source needs a public `void run(nfbus::Feed feed)`; it may return nfbus::Result<void>");
  if constexpr (Runs<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().run(std::declval<Feed>()))>,
                  "nfbus: run must return void or nfbus::Result<void>");
  }
  static_assert(!has_open<T>() || Opens<T>,
                "nfbus: a source's open must be `void open()`, public; it may return nfbus::Result<void>");
  static_assert(!has_stop<T>() || Stops<T>, "nfbus: stop must be `void stop()`, public");
  check_close<T>();
  check_diagnose<T>();
}

template <typename T>
constexpr nfbus_source source_table() {
  nfbus_source out{};
  out.struct_size = sizeof out;
  out.create = &create<T>;
  if constexpr (Opens<T>) out.open = &open_source<T>;
  out.run = &run<T>;
  if constexpr (Stops<T>) out.stop = &stop<T>;
  if constexpr (Closes<T>) out.close = &close<T>;
  out.destroy = &destroy<T>;
  if constexpr (Diagnoses<T>) out.diagnose = &diagnose<T>;
  return out;
}

template <typename T>
inline constexpr nfbus_source kSource = source_table<T>();

}  // namespace detail

// A source for NFBUS_LIBRARY.
template <typename T>
constexpr Plugin source(std::string_view name, const Info& info = {}) {
  detail::check_source<T>();
  Plugin out(NFBUS_PLUGIN_SOURCE, name, info);
  out.set(&detail::kSource<T>);
  return out;
}

}  // namespace nfbus

// NFBUS_SOURCE(Class, "name") or NFBUS_SOURCE(Class, "name", {.summary = "...", ...}): the one plugin of a shared
// object, outside of any namespace. The fields are nfbus::Info's.
#define NFBUS_SOURCE(Class, ...) NFBUS_LIBRARY(::nfbus::source<Class>(__VA_ARGS__))
