// The secrets of one instance as they are now, and the url, which may be one.
#pragma once

#include "settings.hpp"
#include "target.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webhook {

// Thread safety: none.
class Secrets {
 public:
  explicit Secrets(const Settings& settings) : settings_(settings) {}

  // Reads the files. Returns what is wrong, with the fix, and keeps what was; empty: nothing is. `changed`: one of them
  // is another one.
  [[nodiscard]] std::string read(bool& changed);
  // They are read before the next request.
  void are_stale() noexcept { fresh_ = false; }
  [[nodiscard]] bool fresh() const noexcept { return fresh_; }

  // These need one read() that went well.
  [[nodiscard]] const Target& target() const noexcept { return settings_.target ? *settings_.target : *target_; }
  // Headers that show who sends: with the token, or with user and password.
  [[nodiscard]] std::vector<std::string> authorization() const;
  [[nodiscard]] const std::string& hmac() const noexcept { return hmac_; }

  // Where it goes, for texts: without the path. Before the first read() of a url_file: that file.
  [[nodiscard]] std::string place() const;
  // A text for the log without any of the secrets that a server may have put into it. url: that the request went to,
  // of which all behind the host may be one.
  [[nodiscard]] std::string without_secrets(std::string text, const std::string& url) const;

 private:
  const Settings& settings_;
  bool fresh_ = false;
  std::string token_;
  std::string password_;
  std::string hmac_;
  std::string url_;               // of url_file
  std::optional<Target> target_;  // likewise
};

}  // namespace webhook
