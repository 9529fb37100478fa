// Brings the events of one write() to the server, and says of each what became of it.
#pragma once

#include "../../lib/http/client.hpp"
#include "answer.hpp"
#include "composer.hpp"
#include "secrets.hpp"
#include "settings.hpp"

#include <nfbus/host.hpp>
#include <nfbus/sink.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace webhook {

// Thread safety: none.
class Delivery {
 public:
  Delivery(const Settings& settings, Secrets& secrets, http::Client& client, nfbus::Host host);

  // Never throws for what a server does.
  nfbus::Delivery deliver(nfbus::Events events);

 private:
  using Job = std::vector<std::uint32_t>;  // the events of one request; ascending

  void split(std::uint32_t count);
  // Reads the secrets, if they have to be. False: not now; the reason is set.
  bool prepare();
  void send(nfbus::Events events);
  void settle(nfbus::Events events, Job job, const Verdict& verdict);
  void halve(const Job& job);
  void hold(const std::string& reason, std::uint32_t retry_after_ms);

  const Settings& settings_;
  Secrets& secrets_;
  http::Client& client_;
  Composer composer_;

  // Of one deliver().
  std::deque<Job> jobs_;
  bool held_ = false;
  std::string reason_;  // why the rest comes again
  std::uint32_t retry_after_ms_ = 0;
  bool has_read_secrets_anew_ = false;
  bool is_secret_new_ = false;  // since the requests went out whose answers are judged
  std::size_t extra_requests_ = 0;
  std::vector<std::string> bodies_;  // kept for their memory
};

}  // namespace webhook
