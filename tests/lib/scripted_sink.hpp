// A sink whose answers a test scripts, as an in-memory plugin: no .so, the same calls.
#pragma once

#include "event/event.hpp"
#include "plugins/instance.hpp"

#include <nfbus/abi.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace nfbus::host::test {

// What the sink does and what it saw. One test at a time uses it. Thread safety: any thread.
class ScriptedSink {
 public:
  using Write = std::function<std::uint32_t(const nfbus_events&, nfbus_report&)>;

  // on_write: called for each write(); its answer is the sink's.
  explicit ScriptedSink(Write on_write) : on_write_(std::move(on_write)) { current() = this; }
  ScriptedSink(const ScriptedSink&) = delete;
  ScriptedSink& operator=(const ScriptedSink&) = delete;
  ~ScriptedSink() { current() = nullptr; }

  [[nodiscard]] static const Plugin& plugin();

  // Waits until so many write() calls have returned.
  void wait_calls(std::size_t calls) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sizes_.size() >= calls; });
  }
  [[nodiscard]] std::vector<std::size_t> call_sizes() const {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }
  [[nodiscard]] std::vector<std::uint32_t> seen() const {
    const std::lock_guard lock(mutex_);
    return sequences_;
  }
  // "open", "reopen", "flush", "close" in the order of their calls.
  [[nodiscard]] std::vector<std::string> history() const {
    const std::lock_guard lock(mutex_);
    return history_;
  }
  void wait_history(const std::string& call, std::ptrdiff_t times = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::count(history_.begin(), history_.end(), call) >= times; });
  }

  const nfbus_host* host = nullptr;  // of the instance that was made last
  nfbus_shape shape{};               // what open() asks for
  std::uint32_t flush_answer = NFBUS_OK;

 private:
  static ScriptedSink*& current() {
    static ScriptedSink* sink = nullptr;
    return sink;
  }
  void note(const char* call) {
    const std::lock_guard lock(mutex_);
    history_.emplace_back(call);
    changed_.notify_all();
  }
  std::uint32_t write(const nfbus_events& events, nfbus_report& report) {
    const std::uint32_t answer = on_write_(events, report);
    const std::lock_guard lock(mutex_);
    sizes_.push_back(events.count);
    for (std::uint32_t i = 0; i < events.count; ++i) sequences_.push_back(events.items[i]->sequence);
    changed_.notify_all();
    return answer;
  }

  const Write on_write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> sizes_;
  std::vector<std::uint32_t> sequences_;
  std::vector<std::string> history_;
};

inline const Plugin& ScriptedSink::plugin() {
  static const nfbus_sink kSink = {
      .struct_size = sizeof(nfbus_sink),
      .reserved = 0,
      .create = [](const nfbus_host* host, const nfbus_options*, void** instance, nfbus_error*) -> std::uint32_t {
        *instance = current();
        current()->host = host;
        return NFBUS_OK;
      },
      .open = [](void* self, nfbus_shape* shape, nfbus_error*) -> std::uint32_t {
        auto* sink = static_cast<ScriptedSink*>(self);
        shape->batch_events = sink->shape.batch_events;
        shape->batch_bytes = sink->shape.batch_bytes;
        shape->batch_age_ms = sink->shape.batch_age_ms;
        shape->tick_ms = sink->shape.tick_ms;
        sink->note("open");
        return NFBUS_OK;
      },
      .write = [](void* self, const nfbus_events* events, nfbus_report* report, nfbus_error*) -> std::uint32_t {
        return static_cast<ScriptedSink*>(self)->write(*events, *report);
      },
      .reopen = [](void* self, nfbus_error*) -> std::uint32_t {
        static_cast<ScriptedSink*>(self)->note("reopen");
        return NFBUS_OK;
      },
      .flush = [](void* self, nfbus_error*) -> std::uint32_t {
        static_cast<ScriptedSink*>(self)->note("flush");
        return static_cast<ScriptedSink*>(self)->flush_answer;
      },
      .tick = [](void* self, nfbus_error*) -> std::uint32_t {
        static_cast<ScriptedSink*>(self)->note("tick");
        return NFBUS_OK;
      },
      .close = [](void* self) { static_cast<ScriptedSink*>(self)->note("close"); },
      .destroy = [](void*) {},
      .diagnose = nullptr,
  };
  static const nfbus_plugin kEntry = [] {
    nfbus_plugin entry{};
    entry.struct_size = sizeof(nfbus_plugin);
    entry.plugin_kind = NFBUS_PLUGIN_SINK;
    entry.name = NFBUS_TEXT("scripted");
    entry.sink = &kSink;
    return entry;
  }();
  static const Plugin kPlugin{.entry = &kEntry, .file = "scripted.so", .library = nullptr};
  return kPlugin;
}

}  // namespace nfbus::host::test
