// Gives what the host offers to an instance and to a command.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/dns.hpp>
#include <nfbus/event.hpp>
#include <nfbus/match.hpp>
#include <nfbus/result.hpp>
#include <nfbus/text.hpp>

#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus {

// A copy of an event that outlives the call that handed the event over; given back by the destructor, which must run
// before the instance ends. [any]
class EventCopy {
 public:
  EventCopy() = default;
  EventCopy(const nfbus_host* host, const nfbus_event* event) noexcept : host_(host), event_(event) {}
  EventCopy(EventCopy&& other) noexcept : host_(other.host_), event_(std::exchange(other.event_, nullptr)) {}
  EventCopy& operator=(EventCopy&& other) noexcept {
    std::swap(host_, other.host_);
    std::swap(event_, other.event_);
    return *this;
  }
  EventCopy(const EventCopy&) = delete;
  EventCopy& operator=(const EventCopy&) = delete;
  ~EventCopy() {
    if (event_ != nullptr) host_->event_release(host_->context, event_);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return event_ != nullptr; }
  // Valid as long as this copy. Must not be called when the copy is empty.
  [[nodiscard]] Event event() const noexcept { return Event(event_); }

 private:
  const nfbus_host* host_ = nullptr;
  const nfbus_event* event_ = nullptr;
};

// A number of this instance that `nfbus status` shows. [any]
class Counter {
 public:
  Counter(const nfbus_host* host, std::uint32_t number) noexcept : host_(host), number_(number) {}
  void add(std::uint64_t amount = 1) const noexcept { host_->counter_add(host_->context, number_, amount); }

 private:
  const nfbus_host* host_;
  std::uint32_t number_;
};

// A handle, as large as a pointer; pass and keep it by value. Valid until the instance's destructor has returned.
class Host {
 public:
  explicit Host(const nfbus_host* raw) noexcept : raw_(raw) {}

  [[nodiscard]] const nfbus_host* raw() const noexcept { return raw_; }
  // "archive" for [sink.archive].
  [[nodiscard]] std::string_view instance_name() const noexcept { return to_view(raw_->instance_name); }

  // [any] One line in the host's log.
  void error(std::string_view line) const noexcept { log(NFBUS_LOG_ERROR, line); }
  void warning(std::string_view line) const noexcept { log(NFBUS_LOG_WARNING, line); }
  void info(std::string_view line) const noexcept { log(NFBUS_LOG_INFO, line); }
  void debug(std::string_view line) const noexcept { log(NFBUS_LOG_DEBUG, line); }
  void log(std::uint32_t level, std::string_view line) const noexcept {
    raw_->log(raw_->context, level, to_text(line));
  }

  // [any] Publishes a message event. False when it is refused: the host's own topics are not for plugins, and a loop of
  // plugins that answer each other's messages is ended.
  [[nodiscard]] bool publish(std::string_view topic, std::string_view text) const noexcept {
    return raw_->publish(raw_->context, to_text(topic), to_text(text)) == NFBUS_OK;
  }

  // [control] A text format by its name. Throws std::invalid_argument when this host does not know it.
  [[nodiscard]] Format format(std::string_view name) const {
    const std::uint32_t number = raw_->format(raw_->context, to_text(name));
    if (number == 0) throw std::invalid_argument("this host does not know the format \"" + std::string(name) + '"');
    return {raw_, number};
  }

  // [any] Compiles a match from JSON: a table, or an array of tables, any of which may hold; Options::json() has it of
  // a key whose schema says "x-match". Throws std::invalid_argument, which says what is wrong and where.
  [[nodiscard]] Match match(std::string_view json) const {
    nfbus_error error{};
    error.struct_size = sizeof error;
    const nfbus_match* compiled = raw_->match_compile(raw_->context, to_text(json), &error);
    if (compiled == nullptr) throw std::invalid_argument(std::string(error.text, error.size));
    return {raw_, compiled};
  }

  // [worker] A copy of an event. Throws std::bad_alloc when memory is short.
  [[nodiscard]] EventCopy copy(Event event) const {
    const nfbus_event* copy = raw_->event_copy(raw_->context, event.raw());
    if (copy == nullptr) throw std::bad_alloc();
    return {raw_, copy};
  }

  // [worker] The DNS message that a packet carries (UDP and TCP port 53, mDNS); none when there is none or it is
  // broken. Decoded by this call: ask once an event, and only of packets that may have one. Valid until the next dns()
  // and not beyond the call that handed the event over.
  [[nodiscard]] std::optional<Dns> dns(Event event) const noexcept {
    const nfbus_dns* dns = raw_->dns(raw_->context, event.raw());
    return dns == nullptr ? std::nullopt : std::optional<Dns>(dns);
  }

  // [any] Returns what the host has under this id (sdk/ABI.md), as the struct that the id's header describes; null when
  // it does not know it. Valid as long as the instance.
  template <typename T>
  [[nodiscard]] const T* extension(std::string_view id) const noexcept {
    return static_cast<const T*>(raw_->extension(raw_->context, to_text(id)));
  }

  // [any] Has the worker call tick() as soon as it can. Several before that tick are one.
  void wake() const noexcept { raw_->wake(raw_->context); }

  // [worker] The event as bytes, to keep; valid until the next record() of this instance and not beyond the call that
  // handed the event over. Empty when memory is short.
  [[nodiscard]] std::span<const std::uint8_t> record(Event event) const noexcept {
    const nfbus_bytes bytes = raw_->record(raw_->context, event.raw());
    return {bytes.data, bytes.size};
  }

  // [worker] The event that record() wrote, of this or an earlier run: to match and render it. Throws
  // std::invalid_argument, which says what is wrong, when it is no such record.
  [[nodiscard]] EventCopy event_of(std::span<const std::uint8_t> record) const {
    nfbus_error error{};
    error.struct_size = sizeof error;
    const nfbus_event* event = raw_->event_of(raw_->context, {record.data(), record.size()}, &error);
    if (event == nullptr) throw std::invalid_argument(std::string(error.text, error.size));
    return {raw_, event};
  }

  // [control] Messages whose topic starts with the prefix come to the filter's hear(). Only in the constructor of a
  // filter that has one; else throws std::logic_error.
  void listen(std::string_view topic_prefix) const {
    if (raw_->listen(raw_->context, to_text(topic_prefix)) != NFBUS_OK) {
      throw std::logic_error("only the constructor of a filter may listen to messages");
    }
  }

  // [worker] And in open(), close() and diagnose(), and of a command's instances. Asks the instance's privileged part
  // (nfbus/privileged.hpp), and waits so long for its answer. Errors: invalid: the part's own error; refused: there is
  // none here, or the request is longer than NFBUS_MAX_REQUEST; busy: no answer in time; io: it has ended.
  [[nodiscard]] Result<std::string> request(std::string_view request, std::chrono::milliseconds timeout) const {
    nfbus_error error{};
    error.struct_size = sizeof error;
    nfbus_bytes answer{};
    const std::uint32_t status =
        raw_->request(raw_->context, {reinterpret_cast<const std::uint8_t*>(request.data()), request.size()},
                      static_cast<std::uint32_t>(timeout.count()), &answer, &error);
    if (status == NFBUS_OK) return std::string(reinterpret_cast<const char*>(answer.data), answer.size);
    Code code = Code::io;
    if (status == NFBUS_REFUSED) code = Code::refused;
    if (status == NFBUS_RETRY) code = Code::busy;
    if (status == NFBUS_FAILED) code = Code::invalid;
    return Error{code, std::string(error.text, error.size)};
  }

  // [control] Registers a counter. When there are too many, the counter counts nothing.
  [[nodiscard]] Counter counter(std::string_view name) const noexcept {
    return {raw_, raw_->counter(raw_->context, to_text(name))};
  }

 private:
  const nfbus_host* raw_;
};

}  // namespace nfbus
