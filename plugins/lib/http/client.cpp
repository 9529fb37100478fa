#include "client.hpp"

#include "../ascii.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace http {
namespace {

constexpr long kLongestPollMs = 100;
constexpr long kNamesKeptS = 30;
constexpr std::uint32_t kLongestRetryAfterMs = 600'000;
constexpr std::size_t kMostHeaders = 100;

std::size_t take_body(const char* bytes, std::size_t one, std::size_t count, void* context);
std::size_t take_header(const char* bytes, std::size_t one, std::size_t count, void* context);

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

// One request on its way.
struct Handle {
  std::unique_ptr<CURL, FreeEasy> easy;
  std::unique_ptr<curl_slist, FreeList> headers;
  std::array<char, CURL_ERROR_SIZE> error;
  Answer* answer;
  std::size_t most_bytes;
};

std::size_t take_body(const char* bytes, std::size_t one, std::size_t count, void* context) {
  const Handle& handle = *static_cast<Handle*>(context);
  const std::size_t size = one * count;
  const std::size_t room = handle.most_bytes - std::min(handle.most_bytes, handle.answer->body.size());
  handle.answer->body.append(bytes, std::min(size, room));
  handle.answer->body_is_cut |= room < size;
  return size;
}

std::size_t take_header(const char* bytes, std::size_t one, std::size_t count, void* context) {
  Answer& answer = *static_cast<Handle*>(context)->answer;
  const std::string_view line = output::trimmed({bytes, one * count});
  if (line.starts_with("HTTP/")) answer.headers.clear();  // after "100 Continue", or of a proxy
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || answer.headers.size() >= kMostHeaders) return one * count;
  answer.headers.emplace_back(output::lower(line.substr(0, colon)), output::trimmed(line.substr(colon + 1)));
  return one * count;
}

Ending ending_of(CURLcode code) {
  switch (code) {
    case CURLE_OK: return Ending::answered;
    case CURLE_OPERATION_TIMEDOUT: return Ending::timed_out;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: return Ending::unreachable;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return Ending::untrusted;
    default: return Ending::broken;
  }
}

std::string explain(const Handle& handle, CURLcode code) {
  std::string text = handle.error[0] != '\0' ? handle.error.data() : curl_easy_strerror(code);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return text + "; set ca_file to the certificate of the authority that signed the server's, or mend url's name";
    case CURLE_SSL_CACERT_BADFILE: return text + "; ca_file must be a PEM file that the user nfbus runs as can read";
    case CURLE_SSL_CERTPROBLEM: return text + "; look at cert_file and key_file";
    default: return text;
  }
}

}  // namespace

std::string_view Answer::header(std::string_view name) const noexcept {
  std::string_view last;
  for (const auto& [of, value] : headers) {
    if (of == name) last = value;
  }
  return last;
}

class Client::Handles {
 public:
  Handles() : multi_(curl_multi_init()) {
    if (multi_ == nullptr) throw std::runtime_error("libcurl cannot start");
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    easy_.clear();
    curl_multi_cleanup(multi_);
  }

  Handle& at(std::size_t index) {
    while (easy_.size() <= index) {
      auto made = std::make_unique<Handle>();
      made->easy.reset(curl_easy_init());
      if (!made->easy) throw std::runtime_error("libcurl cannot start");
      easy_.push_back(std::move(made));
    }
    return *easy_[index];
  }

  [[nodiscard]] CURLM* multi() const noexcept { return multi_; }

 private:
  std::vector<std::unique_ptr<Handle>> easy_;
  CURLM* multi_;
};

namespace {

template <typename T>
void set(CURL* easy, CURLoption option, T value) {
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) throw std::runtime_error("libcurl refuses an option");
}

void set_up(Handle& handle, const Settings& settings, Exchange& exchange) {
  CURL* const easy = handle.easy.get();
  const Request& request = exchange.request;
  curl_easy_reset(easy);
  handle.answer = &exchange.answer;
  handle.most_bytes = settings.most_answer_bytes;
  handle.error[0] = '\0';
  set(easy, CURLOPT_ERRORBUFFER, handle.error.data());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_URL, request.url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_DNS_CACHE_TIMEOUT, kNamesKeptS);
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.request_timeout.count()));
  // Neither way by what the environment says.
  set(easy, CURLOPT_PROXY, settings.proxy.c_str());
  set(easy, CURLOPT_NOPROXY, "");
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!settings.ca_file.empty()) set(easy, CURLOPT_CAINFO, settings.ca_file.c_str());
  if (!settings.cert_file.empty()) set(easy, CURLOPT_SSLCERT, settings.cert_file.c_str());
  if (!settings.key_file.empty()) set(easy, CURLOPT_SSLKEY, settings.key_file.c_str());
  if (!request.unix_socket.empty()) set(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  if (request.method == Method::connect) set(easy, CURLOPT_CONNECT_ONLY, 1L);
  if (request.method == Method::post || request.method == Method::put) {
    set(easy, CURLOPT_POST, 1L);
    if (request.method == Method::put) set(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    set(easy, CURLOPT_POSTFIELDS, request.body.data() == nullptr ? "" : request.body.data());
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  // "Expect: 100-continue" costs a second for each large body where the server does not know it.
  handle.headers.reset(curl_slist_append(nullptr, "Expect:"));
  for (const std::string& header : request.headers) {
    curl_slist* const longer = curl_slist_append(handle.headers.get(), header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
  }
  set(easy, CURLOPT_HTTPHEADER, handle.headers.get());
  set(easy, CURLOPT_WRITEFUNCTION, &take_body);
  set(easy, CURLOPT_WRITEDATA, &handle);
  set(easy, CURLOPT_HEADERFUNCTION, &take_header);
  set(easy, CURLOPT_HEADERDATA, &handle);
  set(easy, CURLOPT_PRIVATE, &handle);
}

void finish(const CURLMsg& message) {
  char* context = nullptr;
  curl_easy_getinfo(message.easy_handle, CURLINFO_PRIVATE, &context);
  Handle& handle = *reinterpret_cast<Handle*>(context);
  long status = 0;
  curl_easy_getinfo(message.easy_handle, CURLINFO_RESPONSE_CODE, &status);
  Answer& answer = *handle.answer;
  answer.ending = ending_of(message.data.result);
  answer.status = static_cast<int>(status);
  if (answer.ending != Ending::answered) answer.error = explain(handle, message.data.result);
}

// Takes handles out of the multi handle, whatever happens.
class OnTheirWay {
 public:
  explicit OnTheirWay(CURLM* multi) noexcept : multi_(multi) {}
  OnTheirWay(const OnTheirWay&) = delete;
  OnTheirWay& operator=(const OnTheirWay&) = delete;
  ~OnTheirWay() {
    for (CURL* easy : added_) curl_multi_remove_handle(multi_, easy);
  }
  void add(CURL* easy) {
    added_.push_back(easy);
    if (curl_multi_add_handle(multi_, easy) != CURLM_OK) throw std::runtime_error("libcurl takes no more requests");
  }

 private:
  CURLM* multi_;
  std::vector<CURL*> added_;
};

}  // namespace

Client::Client(Settings settings) : settings_(std::move(settings)) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl cannot start");
  handles_ = std::make_unique<Handles>();
}

Client::~Client() {
  handles_.reset();
  curl_global_cleanup();
}

void Client::forget_connections() { handles_ = std::make_unique<Handles>(); }

void Client::perform(std::span<Exchange> exchanges, const std::function<std::uint32_t()>& time_left_ms) {
  CURLM* const multi = handles_->multi();
  OnTheirWay on_their_way(multi);
  for (std::size_t i = 0; i < exchanges.size(); ++i) {
    exchanges[i].answer = {.ending = Ending::timed_out, .error = "no answer in time"};
    Handle& handle = handles_->at(i);
    set_up(handle, settings_, exchanges[i]);
    on_their_way.add(handle.easy.get());
  }
  std::size_t finished = 0;
  while (finished < exchanges.size()) {
    const std::uint32_t left_ms = time_left_ms();
    if (left_ms == 0) return;
    int running = 0;
    if (curl_multi_perform(multi, &running) != CURLM_OK) throw std::runtime_error("libcurl failed");
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      finish(*message);
      ++finished;
    }
    if (finished == exchanges.size()) return;
    const long wait_ms = std::min(kLongestPollMs, static_cast<long>(left_ms));
    if (curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait_ms), nullptr) != CURLM_OK) {
      throw std::runtime_error("libcurl failed");
    }
  }
}

std::int64_t date_s(std::string_view text) {
  // RFC 9110, section 5.6.7, but without what else curl_getdate takes: a bare number, a day's name.
  if (text.size() < 20 || text.find(':') == std::string_view::npos) return -1;
  const std::time_t seconds = curl_getdate(std::string(text).c_str(), nullptr);
  return static_cast<std::int64_t>(seconds);
}

std::uint32_t retry_after_ms(const Answer& answer) {
  const std::string_view text = answer.header("retry-after");
  if (text.empty()) return 0;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    std::uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || seconds > kLongestRetryAfterMs / 1000) return kLongestRetryAfterMs;
    return static_cast<std::uint32_t>(seconds * 1000);
  }
  const std::int64_t until = date_s(text);
  if (until < 0) return 0;
  const std::int64_t answered = date_s(answer.header("date"));
  const std::int64_t wait_s = until - (answered >= 0 ? answered : static_cast<std::int64_t>(std::time(nullptr)));
  if (wait_s <= 0) return 0;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(wait_s, kLongestRetryAfterMs / 1000) * 1000);
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kLongest = 400;
  std::string out;
  for (const char c : text) {
    if (out.size() >= kLongest && (static_cast<unsigned char>(c) & 0xc0U) != 0x80) {
      out += "...";
      break;
    }
    out += static_cast<unsigned char>(c) < 0x20 || c == '\x7f' ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xfU];
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[at])} : 0U;
    };
    const std::uint32_t three = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out += kDigits[three >> 18U];
    out += kDigits[three >> 12U & 63U];
    out += i + 1 < bytes.size() ? kDigits[three >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? kDigits[three & 63U] : '=';
  }
  return out;
}

}  // namespace http
