// HTTP requests of a worker thread over libcurl: several at once, over connections that are kept, without a thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

// What all requests of a client have in common.
struct Settings {
  std::string proxy = {};      // URL; empty: none, whatever the environment says
  std::string ca_file = {};    // PEM; empty: the system's authorities
  std::string cert_file = {};  // PEM, for servers that ask for one; empty: none
  std::string key_file = {};   // PEM; empty: it is in cert_file
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds request_timeout{10000};  // from the beginning to the answer's last byte
  std::size_t most_answer_bytes = 1U << 20U;         // of a body; more is cut off
};

enum class Method : std::uint8_t {
  get = 1,
  post,
  put,
  connect,  // none: the connection is made, TLS included, and nothing is sent; `answered` with status 0 if it can be
};

// url: http or https. The views must stay valid until perform() has returned.
struct Request {
  std::string url;
  std::string unix_socket = {};           // path; the URL's host is then only a name. Empty: TCP
  std::vector<std::string> headers = {};  // "Name: value"
  Method method = Method::get;
  std::string_view body = {};  // of a POST or PUT
};

enum class Ending : std::uint8_t {
  answered = 1,  // a whole answer is there
  unreachable,   // no connection: nothing was sent
  untrusted,     // TLS: one side does not trust the other
  broken,        // the connection ended before the answer did: it may have been taken
  timed_out,     // likewise
};

struct Answer {
  Ending ending = Ending::timed_out;
  int status = 0;  // with `answered`
  std::string body = {};
  bool body_is_cut = false;
  std::vector<std::pair<std::string, std::string>> headers = {};  // names in lower case, as they came
  std::string error = {};  // unless answered: what happened, with the fix where there is one

  // The last one of that name (lower case); empty: there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct Exchange {
  Request request;
  Answer answer = {};
};

// Thread safety: none; the constructor is [control], perform() is whoever's the instance is.
class Client {
 public:
  // Throws std::runtime_error when libcurl cannot start.
  explicit Client(Settings settings);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Sends all at once, and returns when each has its answer. time_left_ms is asked at least each 0.1 s: at 0 what is
  // not answered ends as timed_out. Redirections are not followed.
  void perform(std::span<Exchange> exchanges, const std::function<std::uint32_t()>& time_left_ms);

  // Closes the connections that are kept: the next request asks for names and certificates anew.
  void forget_connections();

 private:
  class Handles;
  const Settings settings_;
  std::unique_ptr<Handles> handles_;
};

// How long a Retry-After header (RFC 9110, section 10.2.3) asks to wait: seconds, or a date, which is compared with the
// answer's own Date where it has one. 0: it says nothing that makes sense. At most 10 minutes.
[[nodiscard]] std::uint32_t retry_after_ms(const Answer& answer);

// Seconds since 1970 of an HTTP date; -1: it is none.
[[nodiscard]] std::int64_t date_s(std::string_view text);

// For logs: one line without control characters, of about 400 bytes at most, cut between characters.
[[nodiscard]] std::string shortened(std::string_view text);

// For a part of a URL (RFC 3986, section 2.1): all but unreserved characters as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);
// RFC 4648, section 4.
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace http
