#include "running/captures.hpp"

#include "event/topic.hpp"
#include "plugins/handshake.hpp"

#include <nfbus/text.hpp>

#include <algorithm>

namespace nfbus::host {

ConfiguredCaptures::ConfiguredCaptures(const Config& config, const PluginRegistry& plugins)
    : topic_root_(config.host.topic_root) {
  for (const CaptureConfig& capture : config.captures) groups_.push_back(capture.group);
  for (const SinkConfig& sink : config.sinks) {
    if ((event_kinds_of(*plugins.find(sink.plugin)->entry) & NFBUS_EVENT_PACKET) != 0) topics_.push_back(sink.topics);
  }
  abi_ = {.struct_size = sizeof abi_,
          .group_count = static_cast<std::uint32_t>(groups_.size()),
          .groups = groups_.data(),
          .context = this,
          .is_wanted = is_wanted};
}

std::uint32_t ConfiguredCaptures::is_wanted(const void* context, nfbus_text prefix) noexcept {
  const auto& self = *static_cast<const ConfiguredCaptures*>(context);
  try {
    const std::string topic = make_topic(self.topic_root_, to_view(prefix));
    return std::ranges::any_of(self.topics_, [&](const auto& topics) {
      return topics.empty() ||
             std::ranges::any_of(topics, [&](const TopicPattern& pattern) { return pattern.fits_packet(topic); });
    });
  } catch (const std::exception&) {
    return 1;  // memory is short: nothing is said of it
  }
}

}  // namespace nfbus::host
