// The bus for other programs: a unix stream socket that speaks the sprbus wire.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/hub.hpp"
#include "bus/server/listener.hpp"
#include "support/mutex.hpp"

#include <sys/epoll.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfbus::host {

struct ServerSettings {
  HubSettings hub;
  std::size_t most_clients;
};

struct ServerSnapshot {
  HubCounters totals;
  std::vector<ClientSnapshot> clients;
  std::size_t connected = 0;       // now; `clients` may be fewer
  std::uint64_t connections = 0;   // ever
  std::uint64_t turned_away = 0;   // of them, found no place: there were too many. Some may have got the status
  std::uint64_t too_long = 0;      // of them, ended by a line that was too long
  std::size_t waiting_bytes = 0;   // of lines for clients, shared ones once, and of their queues
  std::chrono::nanoseconds cpu{};  // of the server's thread
  bool old = false;                // the thread did not answer: these are the last numbers that it gave
};

// One thread serves all clients. It waits for none of them, and nobody waits for it.
// The time of a round is bounded, whatever clients send and ask for: of each a slice is read in turn, matches are
// compiled elsewhere and tested as far as their clients' share of the time allows.
// Thread safety: start() and stop() [control]; snapshot() from any thread but the server's.
class Server {
 public:
  using Clock = std::chrono::steady_clock;

  // status: makes the JSON of nfbus:status, on the server's thread. bus and formats outlive the server.
  Server(Listener listener, Bus& bus, const FormatSet& formats, ServerSettings settings,
         std::function<std::string(const ServerSnapshot&)> status);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] Result<void> start();
  // Reads no more; sends what waits, until the deadline and only as long as clients take it; closes all connections.
  // False: the thread has not ended a little after that. It never may: the process must end without destroying this.
  [[nodiscard]] bool stop(Clock::time_point deadline);
  // [control] When somebody removed or replaced the socket's file, it is made again; true then.
  [[nodiscard]] Result<bool> renew_socket();
  // [control] Before start(). asked: called on the server's thread when a client asks for a reload. Whoever takes the
  // request later answers it.
  void serve_reloads(std::function<void()> asked);
  // [control] Numbers of the clients that have asked since this was last called.
  [[nodiscard]] std::vector<std::uint64_t> take_reload_requests();
  // [control] To each of them.
  void answer_reload(const std::vector<std::uint64_t>& clients, const ReloadOutcome& outcome);
  // [any] Has the thread look whether its filters have something to do.
  void wake() const;
  // Waits for the thread half a second at most, and not again until it has answered.
  [[nodiscard]] ServerSnapshot snapshot();

 private:
  void run();
  [[nodiscard]] int timeout_ms(bool busy) const;
  void serve_event(const epoll_event& event);
  void serve_requests();
  void accept_all();
  void turn_away(Descriptor connection, const char* why);
  void say_turned_away(const Peer& peer, const char* why);
  [[nodiscard]] bool has_place_for(const Peer& peer) const;
  void make_provisional(Client& client);
  void end_provisional();
  void serve_client(Client& client, std::uint32_t events);
  void queue_for_reading(Client& client);
  void read_in_turn();
  void read_from(Client& client);
  void take_input(Client& client, std::string_view data);
  void end_refused(Client& client);
  void keep_unread(Client& client, std::string_view data);
  bool keep_unfinished(Client& client, std::string_view data);
  void end_input(Client& client);
  void serve_side();
  void send_reload_answers();
  bool ask_for_reload(std::uint64_t client);
  void take_listener();
  void send_when_due();
  void send_on();
  void send_to(Client& client);
  void watch(Client& client);
  void drop(Client& client);
  void forget_gone();
  void tick();
  void give_memory_back();
  [[nodiscard]] bool drained() const;
  [[nodiscard]] bool finish_filters();
  [[nodiscard]] ServerSnapshot own_snapshot() const;
  [[nodiscard]] bool add_to_epoll(int descriptor, void* tag) const;

  std::optional<Listener> listener_;  // replaced under mutex_
  const std::size_t most_clients_;
  const Descriptor epoll_;
  const Descriptor wake_;
  const Descriptor timer_;  // the next send is due
  Descriptor spare_;        // given up for a moment to accept a connection when there are no descriptors left

  // Owned by the server's thread:
  Hub hub_;
  std::unordered_map<const Client*, std::unique_ptr<Client>> clients_;
  std::vector<Client*> gone_;
  std::deque<Client*> provisional_;  // the oldest first
  std::deque<Client*> reading_;      // those that may have sent something, in their turn
  std::deque<Client*> sending_;      // those whose lines are being sent
  std::vector<char> input_;
  std::size_t unfinished_bytes_ = 0;  // of all clients, with what is unread
  Clock::time_point slice_ends_{};
  std::uint64_t look_at_work_ = 0;      // when the hub has done so much, it is time to look at the clock
  std::size_t most_waiting_bytes_ = 0;  // since memory was given back
  std::uint64_t connections_ = 0, turned_away_ = 0, too_long_ = 0;
  Clock::time_point last_send_{};
  Clock::time_point last_progress_{};
  Clock::time_point next_status_{};
  bool timer_runs_ = false;
  bool bus_has_more_ = false;
  bool filters_finished_ = false;
  std::optional<Clock::time_point> ends_by_;

  std::function<void()> reload_asked_;  // constant after start()

  Mutex mutex_;
  Condition changed_;                                         // answered_ or running_
  std::uint64_t asked_ NFBUS_GUARDED_BY(mutex_) = 0;          // snapshots
  std::uint64_t answered_ NFBUS_GUARDED_BY(mutex_) = 0;       // of them
  Clock::time_point asked_since_ NFBUS_GUARDED_BY(mutex_){};  // without an answer
  ServerSnapshot last_ NFBUS_GUARDED_BY(mutex_);              // that was answered
  std::optional<Listener> fresh_listener_ NFBUS_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> reload_requests_ NFBUS_GUARDED_BY(mutex_);
  std::vector<std::pair<std::uint64_t, ReloadOutcome>> reload_answers_ NFBUS_GUARDED_BY(mutex_);
  bool running_ NFBUS_GUARDED_BY(mutex_) = false;
  std::optional<Clock::time_point> stop_by_ NFBUS_GUARDED_BY(mutex_);

  std::thread thread_;
  // What it runs is the hub's, so it ends first. Begins with start(): threads that are there before keep privileges.
  std::optional<SideThread> side_;
};

}  // namespace nfbus::host
