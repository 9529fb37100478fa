// One WebSocket client: lets it in, hears what it wants to see, and sends it that at its own pace.
#pragma once

#include "../view.hpp"
#include "server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace websocket {

class Client;

// Who has all clients. On the server's thread.
class ClientOwner {
 public:
  virtual ~ClientOwner() = default;
  // The first frame is a token: calls authenticated() of it, at once, or later when it is wrong.
  virtual void authenticate(const std::shared_ptr<Client>& client, std::string_view token) = 0;
  // It sees what these settings say from here on; then it is sent `answer` (null: nothing).
  virtual void sees(Client& client, const ViewSettings& settings, Text answer) = 0;
  // It has missed events behind that number.
  virtual void missed_since(Client& client, const ViewSettings& settings, std::uint64_t number) = 0;
  // Of a table, an array of tables, or words as on a command line. Error: what is wrong with it.
  virtual nfbus::Result<SharedMatch> compile(const nlohmann::json& match) = 0;
  virtual void was_slow(std::uint64_t dropped) = 0;
  virtual void left(Client& client) = 0;
  // Whether so many bytes may wait for one client, by what waits for all.
  [[nodiscard]] virtual bool may_wait(std::size_t bytes) const = 0;
  // More wait for some client than before, or fewer.
  virtual void waiting_changed(std::int64_t bytes) = 0;
  virtual void after(std::chrono::milliseconds delay, std::function<void()> what) = 0;
};

// Thread safety: none; on the server's thread.
class Client final : public Conversation, public std::enable_shared_from_this<Client> {
 public:
  enum class Entry : std::uint8_t {
    open = 1,  // nobody needs a token; one that comes is welcome
    by_frame,  // the first frame is one
    let_in,    // the upgrade had one
  };

  Client(ClientOwner& owner, ViewId id, Feed feed, Entry entry)
      : owner_(owner), id_(id), entry_(entry), settings_{.feed = feed} {}

  [[nodiscard]] ViewId id() const noexcept { return id_; }
  [[nodiscard]] bool waits_for_token() const noexcept { return state_ == State::waits_for_token; }

  // Too much that waits drops all of it: then it is told how much it missed, and has to come again.
  void send(Text text);
  // The answer to authenticate().
  void authenticated(bool is_right);
  // It has to go, behind what waits for it.
  void dismiss(std::uint16_t code, std::string_view reason) { leave(code, reason); }
  // It is not let in any more: it gets nothing of what waits for it.
  void shut_out(std::string_view reason);

  void begun(Channel& channel) override;
  void received(std::string_view text) override;
  void written() override;
  void stopping() override;
  void ended() override;

 private:
  enum class State : std::uint8_t { connecting = 1, waits_for_token, is_in, leaves };

  void join();
  void keep_early(std::string_view text);
  void take_wishes(std::string_view text);
  [[nodiscard]] Text answer(const nlohmann::json& wishes, const std::string& wrong) const;
  void queue(Text text);
  void forget_queue();
  void count_waiting(std::int64_t bytes);
  void write_next();
  // Behind what waits.
  void leave(std::uint16_t code, std::string_view reason);

  ClientOwner& owner_;
  const ViewId id_;
  const Entry entry_;
  ViewSettings settings_;
  State state_ = State::connecting;
  Channel* channel_ = nullptr;     // null: not yet, or gone
  std::deque<std::string> early_;  // what came behind the token, before its answer
  std::size_t early_bytes_ = 0;
  std::deque<Text> queue_;
  std::size_t queued_bytes_ = 0;
  bool is_writing_ = false;
  bool is_held_ = false;  // nothing is written: the first frame may be a token, whose answer comes first
  bool has_spoken_ = false;
  std::uint16_t close_code_ = 0;  // of leave()
  std::string_view close_reason_;
};

}  // namespace websocket
