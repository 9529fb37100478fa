// The sink: applies the rules when the host starts, keeps them, and does what `nfbus nft` asks of a running host.
#pragma once

#include "ban_messages.hpp"
#include "ban_settings.hpp"
#include "control.hpp"
#include "settings.hpp"
#include "tug_of_war.hpp"

#include <nfbus/sink.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace nftrules {

// Requests of other threads, done on the sink's worker, which alone may ask the privileged part.
class Mailbox {
 public:
  struct Job {
    std::uint64_t client = 0;
    std::string request;  // empty: the client has gone
    std::promise<std::string> answer;
  };

  // [any] Empty: the mailbox is closed.
  std::optional<std::future<std::string>> put(std::uint64_t client, std::string request);
  // [worker]
  std::optional<Job> take();
  // What is in it then gets no answer.
  void close();

 private:
  std::mutex mutex_;
  std::deque<Job> jobs_;
  bool is_closed_ = false;
};

class NftRules final : private ControlHandler {
 public:
  NftRules(nfbus::Host host, const nfbus::Options& options);
  ~NftRules() override = default;
  NftRules(const NftRules&) = delete;
  NftRules& operator=(const NftRules&) = delete;

  void open(nfbus::Shape& shape);
  nfbus::Delivery write(nfbus::Events events);
  void tick();
  void close();
  // What rules, groups and sinks do not fit each other, see diagnosis.hpp.
  void diagnose(nfbus::Findings findings) const;

 private:
  using Clock = std::chrono::steady_clock;

  // What `apply --confirm` waits for.
  struct Pending {
    std::uint64_t client = 0;
    Clock::time_point deadline;
  };

  std::string answer(std::uint64_t client, std::string_view request) override;
  void gone(std::uint64_t client) override;

  nfbus::Result<nlohmann::json> ask(const nlohmann::json& request);
  nfbus::Result<nlohmann::json> apply(int confirm_s);
  nfbus::Result<nlohmann::json> take_back(const char* what);
  nlohmann::json serve(std::uint64_t client, const nlohmann::json& request);
  void serve_all();
  void watch();
  void log_applied(const nlohmann::json& done);

  const nfbus::Host host_;
  const Settings settings_;
  const BanSettings ban_settings_;
  const std::string options_;  // JSON, to compare with a command's
  BanMessages bans_;
  Mailbox mailbox_;
  std::unique_ptr<ControlServer> server_;
  std::optional<Pending> pending_;
  bool is_confirmed_ = false;  // what was pending last
  bool is_paused_ = false;     // something was taken back: it is not put back
  std::string last_trouble_;
  TugOfWar tug_;
};

}  // namespace nftrules
