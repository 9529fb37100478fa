// Who gets which line: the subscriptions of all clients, what they publish, and what comes from the host's bus.
// Knows of no socket.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/client.hpp"
#include "bus/server/inbox.hpp"
#include "bus/server/line.hpp"
#include "bus/server/line_maker.hpp"
#include "bus/server/routes.hpp"
#include "bus/server/wire_line.hpp"
#include "match/known_fields.hpp"
#include "support/repeat_guard.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

struct HubSettings {
  std::string topic_root;  // nobody but the host publishes under it
  FormId default_form;     // of packets, for clients that ask for no format
  FormId packet_form;      // what a client gets that asks for "packet"
  KnownFields fields;      // what matches may ask for
  std::size_t client_bytes;
  std::size_t total_bytes;  // of all lines that wait
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
};

// Thread safety: none, but inbox().
class Hub {
 public:
  // status: makes the JSON of nfbus:status. bus and formats outlive the hub.
  Hub(Bus& bus, const FormatSet& formats, HubSettings settings, std::function<std::string()> status);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  ~Hub();

  void join(Client& client);
  // The client is forgotten; what waits for it is dropped.
  void leave(Client& client);
  // A line that a client sent, without its newline.
  void receive(Client& client, std::string_view line);
  // Serves about so many events of what waits on the bus; returns whether there is more.
  bool serve_bus(std::size_t most_events);
  // What the bus makes readable when something waits.
  [[nodiscard]] int bus_descriptor() const noexcept { return inbox_->descriptor(); }
  // Whether somebody wants the status each second; send_status() gives it to them.
  [[nodiscard]] bool status_wanted() const noexcept { return !status_clients_.empty(); }
  void send_status();

  // How many clients have something to be sent, besides those whose sockets are blocked.
  [[nodiscard]] std::size_t ready_count() const noexcept { return ready_.size(); }
  // Whether so much waits for one of them that it is not worth waiting for more.
  [[nodiscard]] bool much_waits() const noexcept { return much_waits_; }
  // Moves them out, each once.
  [[nodiscard]] std::vector<Client*> take_ready();
  // A client that was taken out still has something to be sent.
  void make_ready(Client& client);
  // Before the first of a client's lines is sent: tells it what it missed, if it wants to know.
  void mark_loss(Client& client);

  [[nodiscard]] HubCounters counters() const;
  [[nodiscard]] std::vector<ClientSnapshot> snapshots() const;
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return store_.live_bytes(); }
  [[nodiscard]] const HubSettings& settings() const noexcept { return settings_; }

 private:
  void publish(Client& client, std::string_view line, const WireLine& read);
  void relay(std::string_view line, std::string_view topic);
  void subscribe(Client& client, std::string_view line, const WireLine& read);
  // Returns what is wrong with them; empty: nothing.
  [[nodiscard]] std::string read_extensions(std::string_view line, ClientSubscription& subscription,
                                            bool& marker) const;
  [[nodiscard]] std::string read_format(const nlohmann::json& given, ClientSubscription& subscription) const;
  [[nodiscard]] std::string read_match(const nlohmann::json& given, ClientSubscription& subscription) const;
  void serve_batch(const Batch& batch, std::size_t from, std::size_t to);
  void serve_packet(const Event& event, std::span<const Routes::Receiver> receivers);
  void serve_message(const Event& event);
  void count_shed(const std::vector<Inbox::Shed>& shed);
  // Calls give(client, form) for each client that wants the event, with the form that it asked for.
  template <typename Give>
  void give_to_takers(const nfbus_event& event, std::span<const Routes::Receiver> receivers, const Give& give);
  void push(Client& client, LineRef line);
  void keep_within_total();
  void refuse(Client& client, std::string_view why);

  Bus& bus_;
  const FormatSet& formats_;
  const HubSettings settings_;
  const std::function<std::string()> status_;
  const std::shared_ptr<Inbox> inbox_;

  LineStore store_;  // outlives every line
  LineMaker maker_;
  WireScanner scanner_;
  Routes routes_;
  std::vector<Client*> clients_;
  std::vector<Client*> status_clients_;
  std::vector<Client*> ready_;
  bool much_waits_ = false;
  std::deque<BatchRef> batches_;       // taken from the inbox
  std::size_t served_ = 0;             // events of the first of them
  std::array<LineRef, kForms> lines_;  // of the packet being served
  HubCounters gone_;                   // of clients that have left
  std::string text_;
  RepeatGuard refusals_, joins_, broken_lines_;
};

}  // namespace nfbus::host
