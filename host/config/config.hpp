// The configuration as typed values: what the rest of the host works with. config/ alone knows of TOML.
#pragma once

#include "bus/overflow.hpp"
#include "config/listen_address.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

// Defaults, in one place, each with its unit and reason. Contract: design section 4.
namespace defaults {
inline constexpr char kConfigFile[] = "/etc/nfbus/nfbus.toml";
inline constexpr char kDevice[] = "nfbus";
inline constexpr char kTopicRoot[] = "nft:";
inline constexpr char kUser[] = "nfbus";  // used only where that account exists
inline constexpr char kBusSocket[] = "/run/nfbus/server.sock";
inline constexpr std::uint32_t kSnaplenBytes = 65535;        // all of any packet
inline constexpr std::uint32_t kLatencyMs = 4;               // the kernel's next tick: big batches, yet prompt
inline constexpr std::uint32_t kRecvBufferBytes = 8U << 20;  // a quarter second of small packets at full blast
inline constexpr std::size_t kQueueEvents = 65536;
inline constexpr std::size_t kQueueBytes = 16UL << 20;  // keeps host and one hung sink under 64 MiB
}  // namespace defaults

enum class Action : std::uint8_t { allowed = 1, blocked = 2 };  // values of NFBUS_ACTION_*
enum class BusFormat : std::uint8_t { packet = 1, ulogd = 2 };
enum class BusPayload : std::uint8_t { none = 1, full = 2 };

// Where a table stands. Tables that only moved are equal.
struct Placed : Location {
  Placed() = default;
  Placed(Location location) : Location(std::move(location)) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const Placed& /*other*/) const noexcept { return true; }
};

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
  std::string group;  // owner group of the socket; empty: unchanged
  BusFormat format = BusFormat::packet;
  BusPayload payload = BusPayload::none;

  bool operator==(const BusConfig&) const = default;
};

struct MetricsConfig {
  std::optional<ListenAddress> listen;  // none: there are no metrics
  std::string token;                    // empty: anybody who can connect may read them

  bool operator==(const MetricsConfig&) const = default;
};

struct CaptureConfig {
  std::uint16_t group = 0;
  Action action = Action::allowed;
  std::vector<std::string> prefixes;  // lower-cased and trimmed; empty: forward all
  std::vector<std::string> filters;   // names of FilterConfig, in order
  std::uint32_t snaplen_bytes = defaults::kSnaplenBytes;
  std::uint32_t latency_ms = defaults::kLatencyMs;
  std::uint32_t recv_buffer_bytes = defaults::kRecvBufferBytes;
  Placed where;

  bool operator==(const CaptureConfig&) const = default;
};

// A plugin's own keys, as JSON text (an object), checked against its schema and with its defaults filled in.
struct PluginConfig {
  std::string name;    // the instance: "archive"
  std::string plugin;  // the plugin: "pcap"
  std::string options_json;
  Placed where;

  bool operator==(const PluginConfig&) const = default;
};

using FilterConfig = PluginConfig;

struct SinkConfig : PluginConfig {
  std::vector<std::string> topics;  // prefixes of whole topics; empty: every packet topic
  std::vector<std::string> filters;
  std::size_t queue_events = defaults::kQueueEvents;
  std::size_t queue_bytes = defaults::kQueueBytes;
  Overflow overflow = Overflow::drop_oldest;

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
};

}  // namespace nfbus::host
