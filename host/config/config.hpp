// The configuration as typed values: what the rest of the host works with. config/ alone knows of TOML.
#pragma once

#include "bus/overflow.hpp"
#include "capture/settings.hpp"
#include "config/listen_address.hpp"
#include "config/option_places.hpp"
#include "delivery/spill/settings.hpp"
#include "event/topic_pattern.hpp"
#include "formats/names.hpp"
#include "support/placed.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Defaults, each with its unit and reason; those of a capture stand in capture/settings.hpp. Contract: design
// section 4.
namespace defaults {
inline constexpr char kConfigFile[] = "/etc/nfbus/nfbus.toml";
inline constexpr char kDevice[] = "nfbus";
inline constexpr char kTopicRoot[] = "nft:";
inline constexpr char kUser[] = "nfbus";  // used only where that account exists
inline constexpr char kBusSocket[] = "/run/nfbus/server.sock";
inline constexpr std::string_view kBusFormat = "packet";
inline constexpr std::size_t kQueueEvents = 65536;
inline constexpr std::size_t kQueueBytes = 16UL << 20;          // keeps host and one hung sink under 64 MiB
inline constexpr std::uint64_t kDeadLettersBytes = 16UL << 20;  // a day of a packet a second, about
}  // namespace defaults

enum class BusPayload : std::uint8_t { none = 1, full = 2 };

struct HostConfig {
  std::string device = defaults::kDevice;  // `dvc` in the ulogd format
  std::vector<std::string> plugin_dirs;    // beside the built-in one
  std::string topic_root = defaults::kTopicRoot;
  std::string user = defaults::kUser;
  bool user_given = false;  // another than the default was named: it must exist

  bool operator==(const HostConfig&) const = default;
};

struct BusConfig {
  std::string socket = defaults::kBusSocket;
  std::string group;                                             // owner group of the socket; empty: unchanged
  FormatId format = chosen_format(defaults::kBusFormat, false);  // with the payload that `payload` says
  BusPayload payload = BusPayload::none;
  std::vector<std::string> filters;  // that packets pass before they go to clients

  bool operator==(const BusConfig&) const = default;
};

struct MetricsConfig {
  std::optional<ListenAddress> listen;  // none: there are no metrics
  std::string token;                    // empty: anybody who can connect may read them

  bool operator==(const MetricsConfig&) const = default;
};

// A plugin's own keys, as JSON text (an object), checked against its schema and with its defaults filled in.
struct PluginConfig {
  std::string name;    // the instance: "archive"
  std::string plugin;  // the plugin: "pcap"
  std::string options_json;
  Placed where;
  OptionPlaces places;

  bool operator==(const PluginConfig&) const = default;
};

using FilterConfig = PluginConfig;

struct SpillConfig {
  spill::Settings settings;
  spill::Mode mode = spill::Mode::overflow;

  bool operator==(const SpillConfig&) const = default;
};

struct DeadLettersConfig {
  std::string file;  // empty: what a sink rejects is but counted
  std::uint64_t max_bytes = defaults::kDeadLettersBytes;

  bool operator==(const DeadLettersConfig&) const = default;
};

struct SinkConfig : PluginConfig {
  std::vector<TopicPattern> topics;  // of which an event's topic must begin like one; empty: every packet topic
  std::vector<std::string> filters;
  std::size_t queue_events = defaults::kQueueEvents;
  std::size_t queue_bytes = defaults::kQueueBytes;
  Overflow overflow = Overflow::drop_oldest;
  std::optional<SpillConfig> spill;  // none: no disk queue, also in a replay
  DeadLettersConfig dead_letters;
  std::string target;  // its first output, for status; empty: none that the host knows of

  bool operator==(const SinkConfig&) const = default;
};

struct Config {
  std::string file;
  HostConfig host;
  BusConfig bus;
  MetricsConfig metrics;
  std::vector<CaptureConfig> captures;
  std::vector<FilterConfig> filters;
  std::vector<SinkConfig> sinks;
  std::vector<PluginConfig> sources;
};

}  // namespace nfbus::host
