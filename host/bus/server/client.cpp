#include "bus/server/client.hpp"

#include "event/topic.hpp"

#include <fmt/format.h>

namespace nfbus::host {

std::string Client::name() const { return fmt::format("client {} (pid {}, uid {})", id, peer.pid, peer.uid); }

ClientSnapshot Client::snapshot() const {
  const LineCounters lines = queue.counters();
  ClientSnapshot shot{.id = id,
                      .peer = peer,
                      .since = since,
                      .topics = {},
                      .topics_not_shown = 0,
                      .published = lines.pushed + filtered,
                      .delivered = lines.delivered,
                      .filtered = filtered,
                      .overflowed = lines.overflowed,
                      .queued = lines.queued,
                      .queued_bytes = queue.queued_bytes(),
                      .sent_by_it = received};
  for (const ClientSubscription& subscription : subscriptions) {
    if (shot.topics.size() == kMostShownTopics) break;
    shot.topics.push_back(subscription.prefix.substr(0, kMostShownBytes));
  }
  shot.topics_not_shown = subscriptions.size() - shot.topics.size();
  if (wants_status) shot.topics.emplace_back(kStatusTopic);
  return shot;
}

}  // namespace nfbus::host
