// The server's sockets: who is let in, what is read, what is sent and when.
#include "bus/server/server.hpp"
#include "support/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nfbus::host {

namespace {

constexpr int kAcceptsPerRound = 64;

// Who comes when all places are taken: more than are accepted in a round, so that each is read from once.
constexpr std::size_t kMostProvisional = 128;
constexpr std::chrono::seconds kProvisionalTime{1};
constexpr std::size_t kOwnPlaces = 32;

// What is read of one client in its turn, and of all in a round.
constexpr std::chrono::microseconds kSlice{500};
constexpr std::chrono::milliseconds kReadTime{2};
constexpr std::chrono::milliseconds kSendTime{4};
constexpr std::uint64_t kWorkPerLook = 20'000;  // ns, about
constexpr std::size_t kSmallRead = 4096;        // while much input waits already

// One write to one client: as many pieces as the kernel takes at once (UIO_MAXIOV), more bytes than its socket holds.
constexpr std::size_t kPiecesPerSend = 1024;
constexpr std::size_t kSendBytes = 512UL << 10U;

// Sending costs 1 to 2 us for each client. Sends are so far apart that this stays a small part of the time, and near
// enough to go unnoticed; a line that comes after a pause is sent at once.
constexpr std::chrono::microseconds kGapPerClient{20};
constexpr std::chrono::microseconds kMostGap{2000};

// Of lines whose end has not come yet, all clients together.
constexpr std::size_t kMostUnfinishedBytes = 64UL << 20U;

Descriptor open_spare() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

Peer peer_of(int connection) noexcept {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {.pid = credentials.pid, .uid = credentials.uid};
}

}  // namespace

// Bounded, so that a flood of connections leaves time for those that are there. Without descriptors accept4() fails and
// the connection stays in the backlog, where level-triggered epoll would report it again and again: the spare one is
// given up to accept it, only to close it at once.
void Server::accept_all() {
  if (!spare_.valid()) spare_ = open_spare();
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    Descriptor connection(::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connection.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if ((errno != EMFILE && errno != ENFILE) || !spare_.valid()) return;
      spare_ = Descriptor();
      turn_away(Descriptor(::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_CLOEXEC)), "out of descriptors");
      spare_ = open_spare();
      return;
    }
    ++connections_;
    const Peer peer = peer_of(connection.get());
    const bool has_place = has_place_for(peer);
    auto client =
        std::make_unique<Client>(std::move(connection), connections_, peer, hub_.settings().client_bytes, hub_.store());
    if (!has_place) make_provisional(*client);
    watch(*client);
    hub_.join(*client);
    log::debug(fmt::format("bus: client {} connected: pid {}, uid {}", client->id, peer.pid, peer.uid));
    clients_.emplace(client.get(), std::move(client));
  }
}

// Some places are kept for root and for whom the host runs as.
bool Server::has_place_for(const Peer& peer) const {
  const std::size_t taken = clients_.size() - provisional_.size();
  const bool is_own = peer.uid == 0 || peer.uid == ::geteuid();
  return taken < (is_own ? most_clients_ : most_clients_ - std::min(kOwnPlaces, most_clients_ / 8));
}

// Whoever finds no place may still ask for the status, and get it once: the oldest that has not done so goes.
void Server::make_provisional(Client& client) {
  say_turned_away(client.peer, "too many clients");
  client.provisional = true;
  if (provisional_.size() >= kMostProvisional) {
    drop(*provisional_.front());
    provisional_.pop_front();
  }
  provisional_.push_back(&client);
}

void Server::end_provisional() {
  const auto now = Clock::now();
  while (!provisional_.empty() && now >= provisional_.front()->since + kProvisionalTime) {
    drop(*provisional_.front());
    provisional_.pop_front();
  }
}

void Server::turn_away(Descriptor connection, const char* why) {
  if (!connection.valid()) return;
  ++connections_;
  say_turned_away(peer_of(connection.get()), why);
}

void Server::say_turned_away(const Peer& peer, const char* why) {
  ++turned_away_;
  log::repeated(log::Level::warning, "bus", why,
                fmt::format("a client is turned away: {} (pid {}, uid {})", why, peer.pid, peer.uid));
}

// Says to epoll what is wanted of the socket now, with a system call only where that has changed. Input is not asked
// for while the client waits for its turn or for a match to be compiled. A hang-up cannot be masked, so a socket that
// has hung up and must wait is taken out of epoll for so long.
void Server::watch(Client& client) {
  epoll_event event{};
  // Nothing is read of it while it waits for its turn: what its socket holds is bounded by the kernel.
  const bool reads = !client.input_ended && !client.waits_for_turn && !client.waits_for_answer;
  event.events = (reads ? EPOLLIN : 0U) | (client.blocked ? EPOLLOUT : 0U);
  const bool hung_up_waits = client.hung_up && !client.input_ended && !reads;  // it would be reported for ever
  if (hung_up_waits) {
    if (std::exchange(client.is_watched, false)) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.socket.get(), nullptr);
    return;
  }
  if (client.is_watched && event.events == client.watched) return;
  event.data.ptr = &client;
  const int operation = std::exchange(client.is_watched, true) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  client.watched = event.events;
  if (::epoll_ctl(epoll_.get(), operation, client.socket.get(), &event) != 0) drop(client);
}

// Reading is only queued here; it has its own turn and its own share of the round. A hang-up counts as input, since
// what the client sent before it is to be read; only when all is read does it end the client.
void Server::serve_client(Client& client, std::uint32_t events) {
  if (client.gone) return;
  client.hung_up = client.hung_up || (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (!client.input_ended && !ends_by_) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) queue_for_reading(client);
  } else if (client.hung_up) {
    return drop(client);
  }
  if ((events & EPOLLOUT) == 0 || client.gone) return;
  client.blocked = false;
  send_to(client);
  watch(client);
}

void Server::queue_for_reading(Client& client) {
  if (client.waits_for_answer || std::exchange(client.waits_for_turn, true)) {
    if (client.hung_up) watch(client);
    return;
  }
  reading_.push_back(&client);
}

// A slice for each, until their time of this round is over; who comes then is the first of the next.
void Server::read_in_turn() {
  const auto late = Clock::now() + kReadTime;
  for (std::size_t left = reading_.size(); left != 0; --left) {
    Client& client = *reading_.front();
    reading_.pop_front();
    client.waits_for_turn = false;
    if (!client.gone && !ends_by_) {
      read_from(client);
      if (!client.gone && !client.unread.empty() && !client.waits_for_answer) queue_for_reading(client);
      if (!client.gone) watch(client);
    }
    if (left != 1 && Clock::now() >= late) break;
  }
  if (ends_by_) return reading_.clear();
  for (Client* client : reading_) watch(*client);
}

void Server::read_from(Client& client) {
  // The clock is read after so much work as the hub reckons, not after each line: lines are cheap, and what is dear
  // (a topic that thousands receive) reckons its own cost.
  const auto now = Clock::now();
  slice_ends_ = now + kSlice;
  look_at_work_ = hub_.work_ns() + kWorkPerLook;
  // First what an earlier slice had read from the socket and not come to: order is kept, and the kernel's buffer stays
  // full meanwhile, so that the client's writes are what waits.
  if (!client.unread.empty()) {
    const std::string before = std::exchange(client.unread, {});
    unfinished_bytes_ -= before.size();
    return take_input(client, before);
  }
  const std::size_t most = unfinished_bytes_ > kMostUnfinishedBytes / 2 ? kSmallRead : input_.size();
  const ssize_t size = ::recv(client.socket.get(), input_.data(), most, 0);
  if (size > 0) return take_input(client, {input_.data(), static_cast<std::size_t>(size)});
  if (size == 0) return end_input(client);
  if (errno != EAGAIN && errno != EINTR) drop(client);
}

// Each whole line goes to the hub at once, from where it was read. What stops in the middle is kept for the next slice:
// an unfinished line, or all that lies behind a line whose match is being compiled, since answers and subscriptions
// come in the order of their requests.
void Server::take_input(Client& client, std::string_view data) {
  while (!data.empty()) {
    const std::size_t end = data.find('\n');
    const std::string_view head = data.substr(0, end);
    data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
    if (end == std::string_view::npos || !client.unfinished.empty()) {
      if (!keep_unfinished(client, head)) return;
      if (end == std::string_view::npos) return;
      unfinished_bytes_ -= client.unfinished.size();
      const std::string line = std::exchange(client.unfinished, {});
      if (!hub_.receive(client, line)) return drop(client);
    } else {
      if (!hub_.receive(client, head)) return drop(client);
    }
    if (client.provisional) return end_refused(client);
    if (client.waits_for_answer) return keep_unread(client, data);
    if (hub_.work_ns() < look_at_work_) continue;
    look_at_work_ = hub_.work_ns() + kWorkPerLook;
    if (Clock::now() >= slice_ends_) return keep_unread(client, data);
  }
}

// Whoever found no place and asked for more than the status leaves, with its answer if it wants one.
void Server::end_refused(Client& client) {
  if (client.received.refused == 0) return;
  if (client.queue.empty()) return drop(client);
  client.input_ended = true;
}

void Server::keep_unread(Client& client, std::string_view data) {
  client.unread = data;
  unfinished_bytes_ += data.size();
}

// Matches were compiled: their clients are read from again.
void Server::serve_side() {
  for (const SideThread::Then& then : side_->take_done()) then();
  for (Client* client : hub_.take_resumed()) {
    if (client->gone) continue;
    if (!client->unread.empty() || client->hung_up) queue_for_reading(*client);
    watch(*client);
  }
}

// False: the line is too long, and the client is gone.
bool Server::keep_unfinished(Client& client, std::string_view data) {
  const bool too_long = client.unfinished.size() + data.size() > kMostReceivedBytes;
  if (!too_long && unfinished_bytes_ + data.size() <= kMostUnfinishedBytes) {
    client.unfinished += data;
    unfinished_bytes_ += data.size();
    return true;
  }
  ++too_long_;
  const char* why = too_long ? "its line is too long" : "too many clients send long lines";
  log::repeated(log::Level::warning, "bus", why, fmt::format("{} is cut off: {}", client.name(), why));
  drop(client);
  return false;
}

// A client may close its sending half and listen on, so the end of its input is not the end of the client. Its last
// line counts without a newline.
void Server::end_input(Client& client) {
  if (!client.unfinished.empty()) {
    unfinished_bytes_ -= client.unfinished.size();
    const std::string line = std::exchange(client.unfinished, {});
    if (!hub_.receive(client, line)) return drop(client);
  }
  // A last line may ask for what takes time.
  if (client.waits_for_answer) return;
  // Whoever waits for answers alone gets them first.
  if (client.hung_up || !client.may_listen()) return drop(client);
  client.input_ended = true;
  watch(client);
}

// A system call for each line and client would cost more than all the rest. So sends are gathered: after one, the next
// waits for a time that grows with the number of clients that have something, and a timer ends the wait. The first line
// after a pause goes at once, and so does everything when much waits, because more gathering gains nothing then.
void Server::send_when_due() {
  if (!sending_.empty()) return send_on();
  const std::size_t clients = hub_.ready_count();
  if (clients == 0) return;
  const auto now = Clock::now();
  const auto gap = std::min<Clock::duration>(kMostGap, kGapPerClient * clients);
  if (now < last_send_ + gap && !hub_.much_waits()) {
    if (std::exchange(timer_runs_, true)) return;
    itimerspec due{};
    due.it_value.tv_nsec = std::chrono::nanoseconds(last_send_ + gap - now).count();
    ::timerfd_settime(timer_.get(), 0, &due, nullptr);
    return;
  }
  last_send_ = now;
  const std::vector<Client*> ready = hub_.take_ready();
  sending_.assign(ready.begin(), ready.end());
  send_on();
}

// To those whose turn it is, until the time of this round is over.
void Server::send_on() {
  const auto late = Clock::now() + kSendTime;
  while (!sending_.empty()) {
    Client& client = *sending_.front();
    sending_.pop_front();
    if (client.gone || client.blocked) continue;
    send_to(client);
    watch(client);
    if (Clock::now() >= late) return;
  }
}

void Server::send_to(Client& client) {
  hub_.mark_loss(client);
  std::array<iovec, kPiecesPerSend> pieces;  // NOLINT(*-member-init): filled by gather()
  msghdr message{};
  message.msg_iov = pieces.data();
  // Inside of a line there can be no marker: what stands behind this line must wait for one.
  const bool marker_due = client.wants_marker && client.queue.missed() != 0;
  message.msg_iovlen = client.queue.gather(std::span(pieces).first(marker_due ? 1 : pieces.size()), kSendBytes);
  if (message.msg_iovlen == 0) return;
  // What the socket does not take stays in the queue, in pieces of lines; EPOLLOUT brings the next try. Errors that
  // pass are the same: the kernel is short of memory, and the client is not to blame.
  const ssize_t sent = ::sendmsg(client.socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM) {
      client.blocked = true;
    } else {
      drop(client);
    }
    return;
  }
  client.queue.sent(static_cast<std::size_t>(sent));
  if (client.provisional && client.queue.empty() && !client.awaits_status) return drop(client);
  last_progress_ = Clock::now();
  std::size_t offered = 0;
  for (const iovec& piece : std::span(pieces).first(message.msg_iovlen)) offered += piece.iov_len;
  client.blocked = static_cast<std::size_t>(sent) < offered;
  if (client.input_ended && !client.may_listen()) return drop(client);
  if (!client.blocked && !client.queue.empty()) hub_.make_ready(client);
}

void Server::drop(Client& client) {
  if (std::exchange(client.gone, true)) return;
  gone_.push_back(&client);
}

// Only at the end of a round: its epoll events hold addresses of clients, so that a client dropped in the middle must
// live on until no event can name it. Dropping marks it, and this frees it.
void Server::forget_gone() {
  for (Client* client : hub_.take_too_large()) {
    log::repeated(
        log::Level::warning, "bus", "too much for all",
        client->name() + " is cut off: it takes none of the line that was begun, and there is too much for all");
    drop(*client);
  }
  for (Client* client : gone_) {
    unfinished_bytes_ -= client->unfinished.size() + client->unread.size();
    if (client->waits_for_turn) std::erase(reading_, client);
    std::erase(sending_, client);
    if (client->provisional) std::erase(provisional_, client);
    hub_.leave(*client);
    log::debug(fmt::format("bus: client {} left", client->id));
    clients_.erase(client);
  }
  gone_.clear();
}

}  // namespace nfbus::host
