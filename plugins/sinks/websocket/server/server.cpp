#include "server.hpp"

#include "beast.hpp"
#include "connections.hpp"
#include "http_connection.hpp"

#include "../../../lib/small_file.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cerrno>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace websocket {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{200};  // while there are no descriptors left
constexpr std::chrono::milliseconds kStopWait{1000};
constexpr std::size_t kMostPemBytes = 1U << 20U;

// A program that a plugin starts has no business with it.
void close_on_exec(int fd) noexcept { ::fcntl(fd, F_SETFD, FD_CLOEXEC); }

std::shared_ptr<ssl::context> make_tls(const std::string& cert_file, const std::string& key_file) {
  auto out = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(out->native_handle(), TLS1_2_VERSION);
  // Nobody is there to be asked for a pass phrase.
  SSL_CTX_set_default_passwd_cb(out->native_handle(), [](char*, int, int, void*) { return 0; });
  out->set_options(ssl::context::default_workarounds | ssl::context::no_compression);
  const std::string& key = key_file.empty() ? cert_file : key_file;
  for (const std::string& file : {cert_file, key}) {
    if (auto read = output::read_small_file(file, kMostPemBytes); !read) throw std::runtime_error(read.error().text);
  }
  error_code error;
  out->use_certificate_chain_file(cert_file, error);
  if (error) throw std::runtime_error("cannot use cert_file " + cert_file + ": it holds no certificate in PEM");
  out->use_private_key_file(key, ssl::context::pem, error);
  if (error) {
    throw std::runtime_error("cannot use the key in " + key +
                             ": it must be in PEM, without a pass phrase, and be that " + "of the certificate in " +
                             cert_file);
  }
  return out;
}

nfbus::Result<std::shared_ptr<ssl::context>> try_tls(const ServerSettings& settings) {
  try {
    return make_tls(settings.cert_file, settings.key_file);
  } catch (const std::runtime_error& error) {
    return nfbus::Error{.code = nfbus::Code::invalid, .text = error.what()};
  }
}

std::string shown(const tcp::endpoint& at) {
  const std::string address = at.address().to_string();
  return (at.address().is_v6() ? '[' + address + ']' : address) + ':' + std::to_string(at.port());
}

// A descriptor that somebody gave us.
tcp::acceptor adopt(asio::io_context& io, int fd, bool loopback_only) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const std::string name = "listen: fd:" + std::to_string(fd);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error(name + ": " + std::generic_category().message(errno));
  }
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
    throw std::runtime_error(name + " is no TCP socket");
  int listens = 0;
  size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    throw std::runtime_error(name + " is no TCP socket that listens");
  }
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) throw std::runtime_error(name + ": " + std::generic_category().message(errno));
  tcp::acceptor out(io, address.ss_family == AF_INET ? tcp::v4() : tcp::v6(), own);
  if (loopback_only && !out.local_endpoint().address().is_loopback()) {
    throw std::runtime_error(name + ": others than this machine's own programs can connect to " +
                             shown(out.local_endpoint()) + ": give token_file");
  }
  return out;
}

tcp::acceptor bind(asio::io_context& io, const Listen& listen) {
  const tcp::endpoint endpoint(asio::ip::make_address(listen.address), listen.port);
  try {
    tcp::acceptor out(io);
    out.open(endpoint.protocol());
    close_on_exec(out.native_handle());
    out.set_option(tcp::acceptor::reuse_address(true));
    if (endpoint.address().is_v6()) out.set_option(asio::ip::v6_only(true));
    out.bind(endpoint);
    out.listen();
    return out;
  } catch (const boost::system::system_error& error) {
    const bool lacks_right = error.code() == std::errc::permission_denied && listen.port != 0;
    throw std::runtime_error("cannot listen at " + shown(endpoint) + ": " + error.code().message() +
                             (lacks_right
                                  ? ": nfbus has given up the right to ports below "
                                    "net.ipv4.ip_unprivileged_port_start (1024): choose another, or let systemd "
                                    "open a socket, and write fd:N"
                                  : ""));
  }
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerSettings& settings, Application& application) : settings_(settings), connections_(application) {
    if (!settings.cert_file.empty()) tls_ = make_tls(settings.cert_file, settings.key_file);
    for (const Listen& listen : settings.listen) {
      acceptors_.push_back(listen.fd >= 0 ? adopt(io_, listen.fd, settings.loopback_only) : bind(io_, listen));
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  [[nodiscard]] std::vector<std::string> addresses() const {
    std::vector<std::string> out;
    for (const tcp::acceptor& acceptor : acceptors_) {
      out.push_back((settings_.cert_file.empty() ? "http://" : "https://") + shown(acceptor.local_endpoint()) + '/');
    }
    return out;
  }

  void start() {
    for (tcp::acceptor& acceptor : acceptors_) accept(acceptor);
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "websocket");
  }

  void stop() noexcept {
    if (thread_.joinable()) {
      asio::post(io_, [this] {
        for (tcp::acceptor& acceptor : acceptors_) {
          error_code ignored;
          acceptor.close(ignored);
        }
        connections_.stop();
        look_if_empty();
      });
      std::unique_lock lock(stop_mutex_);
      stopped_.wait_for(lock, kStopWait, [this] { return is_empty_; });
      lock.unlock();
      io_.stop();
      thread_.join();
    }
  }

  void post(std::function<void()> what) { asio::post(io_, std::move(what)); }
  void after(std::chrono::milliseconds delay, std::function<void()> what) {
    asio::post(io_, [this, delay, what = std::move(what)]() mutable {
      auto timer = std::make_shared<asio::steady_timer>(io_, delay);
      timer->async_wait([timer, what = std::move(what)](const error_code& error) {
        if (!error) what();
      });
    });
  }

  nfbus::Result<void> read_certificate() {
    if (settings_.cert_file.empty()) return {};
    auto tls = try_tls(settings_);
    if (!tls) return nfbus::Error{tls.error().code, tls.error().text + ": the one before stays"};
    asio::post(io_, [this, tls = std::move(*tls)] { tls_ = tls; });
    return {};
  }

 private:
  // One thing that fails ends nothing but itself.
  void run() noexcept {
    while (true) {
      try {
        io_.run();
        return;
      } catch (const std::exception&) {  // memory is short: who was served then is gone
        continue;
      }
    }
  }

  void look_if_empty() {
    if (connections_.size() == 0) {
      const std::lock_guard lock(stop_mutex_);
      is_empty_ = true;
      stopped_.notify_all();
      return;
    }
    after(std::chrono::milliseconds(5), [this] { look_if_empty(); });
  }

  void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](const error_code& error, tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (error) {  // of the one connection, or out of descriptors
        return after(kAcceptPause, [this, &acceptor] { accept(acceptor); });
      }
      serve(std::move(socket));
      accept(acceptor);
    });
  }

  void serve(tcp::socket socket) {
    close_on_exec(socket.native_handle());
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;
    if (connections_.size() >= settings_.most_connections) return connections_.application().turned_away();
    std::string address = peer.address().to_string();
    if (tls_) {
      std::make_shared<HttpConnection<TlsStream>>(connections_, std::move(address), PlainStream(std::move(socket)),
                                                  *tls_)
          ->begin();
    } else {
      std::make_shared<HttpConnection<PlainStream>>(connections_, std::move(address), std::move(socket))->begin();
    }
  }

  const ServerSettings settings_;
  Connections connections_;  // goes after io_, whose handlers have the connections
  asio::io_context io_{1};
  std::shared_ptr<ssl::context> tls_;  // null: none
  std::list<tcp::acceptor> acceptors_;
  std::thread thread_;
  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  bool is_empty_ = false;
};

Server::Server(const ServerSettings& settings, Application& application)
    : impl_(std::make_unique<Impl>(settings, application)) {}
Server::~Server() = default;

std::vector<std::string> Server::addresses() const { return impl_->addresses(); }
void Server::start() { impl_->start(); }
void Server::stop() noexcept { impl_->stop(); }
void Server::post(std::function<void()> what) { impl_->post(std::move(what)); }
void Server::after(std::chrono::milliseconds delay, std::function<void()> what) {
  impl_->after(delay, std::move(what));
}
nfbus::Result<void> Server::check_certificate(const ServerSettings& settings) {
  if (settings.cert_file.empty()) return {};
  auto tls = try_tls(settings);
  if (!tls) return std::move(tls).error();
  return {};
}
nfbus::Result<void> Server::read_certificate() { return impl_->read_certificate(); }

}  // namespace websocket
