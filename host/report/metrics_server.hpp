// Answers GET /metrics and GET /healthz over HTTP/1.1 (RFC 9112).
#pragma once

#include "config/config.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace nfbus::host {

struct HealthPage {
  std::string text;        // what is wrong, in lines; empty: nothing
  bool is_healthy = true;  // else the status is 503
};

// Makes what the server asks for, each time a client does; called on its thread. They outlive the server's stop().
struct MetricsPages {
  std::function<std::string()> metrics;  // Prometheus' text
  std::function<HealthPage()> health;
};

// One thread serves all clients, 64 at most at a time, each for 10 seconds of silence at most. When one comes more, the
// one makes room that has waited longest without a whole request.
// Thread safety: [control].
class MetricsServer {
 public:
  // Listens. Errors: busy (the port is taken), refused, io.
  static Result<MetricsServer> open(const MetricsConfig& config);

  MetricsServer(MetricsServer&& other) noexcept;
  MetricsServer& operator=(MetricsServer&&) = delete;
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  // Stops.
  ~MetricsServer();

  // Returns where it listens, the port included that the kernel chose for 0: "127.0.0.1:9477".
  [[nodiscard]] std::string address() const;
  void start(MetricsPages pages);
  // Answers under way are cut off.
  void stop() noexcept;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace nfbus::host
