// Decides who gets which line: the subscriptions of all clients, what they publish, and what comes from the host's bus.
// Knows of no socket.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/client.hpp"
#include "bus/server/inbox.hpp"
#include "bus/server/line.hpp"
#include "bus/server/line_maker.hpp"
#include "bus/server/packet_filters.hpp"
#include "bus/server/routes.hpp"
#include "bus/server/size_classes.hpp"
#include "bus/server/wire_line.hpp"
#include "match/known_fields.hpp"
#include "support/side_thread.hpp"

#include <nfbus/result.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfbus::host {

struct HubSettings {
  std::string topic_root;   // nobody but the host publishes under it
  FormatId default_format;  // of packets, for clients that ask for no format
  bool with_payload;        // packets have their bytes, where the format that a client asks for can show them
  KnownFields fields;       // what matches may ask for
  std::size_t client_bytes;
  std::size_t total_bytes;           // of all lines that wait
  PacketFilters* filters = nullptr;  // that packets pass before they go to clients; outlive the hub. null: none
};

// What became of a reload.
struct ReloadOutcome {
  Result<void> done;
  std::vector<std::string> findings;  // what is wrong in the configuration; when it was done: what it warns of
};

// The numbers of the server, of all clients that ever were.
struct HubCounters {
  ReceivedCounters received;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t filtered = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t queued = 0;
  std::uint64_t left = 0;  // queued for clients that went away
  // Packets that clients wanted and the bus's filters dropped: none of the others counts them.
  std::uint64_t kept_back = 0;
};

// Thread safety: none, but inbox().
class Hub {
 public:
  using Clock = std::chrono::steady_clock;

  // status: makes the JSON of nfbus:status. bus and formats outlive the hub.
  Hub(Bus& bus, const FormatSet& formats, HubSettings settings, std::function<std::string()> status);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  ~Hub();

  void join(Client& client);
  // The client is forgotten; what waits for it is dropped.
  void leave(Client& client);
  // A line that a client sent, without its newline. False: it speaks something else, and is to be dropped.
  bool receive(Client& client, std::string_view line);
  // From now on matches of subscriptions are read on this thread, since compiling one may take milliseconds: until then
  // their client waits_for_answer. side outlives the hub's last receive().
  void read_aside(SideThread& side) noexcept { side_ = &side; }
  // Has the host read its configuration anew; answer_reload() follows for that client. False: it does not.
  void serve_reloads(std::function<bool(std::uint64_t client)> reload) { reload_ = std::move(reload); }
  // To the client of that number, if it is still there, and waits for one.
  void answer_reload(std::uint64_t client, const ReloadOutcome& outcome);
  // Who has been answered by another thread since it was last asked.
  [[nodiscard]] std::vector<Client*> take_resumed() { return std::exchange(resumed_, {}); }
  // Returns what receive() did, in about ns: tells without a look at the clock when it is time for one.
  [[nodiscard]] std::uint64_t work_ns() const noexcept { return work_ns_; }
  // Serves about so many events of what waits on the bus, and none once it is late; returns whether there is more.
  bool serve_bus(std::size_t most_events, Clock::time_point late = Clock::time_point::max());
  // Returns what the bus makes readable when something waits.
  [[nodiscard]] int bus_descriptor() const noexcept { return inbox_->descriptor(); }
  // Returns whether somebody wants the status each second; send_status() gives it to them.
  [[nodiscard]] bool status_wanted() const noexcept { return !status_clients_.empty(); }
  void send_status();
  // Gives it to those who have just asked; not before status_due(), so that making it takes a small part of the time
  // however many ask.
  void serve_new_status();
  [[nodiscard]] bool status_waited_for() const noexcept { return !new_status_clients_.empty(); }
  [[nodiscard]] Clock::time_point status_due() const noexcept { return status_due_; }

  // How many clients have something to be sent, besides those whose sockets are blocked.
  [[nodiscard]] std::size_t ready_count() const noexcept { return ready_.size(); }
  // Returns whether so much waits for one of them that it is not worth waiting for more.
  [[nodiscard]] bool much_waits() const noexcept { return much_waits_; }
  // Moves them out, each once.
  [[nodiscard]] std::vector<Client*> take_ready();
  // A client that was taken out still has something to be sent.
  void make_ready(Client& client);
  // Before the first of a client's lines is sent: tells it what it missed, if it wants to know.
  void mark_loss(Client& client);
  // Clients that hold more than there is for all, of which nothing can be dropped: a line that has begun must be sent
  // to its end. They are to leave.
  [[nodiscard]] std::vector<Client*> take_too_large() { return std::exchange(too_large_, {}); }

  [[nodiscard]] HubCounters counters() const;
  // Of the first that came, as far as a status has room for them.
  [[nodiscard]] std::vector<ClientSnapshot> snapshots() const;
  [[nodiscard]] LineStore& store() noexcept { return store_; }
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return store_.live_bytes(); }
  [[nodiscard]] const HubSettings& settings() const noexcept { return settings_; }

 private:
  // Holds what a line asks for. Its match is JSON, and not in the subscription yet; empty: none.
  struct SubscriptionRequest {
    ClientSubscription subscription;
    std::string match;
    bool marker = false;
    bool wants_answer = false;
  };

  // Errors are for whoever wants an answer; refuse() or skip() has counted and said them.
  Result<void> take(Client& client, std::string_view line, const WireLine& read);
  Result<void> publish(Client& client, std::string_view line, const WireLine& read);
  Result<void> subscribe(Client& client, const WireLine& read);
  // Errors of these are neither counted nor said: refuse() is to do that.
  Result<void> reserved(std::string_view topic) const;
  Result<void> read_request(const WireLine& read, SubscriptionRequest& request) const;
  Result<void> read_format(std::string_view given, ClientSubscription& subscription) const;
  Result<void> read_match(std::string_view given, ClientSubscription& subscription) const;
  Result<void> add_subscription(Client& client, ClientSubscription subscription);
  // Count, say and return it.
  static Error refuse(Client& client, std::string why);
  static Error skip(const Client& client, std::string_view why);
  static void say_foreign(const Client& client, std::string_view line);
  void answer(Client& client, const Result<void>& outcome);
  void send_answer(Client& client, std::string_view answer);
  Result<void> ask_for_reload(Client& client);
  void relay(std::string_view line, std::string_view topic);
  void read_match_aside(Client& client, SubscriptionRequest request);
  void resume(std::uint64_t id, const SubscriptionRequest& request, const Result<void>& compiled);
  Result<void> finish_subscription(Client& client, SubscriptionRequest request, const Result<void>& compiled);
  [[nodiscard]] bool has_memory_for(const Client& client, std::size_t bytes) const noexcept;
  // The client has a match from now on.
  void share_time_with(Client& client);
  // Returns whether the client may still ask for so much of the thread's time; takes it off.
  [[nodiscard]] bool pay_for_match(Client& client, std::uint64_t cost_ns) const;
  [[nodiscard]] std::string make_status();
  void serve_batch(const Batch& batch, std::size_t from, std::size_t to);
  void serve_filtered(std::span<const Event> events);
  void serve_packet(const Event& event, std::span<const Routes::Receiver> receivers);
  void serve_message(const Event& event);
  void count_dropped(const std::vector<Inbox::Dropped>& dropped);
  // Calls give(client, form) for each client that wants the event, with the form that it asked for.
  template <typename Give>
  void give_to_takers(const nfbus_event& event, std::span<const Routes::Receiver> receivers, const Give& give);
  void push(Client& client, LineRef line);
  void count_missed(Client& client, std::uint64_t events);
  void keep_within_total();

  Bus& bus_;
  const HubSettings settings_;
  const std::function<std::string()> status_;
  std::function<bool(std::uint64_t client)> reload_;
  const std::shared_ptr<Inbox> inbox_;

  LineStore store_;  // outlives every line
  LineMaker maker_;
  std::vector<const nfbus_event*> wanted_;  // scratch
  WireScanner scanner_;
  Routes routes_;
  std::vector<Client*> clients_;
  SizeClasses sizes_;
  std::vector<Client*> status_clients_;
  std::vector<Client*> new_status_clients_;  // of them, those that have got none yet
  Clock::time_point status_due_{};
  SideThread* side_ = nullptr;
  std::unordered_map<std::uint64_t, Client*> waiting_;  // for an answer of another thread, by number
  std::vector<Client*> resumed_;
  std::vector<Client*> too_large_;
  std::size_t going_bytes_ = 0;         // of those
  std::size_t subscription_bytes_ = 0;  // of all clients
  std::size_t matching_clients_ = 0;    // with a match
  std::uint64_t work_ns_ = 0;
  std::vector<Client*> ready_;
  bool much_waits_ = false;
  std::deque<BatchRef> batches_;       // taken from the inbox
  std::size_t served_ = 0;             // events of the first of them
  std::array<LineRef, kForms> lines_;  // of the packet being served
  HubCounters gone_;                   // of clients that have left
  std::string text_;
};

}  // namespace nfbus::host
