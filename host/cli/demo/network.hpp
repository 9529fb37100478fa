// The demo's network: lan - router - wan, each a network namespace without a name. A namespace lives as long as its
// process, and the processes of the ends are killed by the kernel when the demo dies, so nothing can be left behind.
#pragma once

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <string_view>
#include <vector>

namespace nfbus::host::demo {

// Thread safety: [control].
class Network {
 public:
  // Moves this process into a namespace of its own, which becomes the router, and forks the processes of both ends and
  // of the router's own services. Call before any thread exists, and once: there is no way back to the machine's
  // network. SIGINT and SIGTERM should be blocked: Ctrl-C goes to the whole process group, and this process alone
  // decides when it is over. Without root a user namespace is made too. Errors: refused (this process may not),
  // not_found (`ip` or `nft` is missing), io.
  static Result<Network> build();

  Network(Network&& other) noexcept;
  Network& operator=(Network&&) = delete;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();  // ends the processes and waits for them

  // Lets the traffic flow.
  void start_traffic() noexcept;

 private:
  // A process of the demo, and our end of the socket pair to it.
  struct Peer {
    pid_t process;
    int socket;
  };

  Network() = default;
  template <typename Main>
  Result<void> fork_peer(std::string_view what, Main main);
  // The peer goes on to its next step; tell() does not wait for it, await() hears how the step went.
  static void tell(const Peer& peer) noexcept;
  static Result<void> await(const Peer& peer);

  std::vector<Peer> peers_;
};

}  // namespace nfbus::host::demo
