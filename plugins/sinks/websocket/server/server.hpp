// HTTP and WebSocket (RFC 9112, RFC 6455) on one thread of its own, over TCP with or without TLS.
#pragma once

#include "message.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace websocket {

// One WebSocket connection. [server]
class Channel {
 public:
  virtual ~Channel() = default;
  // Sends a text frame. Not before the one before is written().
  virtual void write(Text text) = 0;
  // Says good-bye behind what is being written; the other side has half a minute to answer.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};

// Who talks to one client. [server]
class Conversation {
 public:
  virtual ~Conversation() = default;
  // channel: valid until ended().
  virtual void begun(Channel& channel) = 0;
  // A whole text message, valid UTF-8.
  virtual void received(std::string_view text) = 0;
  virtual void written() = 0;
  // The server stops: it has to say good-bye, behind what waits.
  virtual void stopping() = 0;
  // The connection is gone, for whatever reason. Nothing is called after it.
  virtual void ended() = 0;
};

struct Upgrade {
  std::shared_ptr<Conversation> conversation = {};  // null: refused
  Response refused = {};
  bool deflate = false;
};

// Who answers. All on the server's thread.
class Application {
 public:
  virtual ~Application() = default;
  virtual void answer(Request request, Reply reply) = 0;
  // `reply` is called once, now or later.
  virtual void upgrade(const Request& request, std::function<void(Upgrade)> reply) = 0;
  // Somebody found no place.
  virtual void turned_away() = 0;
};

// Where to listen.
struct Listen {
  std::string address = {};  // numeric
  std::uint16_t port = 0;    // 0: any that is free
  int fd = -1;               // a socket that listens already, in place of both; this owns it not
};

struct ServerSettings {
  std::vector<Listen> listen = {};
  bool loopback_only = false;  // a descriptor that others can connect to is refused
  std::string cert_file = {};  // PEM, the chain; empty: no TLS
  std::string key_file = {};   // PEM; empty: it is in cert_file
  std::size_t most_connections = 0;
};

// Thread safety: the constructor, start() and stop() are [control]; post() and after() [any].
class Server {
 public:
  // Binds. Throws std::runtime_error, which says what is wrong with which address or file. application outlives this.
  Server(const ServerSettings& settings, Application& application);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // "http://127.0.0.1:8787/" and so on.
  [[nodiscard]] std::vector<std::string> addresses() const;
  void start();
  // Says good-bye to all, waits a second at most, and joins the thread. Then nothing of what was posted runs any more.
  void stop() noexcept;

  // Runs on the server's thread.
  void post(std::function<void()> what);
  void after(std::chrono::milliseconds delay, std::function<void()> what);

  // [any] Whether the certificate and its key can be used; without one: yes.
  [[nodiscard]] static nfbus::Result<void> check_certificate(const ServerSettings& settings);
  // Reads the certificate again, for connections to come. An error leaves the old one. [any]
  [[nodiscard]] nfbus::Result<void> read_certificate();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace websocket
