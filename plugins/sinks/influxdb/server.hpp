// The servers of one instance: which of them is asked, by which API, and with which secret.
#pragma once

#include "../../lib/http/client.hpp"
#include "settings.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace influx {

// What a ping's answer says of the server; none: it does not tell.
[[nodiscard]] std::optional<Api> api_of(const http::Answer& ping);

// Thread safety: none.
class Server {
 public:
  explicit Server(const Settings& settings) : settings_(settings), api_(settings.api) {}

  [[nodiscard]] const http::Place& place() const noexcept { return settings_.places[current_]; }
  [[nodiscard]] Api api() const noexcept { return api_; }  // `automatic`: not known yet
  // The database or bucket that points go to.
  [[nodiscard]] const std::string& target() const noexcept;

  [[nodiscard]] http::Request ping() const;
  // Takes what the ping's answer says, where api = "auto". False: it says nothing, and `why` what is wrong.
  [[nodiscard]] bool learn(const http::Answer& ping, std::string& why);
  void forget_api() noexcept { api_ = settings_.api; }

  // A request that writes; the caller gives it its body. api() must be known.
  [[nodiscard]] http::Request write(bool is_gzip) const;
  // A request that reads: the path with its query ("/query?q=...").
  [[nodiscard]] http::Request read(const std::string& path_and_query) const;

  // The next place of several; false: that was all of them since the last answered().
  bool try_next();
  void answered() noexcept { tried_ = 0; }

  // Reads the secret's file. Returns what is wrong, with the fix; empty: nothing is. `changed`: it is another one.
  [[nodiscard]] std::string read_secret(bool& changed);
  // It is read before the next write.
  void secret_is_stale() noexcept { has_secret_ = false; }
  [[nodiscard]] bool has_secret() const noexcept { return has_secret_; }

 private:
  [[nodiscard]] std::string authorization() const;
  [[nodiscard]] http::Request request(const std::string& path_and_query) const;

  const Settings& settings_;
  Api api_;
  std::size_t current_ = 0;
  std::size_t tried_ = 0;  // places that did not answer, one after the other
  bool has_secret_ = false;
  std::string password_;
  std::string token_;
};

}  // namespace influx
