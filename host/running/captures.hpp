// What plugins may know of the configured captures and sinks: the extension of nfbus/captures.h.
#pragma once

#include "config/config.hpp"
#include "event/topic_pattern.hpp"
#include "plugins/registry.hpp"

#include <nfbus/captures.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

// Outlives the instances that it is given to. Thread safety: as const objects.
class ConfiguredCaptures {
 public:
  // [control] The configuration was checked.
  ConfiguredCaptures(const Config& config, const PluginRegistry& plugins);
  ConfiguredCaptures(const ConfiguredCaptures&) = delete;
  ConfiguredCaptures& operator=(const ConfiguredCaptures&) = delete;
  ~ConfiguredCaptures() = default;

  [[nodiscard]] const nfbus_captures* abi() const noexcept { return &abi_; }

 private:
  static std::uint32_t is_wanted(const void* context, nfbus_text prefix) noexcept;

  std::vector<std::uint16_t> groups_;
  std::vector<std::vector<TopicPattern>> topics_;  // of each sink that takes packets; empty: every packet topic
  std::string topic_root_;
  nfbus_captures abi_{};
};

}  // namespace nfbus::host
