#include "bus/server/client.hpp"

namespace nfbus::host {

ClientSnapshot Client::snapshot() const {
  const LineCounters lines = queue.counters();
  return {.id = id,
          .peer = peer,
          .since = since,
          .subscriptions = subscriptions,
          .status = wants_status,
          .published = lines.pushed + filtered,
          .delivered = lines.delivered,
          .filtered = filtered,
          .overflowed = lines.overflowed,
          .queued = lines.queued,
          .queued_bytes = queue.queued_bytes(),
          .sent_by_it = received};
}

}  // namespace nfbus::host
