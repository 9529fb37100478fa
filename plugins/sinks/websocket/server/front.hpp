// The door: who may ask what, and who is told what. Requests that look at events become jobs of the worker.
#pragma once

#include "../board.hpp"
#include "../jobs.hpp"
#include "../settings.hpp"
#include "access.hpp"
#include "client.hpp"
#include "server.hpp"

#include <nfbus/match_words.h>
#include <nfbus/host.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace websocket {

// On the server's thread, but for what says otherwise.
class Front final : public Application, public ClientOwner {
 public:
  // board and jobs outlive this. [control]
  Front(nfbus::Host host, const Settings& settings, Board& board, Jobs& jobs);

  // Before the server starts. [control]
  void set_server(Server& server) noexcept { server_ = &server; }
  // Whoever was let in by the old ones has to come again.
  void set_tokens(Tokens tokens);
  // Hands texts to their clients.
  void deliver(const Parcel& parcel);
  // [any]
  [[nodiscard]] std::size_t client_count() const noexcept { return client_count_; }

  void answer(Request request, Reply reply) override;
  void upgrade(const Request& request, std::function<void(Upgrade)> reply) override;
  void turned_away() override;

  void authenticate(const std::shared_ptr<Client>& client, std::string_view token) override;
  void sees(Client& client, const ViewSettings& settings, Text answer) override;
  void missed_since(Client& client, const ViewSettings& settings, std::uint64_t number) override;
  nfbus::Result<SharedMatch> compile(const nlohmann::json& match) override;
  void was_slow(std::uint64_t dropped) override;
  void left(Client& client) override;
  [[nodiscard]] bool may_wait(std::size_t bytes) const override;
  void waiting_changed(std::int64_t bytes) override { waiting_bytes_ += static_cast<std::size_t>(bytes); }
  void after(std::chrono::milliseconds delay, std::function<void()> what) override;

 private:
  // Since when a client wants to know what it missed: one job at a time looks, for what was asked last.
  struct Question {
    std::mutex mutex;
    SharedMatch match;
    std::uint64_t number = 0;
    std::uint64_t version = 0;  // 0: nothing was asked
    bool is_waiting = false;    // its job is at work
    bool is_gone = false;       // nobody waits for the answer
  };
  struct Known {
    std::weak_ptr<Client> client;
    std::string peer;
    std::string session;  // that let it in; empty: something else did
    std::shared_ptr<Question> question = std::make_shared<Question>();
    bool is_pending = false;  // it has to authenticate yet
    bool is_seeing = false;   // the worker has a view of it
  };

  enum class Entry : std::uint8_t { free = 1, by_session, by_token, none, wrong, crowded };
  // What lets a request in: `then` is called at once, or later for a token of somebody who guessed wrong before, so
  // that nobody guesses fast.
  void judge(const Request& request, const std::function<void(Entry)>& then);
  void judge_token(const std::string& peer, const std::string& token, const std::function<void(Entry)>& then);
  [[nodiscard]] static Response refuse_entry(Entry entry);
  [[nodiscard]] bool is_free_or_by_session(const Request& request);
  [[nodiscard]] bool has_room() const noexcept;
  Upgrade admit(const Request& request, Feed feed, Entry entry);
  // Those for which it holds are not let in any more.
  void shut_out(const std::function<bool(const Known&)>& is_meant, std::string_view reason);
  // The headers that every answer has.
  static void protect(Response& response);
  // The cookie's value.
  [[nodiscard]] static std::string_view session_of(const Request& request);
  void answer_with_entry(const Request& request, const Reply& reply);
  void answer_login(const Request& request, const Reply& reply);
  void answer_export(const Request& request, const Reply& reply);
  void answer_rules(const Request& request, rules::Shape shape, std::string_view rest, const Reply& reply);
  [[nodiscard]] Response describe_session(const Request& request);
  // Of the parameter `match`, words; sets `wrong` where it is no match.
  [[nodiscard]] SharedMatch match_of(const Request& request, std::optional<Response>& wrong);
  void post(Jobs::Job job);
  // Of a request: it is answered by an error when the job throws.
  void post(const Reply& reply, Jobs::Job job);
  // Of a request that looks at many events: dropped when nobody waits for it any more, refused where too many are at
  // it.
  void scan(const Request& request, const Reply& reply, Jobs::Job job);

  const nfbus::Host host_;
  const Settings& settings_;
  Board& board_;
  Jobs& jobs_;
  const nfbus_match_words* const words_;  // null: the host has none
  const nfbus::Counter slow_counter_;
  const nfbus::Counter missed_counter_;
  const nfbus::Counter turned_away_counter_;
  Server* server_ = nullptr;
  Tokens tokens_;
  Sessions sessions_;
  Slowdown slowdown_;
  std::map<ViewId, Known> clients_;
  std::size_t pending_ = 0;  // of them
  std::atomic<std::size_t> client_count_ = 0;
  std::size_t waiting_bytes_ = 0;  // for all of them
  ViewId next_id_ = 1;
  std::size_t refusing_ = 0;  // tokens that are not looked at yet, and answers to wrong ones that wait
};

}  // namespace websocket
