// A filter in C++: a class and one macro.
//
//   class Quiet {
//    public:
//     Quiet(nfbus::Host host, const nfbus::Options& options);  // [control] or a default constructor
//     void open(nfbus::Shape& shape);                          // [control] opens inputs; never waits for a peer
//     void apply(nfbus::Candidates candidates);                // [worker]  required
//     void reopen();                                           // [worker]  reopens files after an outside rotation
//     void tick();                                             // [worker]  about each Shape::tick_ms
//     void hear(nfbus::Events messages);                       // [worker]  of the topics of Host::listen()
//     void finish();                                           // [worker]  no event will come any more
//     void diagnose(nfbus::Findings findings);                 // [control] for `nfbus doctor`
//   };                                                         // [control] destructor
//   NFBUS_FILTER(Quiet, "quiet", {.summary = "drops the usual", .schema = kSchema})
//
// Calls to one instance never overlap. All but the constructor and apply() may be left out. open, reopen, tick, hear
// and finish may return nfbus::Result<void>; tick comes each .shape = {.tick_ms = ...}. An exception of the constructor
// and of open(): the host does not start. Of the others: it is logged and counted; of apply(), every event of that call
// is kept.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/detail/members.hpp>
#include <nfbus/event.hpp>
#include <nfbus/plugin.hpp>
#include <nfbus/text.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus {

// An event that is being judged; it is kept unless drop() is called.
class Candidate {
 public:
  Candidate(nfbus_filter_call* call, std::uint32_t index) noexcept : call_(call), index_(index) {}

  // As it is by now: ask anew after a change.
  [[nodiscard]] Event event() const noexcept { return Event(call_->items[index_]); }
  void drop() const noexcept { call_->verdicts[index_] = NFBUS_DROP; }

  // Adds a field for those downstream; both texts are copied. A name that the event already has is replaced. False, and
  // nothing changes: beyond the limits (NFBUS_MAX_...), or no memory.
  // NOLINTBEGIN(modernize-use-nodiscard): most filters have nothing to do about it
  bool annotate(std::string_view name, std::string_view value) const noexcept {
    return annotate(name, value, NFBUS_VALUE_TEXT);
  }
  bool annotate(std::string_view name, const char* value) const noexcept {
    return annotate(name, std::string_view(value));
  }
  bool annotate(std::string_view name, const AddressText& value) const noexcept {
    return annotate(name, value.view(), NFBUS_VALUE_ADDRESS);
  }
  bool annotate(std::string_view name, bool value) const noexcept {
    return annotate(name, value ? "true" : "false", NFBUS_VALUE_BOOLEAN);
  }
  template <typename Number>
  requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>) bool annotate(std::string_view name,
                                                                                        Number value) const noexcept {
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return annotate(name, std::string_view(digits.data(), end),
                    std::is_integral_v<Number> ? NFBUS_VALUE_INTEGER : NFBUS_VALUE_NUMBER);
  }
  // Any JSON, shown as it is.
  bool annotate_json(std::string_view name, std::string_view json) const noexcept {
    return annotate(name, json, NFBUS_VALUE_JSON);
  }
  // Another topic; see nfbus_filter_call. False: it is not allowed.
  bool set_topic(std::string_view topic) const noexcept {
    return call_->set_topic(call_->context, index_, to_text(topic)) == NFBUS_OK;
  }
  // Writes other bytes over a part of the packet (NFBUS_PART_*), from `offset` on; checksums follow. False: not within
  // that part.
  bool rewrite(std::uint32_t part, std::uint32_t offset, std::span<const std::uint8_t> bytes) const noexcept {
    return call_->rewrite(call_->context, index_, part, offset, {bytes.data(), bytes.size()}) == NFBUS_OK;
  }
  // Keeps the first bytes of the packet's payload; its length on the wire stays.
  bool cut(std::uint32_t size_bytes) const noexcept {
    return call_->cut(call_->context, index_, size_bytes) == NFBUS_OK;
  }
  // NOLINTEND(modernize-use-nodiscard)

 private:
  [[nodiscard]] bool annotate(std::string_view name, std::string_view value, std::uint32_t type) const noexcept {
    const nfbus_field field{to_text(name), to_text(value), type, 0};
    return call_->annotate(call_->context, index_, &field) == NFBUS_OK;
  }

  nfbus_filter_call* call_;
  std::uint32_t index_;
};

// The events of one apply(), at least one, all of one kind. A range; pass it by value.
class Candidates {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using iterator_concept = std::forward_iterator_tag;
    using value_type = Candidate;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Candidate;

    Iterator() = default;
    Iterator(nfbus_filter_call* call, std::uint32_t index) noexcept : call_(call), index_(index) {}

    Candidate operator*() const noexcept { return {call_, index_}; }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    Iterator operator++(int) noexcept { return {call_, index_++}; }
    bool operator==(const Iterator&) const = default;

   private:
    nfbus_filter_call* call_ = nullptr;
    std::uint32_t index_ = 0;
  };

  explicit Candidates(nfbus_filter_call* call) noexcept : call_(call) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return call_->count; }
  [[nodiscard]] Candidate operator[](std::uint32_t index) const noexcept { return {call_, index}; }
  [[nodiscard]] Iterator begin() const noexcept { return {call_, 0}; }
  [[nodiscard]] Iterator end() const noexcept { return {call_, call_->count}; }

 private:
  nfbus_filter_call* call_;
};

namespace detail {

template <typename T>
concept Applies = requires(T& filter, Candidates candidates) {
  filter.apply(candidates);
};

template <typename T>
concept Hears = requires(T& filter, Events messages) {
  filter.hear(messages);
};

template <typename T>
concept Finishes = requires(T& filter) {
  filter.finish();
};

template <typename T>
std::uint32_t finish(void* instance, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).finish(); });
}

template <typename T>
std::uint32_t hear(void* instance, const nfbus_events* messages, nfbus_error* error) noexcept {
  return guard(error, [&] { return plugin_of<T>(instance).hear(Events(messages, nullptr)); });
}

template <typename T>
std::uint32_t apply(void* instance, nfbus_filter_call* call, nfbus_error* error) noexcept {
  return guard(error, [&] { plugin_of<T>(instance).apply(Candidates(call)); });
}

template <typename T>
constexpr void check_filter() {
  static_assert(is_creatable<T>,
                "nfbus: a filter needs a public constructor `T(nfbus::Host host, const nfbus::Options& options)` or "
                "`T()`");
  static_assert(Applies<T>, "nfbus: a filter needs a public `void apply(nfbus::Candidates candidates)`");
  if constexpr (Applies<T>) {
    static_assert(std::is_void_v<decltype(std::declval<T&>().apply(std::declval<Candidates>()))>,
                  "nfbus: apply must return void");
  }
  static_assert(!has_hear<T>() || Hears<T>,
                "nfbus: hear must be `void hear(nfbus::Events messages)`, public; it may return nfbus::Result<void>");
  if constexpr (Hears<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().hear(std::declval<Events>()))>,
                  "nfbus: hear must return void or nfbus::Result<void>");
  }
  static_assert(!has_finish<T>() || Finishes<T>,
                "nfbus: finish must be `void finish()`, public; it may return nfbus::Result<void>");
  if constexpr (Finishes<T>) {
    static_assert(is_void_or_result<decltype(std::declval<T&>().finish())>,
                  "nfbus: finish must return void or nfbus::Result<void>");
  }
  check_open<T>();
  check_reopen<T>();
  check_tick<T>();
  check_diagnose<T>();
}

template <typename T>
constexpr nfbus_filter filter_table() {
  nfbus_filter out{};
  out.struct_size = sizeof out;
  out.create = &create<T>;
  if constexpr (Opens<T> || OpensWithShape<T>) out.open = &open<T>;
  out.apply = &apply<T>;
  if constexpr (Reopens<T>) out.reopen = &reopen<T>;
  if constexpr (Ticks<T>) out.tick = &tick<T>;
  if constexpr (Hears<T>) out.hear = &hear<T>;
  if constexpr (Finishes<T>) out.finish = &finish<T>;
  out.destroy = &destroy<T>;
  if constexpr (Diagnoses<T>) out.diagnose = &diagnose<T>;
  return out;
}

template <typename T>
inline constexpr nfbus_filter kFilter = filter_table<T>();

}  // namespace detail

// A filter for NFBUS_LIBRARY.
template <typename T>
constexpr Plugin filter(std::string_view name, const Info& info = {}) {
  detail::check_filter<T>();
  if (!detail::Ticks<T> && info.shape.tick_ms != 0) throw "nfbus: a filter with a tick_ms needs a public `void tick()`";
  Plugin out(NFBUS_PLUGIN_FILTER, name, info);
  out.set(&detail::kFilter<T>);
  return out;
}

}  // namespace nfbus

// NFBUS_FILTER(Class, "name") or NFBUS_FILTER(Class, "name", {.summary = "...", ...}): the one plugin of a shared
// object, outside of any namespace. The fields are nfbus::Info's.
#define NFBUS_FILTER(Class, ...) NFBUS_LIBRARY(::nfbus::filter<Class>(__VA_ARGS__))
