// How `nfbus nft` reaches whoever holds the rules of a network namespace: a running host, or a command that waits for
// its confirmation. A unix socket in state_dir; a line of JSON each way.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace nftrules {

// What others are told while somebody waits for a confirmation.
inline constexpr const char* kWaits =
    "nfbus nft apply --confirm waits for its confirmation; say nfbus nft confirm first, or end it";

// The socket's path for this network namespace.
std::string control_path(const std::string& state_dir);

// Called on the server's thread, one call at a time.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  // A request of that client; the answer is one line. May take as long as the client waits.
  virtual std::string answer(std::uint64_t client, std::string_view request) = 0;
  // It has closed its connection.
  virtual void gone(std::uint64_t client) = 0;
};

// Serves root and the user that it runs as. Thread safety: none; its thread lives from start() to the destructor.
class ControlServer {
 public:
  // Errors: busy: somebody else serves there; io and refused: the folder.
  static nfbus::Result<std::unique_ptr<ControlServer>> start(const std::string& path, ControlHandler& handler);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();

 private:
  struct Client {
    nfbus::util::Descriptor socket;
    std::string line;
  };

  ControlServer(nfbus::util::Descriptor listener, nfbus::util::Descriptor wake, std::string path,
                ControlHandler& handler);
  void run();
  void accept_client();
  // False: it has gone.
  bool read_client(std::uint64_t number, Client& client);

  nfbus::util::Descriptor listener_;
  nfbus::util::Descriptor wake_;
  std::string path_;
  ControlHandler& handler_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_client_ = 1;
  std::atomic<bool> is_stopping_ = false;
  std::thread thread_;
};

// A connection to such a server.
class ControlClient {
 public:
  // Code::not_found: nobody serves there.
  static nfbus::Result<ControlClient> connect(const std::string& path);
  nfbus::Result<std::string> ask(std::string_view request, std::chrono::milliseconds timeout);
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

 private:
  explicit ControlClient(nfbus::util::Descriptor socket) : socket_(std::move(socket)) {}

  nfbus::util::Descriptor socket_;
};

}  // namespace nftrules
