// An instance of a source plugin, as the host holds it.
#pragma once

#include "plugins/diagnosis.hpp"
#include "plugins/instance.hpp"
#include "plugins/registry.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Takes what a source's plugin hands over: stands behind its nfbus_feed. On the thread of run() alone.
class SourceFeed {
 public:
  // How far a call came, and NFBUS_OK, NFBUS_FULL or NFBUS_STOPPING.
  struct Accepted {
    std::uint32_t count;
    std::uint32_t status;
  };

  SourceFeed() = default;
  SourceFeed(const SourceFeed&) = delete;
  SourceFeed& operator=(const SourceFeed&) = delete;
  virtual ~SourceFeed() = default;

  // No item is null. What they point to is the plugin's until the call returns.
  virtual Accepted take(std::span<const nfbus_record* const> records) = 0;
  virtual Accepted take(std::span<const nfbus_message* const> messages) = 0;
  // Waits for a stop, at most so long; whether there is one.
  virtual bool wait_for_stop(std::uint32_t timeout_ms) = 0;
};

// Created by create(), destroyed by its destructor. Threads as in nfbus_source. Nothing that a plugin throws comes
// through: it is an error like those that the plugin returns, with Code::invalid from create() and Code::io from the
// others.
class SourceInstance {
 public:
  // [control] As SinkInstance::create().
  static Result<std::unique_ptr<SourceInstance>> create(const Plugin& plugin, std::string name,
                                                        std::string_view options_json, const SharedServices& shared);
  SourceInstance(const SourceInstance&) = delete;
  SourceInstance& operator=(const SourceInstance&) = delete;
  ~SourceInstance();  // [control] close() must have been called if open() had succeeded

  Result<void> open();
  // Returns when the source has ended, by itself or after stop().
  Result<void> run(SourceFeed& feed);
  // [any] While run() runs.
  void stop() noexcept;
  // On the thread that ran, or [control] where none did.
  void close() noexcept;
  // [control] Before open(). Nothing is found by a source without diagnose().
  [[nodiscard]] std::vector<Finding> diagnose();

  [[nodiscard]] bool lossless() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] InstanceServices& services() noexcept;

 private:
  struct State;
  explicit SourceInstance(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace nfbus::host
