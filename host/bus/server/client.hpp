// One program at the other end of the socket.
#pragma once

#include "bus/server/line_queue.hpp"
#include "bus/server/wire_form.hpp"
#include "match/match.hpp"
#include "support/descriptor.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace nfbus::host {

// Names who connected: SO_PEERCRED.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};

struct ClientSubscription {
  std::uint32_t number = 0;               // in the order of the client's
  std::string prefix;                     // of topics, byte for byte
  FormId form = 0;                        // of packets
  std::shared_ptr<const MatchSet> match;  // null: every event of these topics
};

// Counts what became of the lines that a client sent: received = relayed + subscribed + invalid + not_text + refused.
struct ReceivedCounters {
  std::uint64_t received = 0;
  std::uint64_t relayed = 0;  // published, whether anybody wanted it or not
  std::uint64_t subscribed = 0;
  std::uint64_t invalid = 0;   // no JSON object, or its topic is no string
  std::uint64_t not_text = 0;  // its value is no string
  // A topic that is the host's alone, a subscription that asks for what there is not, a key that stands there twice.
  std::uint64_t refused = 0;
};

// Of what a client subscribed to, so many topics stand in the status, each so far.
inline constexpr std::size_t kMostShownTopics = 16;
inline constexpr std::size_t kMostShownBytes = 128;

// The numbers of one client. published = delivered + filtered + overflowed + queued.
struct ClientSnapshot {
  std::uint64_t id;
  Peer peer;
  std::chrono::steady_clock::time_point since;
  std::vector<std::string> topics;  // the first of those it subscribed to, each up to kMostShownBytes
  std::uint64_t topics_not_shown = 0;
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
  Client(Descriptor connection, std::uint64_t number, Peer who, std::size_t budget_bytes, LineStore& lines)
      : socket(std::move(connection)), id(number), peer(who), queue(budget_bytes, lines) {}

  [[nodiscard]] bool is_subscriber() const noexcept { return wants_status || !subscriptions.empty(); }
  // There is, or will be, something for it to read.
  [[nodiscard]] bool may_listen() const noexcept { return is_subscriber() || !queue.empty(); }
  [[nodiscard]] ClientSnapshot snapshot() const;
  // For people: "client N (pid P, uid U)".
  [[nodiscard]] std::string name() const;

  const Descriptor socket;
  const std::uint64_t id;
  const Peer peer;
  const std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();

  std::list<ClientSubscription> subscriptions;  // each stays where it is
  std::size_t subscription_bytes = 0;           // what they take in memory
  bool wants_status = false;
  bool awaits_status = false;  // it has got none yet
  bool wants_marker = false;
  LineQueue queue;
  std::uint64_t filtered = 0;
  // What the testing of its matches may still cost, and when that was.
  std::int64_t match_credit_ns = 0;
  std::chrono::steady_clock::time_point match_credit_at{};
  bool has_match = false;
  std::size_t going_bytes = 0;  // not 0: it is to leave, since nothing of so much can be dropped
  std::uint8_t size_class = 0;  // of its queue, in the hub's SizeClasses
  std::size_t place = 0;        // there
  ReceivedCounters received;

  std::string unread;             // whole lines that had to wait for their turn, and the beginning of the next
  std::string unfinished;         // of a line whose end has not come yet
  bool waits_for_turn = false;    // among those to be read from
  bool waits_for_answer = false;  // of another thread, to what it asked; what it sent behind that waits
  bool hung_up = false;
  bool input_ended = false;  // the peer will send no more; it may still listen
  bool blocked = false;      // its socket takes no more for now
  bool waits_for_flush = false;
  bool is_watched = false;    // by epoll,
  std::uint32_t watched = 0;  // for these events
  bool provisional = false;   // there was no place left: it may ask for the status, once
  bool gone = false;          // to be forgotten at the end of the round
};

}  // namespace nfbus::host
