// One HTTP connection (RFC 9112), one request after the other, until an upgrade.
#pragma once

#include "beast.hpp"
#include "connections.hpp"
#include "websocket_connection.hpp"

#include "../../../lib/ascii.hpp"

#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace websocket {

// A client that speaks HTTP, one request after the other.
template <class Stream>
class HttpConnection final : public Connections::Member, public std::enable_shared_from_this<HttpConnection<Stream>> {
 public:
  template <class... Arguments>
  HttpConnection(Connections& connections, std::string peer, Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...), connections_(connections), peer_(std::move(peer)) {
    connections_.add(*this);
    connections_.wait(*this);
  }
  ~HttpConnection() override { connections_.remove(*this); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void begin() {
    if constexpr (kIsTls) {
      lowest().expires_after(kMostSilence);
      stream_.async_handshake(ssl::stream_base::server, [self = this->shared_from_this()](const error_code& error) {
        if (!error) self->read();
      });
    } else {
      read();
    }
  }

  // Whoever still has to answer it may hold it for a while; it is no connection any more.
  void cut() override {
    connections_.remove(*this);
    error_code ignored;
    lowest().socket().close(ignored);
  }
  void say_goodbye() override { cut(); }

 private:
  using Parser = http::request_parser<http::string_body>;

  static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;
  static constexpr std::size_t kMostHeaderBytes = 16384;
  static constexpr std::size_t kMostBodyBytes = 1U << 20U;
  static constexpr std::chrono::seconds kMostSilence{20};
  static constexpr std::chrono::seconds kMostSending{60};  // of an answer, or of a part of it

  static std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

  // That somebody answers. Nobody who forgets it, or dies of it, leaves a client waiting.
  class Promise {
   public:
    explicit Promise(std::shared_ptr<HttpConnection> self) : self_(std::move(self)) {}
    Promise(const Promise&) = delete;
    Promise& operator=(const Promise&) = delete;
    ~Promise() {
      if (!self_) return;
      // Whose last reference must not go on another thread.
      const auto executor = self_->stream_.get_executor();
      asio::post(executor, [self = std::move(self_)] { self->cut(); });
    }
    template <class Action>
    void keep(Action action) {
      if (!self_) return;
      const auto executor = self_->stream_.get_executor();
      asio::post(executor, [self = std::move(self_), action = std::move(action)]() mutable { action(*self); });
    }

   private:
    std::shared_ptr<HttpConnection> self_;  // null: it was kept
  };
  std::shared_ptr<Promise> promise() { return std::make_shared<Promise>(this->shared_from_this()); }

  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  void read_next() {
    connections_.wait(*this);
    read();
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    lowest().expires_after(kMostSilence);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](const error_code& error, std::size_t) { self->take_header(error); });
  }

  void take_header(const error_code& error) {
    if (error) return take(error);
    const auto& from = parser_->get();
    const std::string expected = output::lower(text_of(from[http::field::expect]));
    const std::size_t codings = from.count(http::field::transfer_encoding);
    const bool is_chunked = output::lower(text_of(from[http::field::transfer_encoding])) == "chunked";
    if (codings > 1 || (codings == 1 && !is_chunked)) return refuse(501, "a body comes as it is, or in chunks");
    if (!expected.empty() && expected != "100-continue") return refuse(417, "Expect: 100-continue alone is understood");
    if (expected.empty() || parser_->is_done() || from.version() < 11) return read_body();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = this->shared_from_this()](const error_code& failed, std::size_t) {
                        if (failed) return self->take(failed);
                        self->read_body();
                      });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](const error_code& error, std::size_t) { self->take(error); });
  }

  void refuse(unsigned status, std::string why) {
    connections_.stop_waiting(*this);
    send(refusal(status, std::move(why)), false);
  }

  void take(const error_code& error) {
    connections_.stop_waiting(*this);
    if (error) return take_wrong(error);
    const auto& from = parser_->get();
    Request request = request_of(from);
    if (request.path.empty()) return send(refusal(400, "the request's target is no path"), false);
    if (beast::websocket::is_upgrade(from)) return upgrade(request);
    version_ = from.version();
    keep_alive_ = from.keep_alive();
    is_head_ = from.method() == http::verb::head;
    lowest().expires_never();
    watch();
    connections_.application().answer(std::move(request), [once = promise()](Response response) {
      once->keep([response = std::move(response)](HttpConnection& self) mutable {
        self.send(std::move(response), self.keep_alive_);
      });
    });
  }

  // While it waits for the answer: whether its client does.
  void watch() {
    lowest().socket().async_wait(tcp::socket::wait_read, [self = this->shared_from_this()](const error_code& error) {
      if (error) return;
      char byte = 0;
      const auto size = ::recv(self->lowest().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) *self->is_gone_ = true;
    });
  }
  void stop_watching() {
    error_code ignored;
    lowest().socket().cancel(ignored);
  }

  void take_wrong(const error_code& error) {
    static const error_code kAnyOfHttp = http::make_error_code(http::error::end_of_stream);
    if (error.category() != kAnyOfHttp.category() || error == http::error::end_of_stream ||
        error == http::error::partial_message) {
      return;
    }
    if (error == http::error::body_limit) return send(refusal(413, "a body has 1 MiB at most"), false);
    if (error == http::error::header_limit) return send(refusal(431, "the headers have 16 KiB at most"), false);
    send(refusal(400, "this is no HTTP request that is understood here"), false);
  }

  // Of a target in absolute form, as for a proxy, which is a path then (RFC 9112, section 3.2.2). It counts, not Host.
  static std::string take_authority(std::string& target) {
    const std::string begin = output::lower(std::string_view(target).substr(0, 8));
    const std::size_t scheme = begin.starts_with("http://") ? 7 : begin == "https://" ? 8 : 0;
    if (scheme == 0) return {};
    const std::size_t end = std::min(target.find_first_of("/?", scheme), target.size());
    std::string authority = target.substr(scheme, end - scheme);
    target.erase(0, end);
    if (!target.starts_with('/')) target.insert(0, 1, '/');
    return authority.empty() ? "?" : authority;
  }

  [[nodiscard]] Request request_of(const http::request<http::string_body>& from) const {
    Request out;
    out.method = text_of(from.method_string());
    std::string target = text_of(from.target());
    const std::string authority = take_authority(target);
    const std::size_t question = target.find('?');
    if (target.starts_with('/')) {
      out.path = percent_decoded(std::string_view(target).substr(0, question), false).value_or(std::string());
    }
    if (question != std::string::npos) out.query = target.substr(question + 1);
    if (!authority.empty()) out.headers.emplace_back("host", authority);
    for (const auto& field : from) {
      if (field.name() == http::field::host && !authority.empty()) continue;
      out.headers.emplace_back(output::lower(text_of(field.name_string())), text_of(field.value()));
    }
    out.body = from.body();
    out.peer = peer_;
    out.is_tls = kIsTls;
    out.is_gone = is_gone_;
    return out;
  }

  void upgrade(const Request& request) {
    if (buffer_.size() != 0) return send(refusal(400, "wait for the answer to the upgrade"), false);
    lowest().expires_never();
    watch();
    connections_.application().upgrade(request, [once = promise()](Upgrade upgrade) {
      once->keep([upgrade = std::move(upgrade)](HttpConnection& self) mutable { self.finish(std::move(upgrade)); });
    });
  }

  void finish(Upgrade upgrade) {
    stop_watching();
    if (!upgrade.conversation) return send(std::move(upgrade.refused), false);
    connections_.remove(*this);  // some handler may hold what is left of it, and nobody can cut that
    std::make_shared<WebSocketConnection<Stream>>(std::move(stream_), connections_, std::move(upgrade.conversation),
                                                  upgrade.deflate)
        ->accept(parser_->get());
  }

  template <class Message>
  void set_headers(Message& message, bool keep_alive) {
    message.keep_alive(keep_alive);
    if (!response_.type.empty()) message.set(http::field::content_type, response_.type);
    for (const auto& [name, value] : response_.headers) message.insert(name, value);
  }

  void send(Response response, bool keep_alive) {
    stop_watching();
    keep_alive_ = keep_alive && !connections_.stopping();
    response_ = std::move(response);
    connections_.wait(*this);
    lowest().expires_after(kMostSending);
    if (response_.next_part && !is_head_) return send_parts();
    const std::string_view body = response_.body ? std::string_view(*response_.body) : std::string_view();
    whole_.emplace(static_cast<http::status>(response_.status), 11U);
    set_headers(*whole_, keep_alive_);
    if (!response_.next_part) whole_->content_length(body.size());
    if (!is_head_) whole_->body() = beast::span<const char>(body.data(), body.size());
    http::async_write(stream_, *whole_,
                      [self = this->shared_from_this()](const error_code& error, std::size_t) { self->sent(error); });
  }

  void send_parts() {
    head_.emplace(static_cast<http::status>(response_.status), 11U);
    // What HTTP/1.0 does not know ends with the connection.
    if (!is_chunked()) keep_alive_ = false;
    set_headers(*head_, keep_alive_);
    head_->chunked(is_chunked());
    serializer_.emplace(*head_);
    http::async_write_header(stream_, *serializer_,
                             [self = this->shared_from_this()](const error_code& error, std::size_t) {
                               if (!error) self->ask_for_part();
                             });
  }

  [[nodiscard]] bool is_chunked() const noexcept { return version_ >= 11; }

  void ask_for_part() {
    connections_.stop_waiting(*this);
    lowest().expires_never();
    response_.next_part([once = promise()](std::string part, bool is_last) {
      once->keep([part = std::move(part), is_last](HttpConnection& self) mutable {
        self.send_part(std::move(part), is_last);
      });
    });
  }

  void send_part(std::string part, bool is_last) {
    part_ = std::move(part);
    connections_.wait(*this);
    lowest().expires_after(kMostSending);
    const auto done = [self = this->shared_from_this(), is_last](const error_code& error, std::size_t) {
      if (error || is_last) return self->sent(error);
      self->ask_for_part();
    };
    // An empty chunk would end the body.
    if (part_.empty() && !is_last) return ask_for_part();
    if (!is_chunked()) {
      asio::async_write(stream_, asio::buffer(part_), done);
    } else if (part_.empty()) {
      asio::async_write(stream_, http::make_chunk_last(), done);
    } else if (is_last) {
      asio::async_write(stream_, beast::buffers_cat(http::make_chunk(asio::buffer(part_)), http::make_chunk_last()),
                        done);
    } else {
      asio::async_write(stream_, http::make_chunk(asio::buffer(part_)), done);
    }
  }

  void sent(const error_code& error) {
    connections_.stop_waiting(*this);
    response_ = {};
    if (error) return;
    if (keep_alive_) return read_next();
    if constexpr (!kIsTls) {
      error_code ignored;
      lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
  }

  Stream stream_;
  beast::flat_buffer buffer_{kMostHeaderBytes + kMostBodyBytes};
  std::optional<Parser> parser_;
  Connections& connections_;
  const std::string peer_;
  Response response_;
  std::optional<http::response<http::span_body<const char>>> whole_;
  std::optional<http::response<http::empty_body>> head_;
  std::optional<http::response_serializer<http::empty_body>> serializer_;
  std::string part_;
  std::shared_ptr<std::atomic<bool>> is_gone_ = std::make_shared<std::atomic<bool>>(false);
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool is_head_ = false;
};

}  // namespace websocket
