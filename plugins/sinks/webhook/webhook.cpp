// Events as HTTP requests.
#include "delivery.hpp"
#include "diagnosis.hpp"
#include "schema.hpp"
#include "secrets.hpp"
#include "settings.hpp"

#include <nfbus/sink.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr std::uint32_t kMostBatchEvents = 4096;
constexpr std::uint64_t kBatchBytes = 4U << 20U;
// As many single events as go out within a call's time even to a server at the other end of the world.
constexpr std::size_t kSingleEvents = 64;

class Webhook {
 public:
  Webhook(nfbus::Host host, const nfbus::Options& options)
      : settings_(webhook::settings_of(options)),
        secrets_(settings_),
        client_(settings_.http),
        delivery_(settings_, secrets_, client_, host) {}

  void open(nfbus::Shape& shape) const {
    const std::size_t in_flight = settings_.batch_events * settings_.max_in_flight;
    const std::size_t events = settings_.batch_events == 1 ? kSingleEvents : in_flight;
    shape.batch_events = static_cast<std::uint32_t>(std::min<std::size_t>(events, kMostBatchEvents));
    shape.batch_age_ms = settings_.batch_age_ms;
  }

  nfbus::Delivery write(nfbus::Events events) { return delivery_.deliver(events); }

  void reopen() { secrets_.are_stale(); }

  void close() { client_.forget_connections(); }

  void diagnose(nfbus::Findings findings) { webhook::diagnose(settings_, client_, findings); }

 private:
  const webhook::Settings settings_;
  webhook::Secrets secrets_;
  http::Client client_;
  webhook::Delivery delivery_;
};

}  // namespace

NFBUS_SINK(Webhook, "webhook",
           {.summary = "sends events by HTTP: ntfy, Slack, Gotify, Matrix, anything with a web hook",
            .version = "1.0",
            .schema = webhook::kSchema,
            .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
            .shape = {.batch_events = kSingleEvents, .batch_bytes = kBatchBytes}})
