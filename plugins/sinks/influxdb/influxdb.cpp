// Packets as points of InfluxDB 1, 2 and 3.
#include "delivery.hpp"
#include "diagnosis.hpp"
#include "points.hpp"
#include "schema.hpp"
#include "server.hpp"
#include "settings.hpp"

#include <nfbus/sink.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint32_t kMostBatchEvents = 20'000;
constexpr std::uint64_t kBatchBytes = 8U << 20U;

std::string machine_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

// [host] device, which stands in each packet's ulogd form; empty: the configuration does not say it.
std::string configured_device(std::string_view ulogd) {
  constexpr std::string_view kKey = R"("dvc":")";
  constexpr std::string_view kDefault = "nfbus";
  const std::size_t at = ulogd.find(kKey);
  if (at == std::string_view::npos) return {};
  std::string out;
  for (std::size_t i = at + kKey.size(); i < ulogd.size() && ulogd[i] != '"'; ++i) {
    if (ulogd[i] == '\\' && i + 1 < ulogd.size()) ++i;
    out += ulogd[i];
  }
  return out == kDefault ? std::string() : out;
}

class InfluxDb {
 public:
  InfluxDb(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        settings_(influx::settings_of(options)),
        ulogd_(host.format("ulogd")),
        device_(settings_.points.device),
        warn_([host](const std::string& text) { host.warning(text); }),
        points_(host, settings_.points, warn_),
        server_(settings_),
        client_(settings_.http),
        delivery_(settings_, server_, client_, warn_) {}

  void open(nfbus::Shape& shape) const {
    const std::size_t events = settings_.batch_points * settings_.max_in_flight;
    shape.batch_events = static_cast<std::uint32_t>(std::min<std::size_t>(events, kMostBatchEvents));
    shape.batch_age_ms = settings_.batch_age_ms;
  }

  nfbus::Delivery write(nfbus::Events events) {
    if (device_.empty()) {
      device_ = configured_device(events[0].json(ulogd_));
      if (device_.empty()) device_ = machine_name();
    }
    text_.clear();
    ends_.clear();
    for (const nfbus::Event event : events) {
      points_.append(event, device_, text_);
      ends_.push_back(text_.size());
    }
    const influx::Outcome& outcome = delivery_.deliver({text_, ends_}, [&] { return events.time_left_ms(); });
    for (const auto& [index, reason] : outcome.refused) events.reject(index, reason);
    if (outcome.reason.empty()) return nfbus::Delivery::ok();
    for (std::uint32_t i = 0; i < events.size(); ++i) {
      if (outcome.of[i] == influx::Outcome::Of::delivered) events.delivered(i);
    }
    return nfbus::Delivery::retry(0, outcome.reason, outcome.retry_after_ms);
  }

  void reopen() { server_.secret_is_stale(); }

  void close() { client_.forget_connections(); }

  void diagnose(nfbus::Findings findings) { influx::diagnose(settings_, client_, findings); }

 private:
  const nfbus::Host host_;
  const influx::Settings settings_;
  const nfbus::Format ulogd_;
  std::string device_;  // empty: not known yet
  const std::function<void(const std::string&)> warn_;
  influx::Points points_;
  influx::Server server_;
  http::Client client_;
  influx::Delivery delivery_;
  std::string text_;               // the lines of one write()
  std::vector<std::size_t> ends_;  // of each event's in text_
};

}  // namespace

NFBUS_SINK(InfluxDb, "influxdb",
           {.summary = "writes packets as points to InfluxDB 1, 2 and 3",
            .version = "1.0",
            .schema = influx::kSchema,
            .shape = {.batch_events = kMostBatchEvents, .batch_bytes = kBatchBytes, .batch_age_ms = 1000}})
