#include <utility>  // before Asio 1.74, which lacks it

#include "report/metrics_server.hpp"
#include "report/prometheus_text.hpp"
#include "support/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <list>
#include <optional>
#include <string_view>
#include <thread>

namespace nfbus::host {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr std::size_t kMostClients = 64;
constexpr std::size_t kMostRequestBytes = 8192;
constexpr std::chrono::seconds kMostSilence{10};
constexpr std::chrono::milliseconds kAcceptPause{200};  // while there are no descriptors left
constexpr char kText[] = "text/plain; charset=utf-8";

// Takes as long wherever they differ.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// A program that a plugin starts has no business with it.
template <class Socket>
void close_on_exec(Socket& socket) {
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
}

struct Answers {
  std::string token;  // empty: anybody may ask
  MetricsPages pages;

  [[nodiscard]] Response to(const Request& request) const {
    Response response(http::status::ok, request.version());
    response.keep_alive(request.keep_alive());
    try {
      fill(response, request);
    } catch (const std::exception& error) {
      response.result(http::status::internal_server_error);
      response.body() = fmt::format("{}\n", error.what());
    }
    if (response.find(http::field::content_type) == response.end()) response.set(http::field::content_type, kText);
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    return response;
  }

  [[nodiscard]] static Response to_no_request() {
    Response response(http::status::bad_request, 11);
    response.keep_alive(false);
    response.set(http::field::content_type, kText);
    response.body() = "this is no HTTP request that is understood here\n";
    response.prepare_payload();
    return response;
  }

 private:
  void fill(Response& response, const Request& request) const {
    const beast::string_view target = request.target();
    const beast::string_view path = target.substr(0, target.find('?'));
    if (!token.empty() && !is_authorized(request)) {
      response.result(http::status::unauthorized);
      response.set(http::field::www_authenticate, "Bearer");
      response.body() = "send the token: Authorization: Bearer TOKEN\n";
    } else if (path != "/metrics" && path != "/healthz") {
      response.result(http::status::not_found);
      response.body() = "here are /metrics and /healthz\n";
    } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
      response.result(http::status::method_not_allowed);
      response.set(http::field::allow, "GET, HEAD");
      response.body() = "this can be read with GET\n";
    } else if (path == "/metrics") {
      response.set(http::field::content_type, kPrometheusTextType);
      response.body() = pages.metrics();
    } else {
      HealthPage health = pages.health();
      if (!health.is_healthy) response.result(http::status::service_unavailable);
      response.body() = health.text.empty() ? "ok\n" : std::move(health.text);
    }
  }

  [[nodiscard]] bool is_authorized(const Request& request) const {
    constexpr std::string_view kScheme = "Bearer ";
    const beast::string_view given = request[http::field::authorization];
    const std::string_view text(given.data(), given.size());
    return text.starts_with(kScheme) && same_secret(text.substr(kScheme.size()), token);
  }
};

class Session;
// Those whose next request has not come whole, the longest waiting first.
using Waiting = std::list<Session*>;

// One connection; it owns itself by the operation that is under way.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // open: how many sessions there are. What it refers to outlives it.
  Session(tcp::socket socket, const Answers& answers, std::size_t& open, Waiting& waiting)
      : stream_(std::move(socket)), answers_(answers), open_(open), waiting_(waiting) {
    ++open_;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (place_) waiting_.erase(*place_);
    if (!is_closed_) --open_;
  }

  // Ends it: its place is free at once.
  void close() {
    error_code ignored;
    stream_.socket().close(ignored);
    waiting_.erase(*std::exchange(place_, std::nullopt));
    is_closed_ = true;
    --open_;
  }

  void read() {
    place_ = waiting_.insert(waiting_.end(), this);
    parser_.emplace();
    parser_->header_limit(kMostRequestBytes);
    stream_.expires_after(kMostSilence);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, std::size_t) { self->answer(error); });
  }

 private:
  void answer(const error_code& error) {
    if (is_closed_) return;
    waiting_.erase(*std::exchange(place_, std::nullopt));
    static const error_code kAnyOfHttp = http::make_error_code(http::error::end_of_stream);
    const bool is_no_request = error.category() == kAnyOfHttp.category() && error != http::error::end_of_stream &&
                               error != http::error::partial_message;
    if (error && !is_no_request) return;
    response_ = error ? Answers::to_no_request() : answers_.to(parser_->get());
    stream_.expires_after(kMostSilence);
    http::async_write(stream_, response_, [self = shared_from_this()](const error_code& failed, std::size_t) {
      if (!failed && self->response_.keep_alive()) self->read();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kMostRequestBytes};
  std::optional<http::request_parser<http::empty_body>> parser_;
  Response response_;
  const Answers& answers_;
  std::size_t& open_;
  Waiting& waiting_;
  std::optional<Waiting::iterator> place_;  // in waiting_
  bool is_closed_ = false;
};

}  // namespace

class MetricsServer::Impl {
 public:
  explicit Impl(const MetricsConfig& config) : answers_{.token = config.token, .pages = {}} {
    const tcp::endpoint endpoint(asio::ip::make_address(config.listen->address), config.listen->port);
    acceptor_.open(endpoint.protocol());
    close_on_exec(acceptor_);
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  [[nodiscard]] std::string address() const {
    const tcp::endpoint at = acceptor_.local_endpoint();
    const std::string address = at.address().to_string();
    return at.address().is_v6() ? fmt::format("[{}]:{}", address, at.port()) : fmt::format("{}:{}", address, at.port());
  }

  void start(MetricsPages pages) {
    answers_.pages = std::move(pages);
    accept();
    thread_ = std::thread([this] { io_.run(); });
    ::pthread_setname_np(thread_.native_handle(), "metrics");
  }

  void stop() noexcept {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error) {  // of the one connection, or out of descriptors
        pause_.expires_after(kAcceptPause);
        pause_.async_wait([this](const error_code&) { accept(); });
        return;
      }
      close_on_exec(socket);
      if (open_ >= kMostClients && !waiting_.empty()) waiting_.front()->close();
      if (open_ < kMostClients) std::make_shared<Session>(std::move(socket), answers_, open_, waiting_)->read();
      accept();
    });
  }

  Answers answers_;
  std::size_t open_ = 0;
  Waiting waiting_;
  asio::io_context io_{1};  // goes before what its sessions use
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  std::thread thread_;
};

Result<MetricsServer> MetricsServer::open(const MetricsConfig& config) {
  try {
    return MetricsServer(std::make_unique<Impl>(config));
  } catch (const boost::system::system_error& error) {
    const error_code& why = error.code();
    Code code = Code::io;
    if (why == boost::system::errc::address_in_use) code = Code::busy;
    if (why == boost::system::errc::permission_denied) code = Code::refused;
    return Error{.code = code,
                 .text = fmt::format("metrics.listen: cannot listen at {}:{}: {}", config.listen->address,
                                     config.listen->port, why.message())};
  }
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
MetricsServer::MetricsServer(MetricsServer&&) noexcept = default;
MetricsServer::~MetricsServer() = default;

std::string MetricsServer::address() const { return impl_->address(); }
void MetricsServer::start(MetricsPages pages) { impl_->start(std::move(pages)); }
void MetricsServer::stop() noexcept { impl_->stop(); }

}  // namespace nfbus::host
