// One program at the other end of the socket.
#pragma once

#include "bus/server/line_queue.hpp"
#include "bus/server/wire_form.hpp"
#include "match/match.hpp"
#include "support/descriptor.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nfbus::host {

// Who connected: SO_PEERCRED.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};

struct ClientSubscription {
  std::string prefix;                     // of topics, byte for byte
  FormId form = 0;                        // of packets
  std::shared_ptr<const MatchSet> match;  // null: every event of these topics
};

// What became of the lines that a client sent: received = relayed + subscribed + invalid + not_text + refused.
struct ReceivedCounters {
  std::uint64_t received = 0;
  std::uint64_t relayed = 0;  // published, whether anybody wanted it or not
  std::uint64_t subscribed = 0;
  std::uint64_t invalid = 0;   // no JSON object, or its topic is no string
  std::uint64_t not_text = 0;  // its value is no string
  std::uint64_t refused = 0;   // a topic that is the host's alone, or a subscription that asks for what there is not
};

// The numbers of one client. published = delivered + filtered + overflowed + queued.
struct ClientSnapshot {
  std::uint64_t id;
  Peer peer;
  std::chrono::steady_clock::time_point since;
  std::vector<ClientSubscription> subscriptions;
  bool status = false;  // subscribed to nfbus:status, too
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t queued = 0;
  std::uint64_t queued_bytes = 0;
  ReceivedCounters sent_by_it;
};

// Thread safety: none; the server's thread's.
struct Client {
  Client(Descriptor connection, std::uint64_t number, Peer who, std::size_t budget_bytes)
      : socket(std::move(connection)), id(number), peer(who), queue(budget_bytes) {}

  [[nodiscard]] bool is_subscriber() const noexcept { return wants_status || !subscriptions.empty(); }
  [[nodiscard]] ClientSnapshot snapshot() const;

  const Descriptor socket;
  const std::uint64_t id;
  const Peer peer;
  const std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();

  std::vector<ClientSubscription> subscriptions;
  bool wants_status = false;
  bool wants_marker = false;
  LineQueue queue;
  std::uint64_t filtered = 0;
  ReceivedCounters received;

  std::string unfinished;    // of a line whose end has not come yet
  bool input_ended = false;  // the peer will send no more; it may still listen
  bool blocked = false;      // its socket takes no more for now
  bool waits_for_flush = false;
  bool is_watched = false;    // by epoll,
  std::uint32_t watched = 0;  // for these events
  bool gone = false;          // to be forgotten at the end of the round
};

}  // namespace nfbus::host
