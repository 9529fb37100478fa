// One WebSocket connection (RFC 6455), after its upgrade.
#pragma once

#include "beast.hpp"
#include "connections.hpp"

#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace websocket {

// A client that speaks WebSocket. It owns itself by the operations that are under way.
template <class Stream>
class WebSocketConnection final : public Channel,
                                  public Connections::Member,
                                  public std::enable_shared_from_this<WebSocketConnection<Stream>> {
 public:
  WebSocketConnection(Stream stream, Connections& connections, std::shared_ptr<Conversation> conversation, bool deflate)
      : stream_(std::move(stream)), connections_(connections), conversation_(std::move(conversation)) {
    connections_.add(*this);
    beast::get_lowest_layer(stream_).expires_never();
    beast::websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = kMostGoodbye;
    timeout.idle_timeout = 2 * kPingAfter;
    timeout.keep_alive_pings = true;
    stream_.set_option(timeout);
    stream_.read_message_max(kMostMessageBytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    stream_.set_option(beast::websocket::stream_base::decorator(
        [](beast::websocket::response_type& answer) { answer.set(http::field::server, "nfbus"); }));
    if (!deflate) return;
    beast::websocket::permessage_deflate compress;
    compress.server_enable = true;
    compress.server_max_window_bits = 12;
    compress.client_max_window_bits = 12;
    compress.client_no_context_takeover = true;
    compress.memLevel = 5;
    compress.compLevel = 3;
    stream_.set_option(compress);
  }
  ~WebSocketConnection() override { end(); }
  WebSocketConnection(const WebSocketConnection&) = delete;
  WebSocketConnection& operator=(const WebSocketConnection&) = delete;

  void accept(const http::request<http::string_body>& request) {
    stream_.async_accept(request, [self = this->shared_from_this()](const error_code& error) {
      if (error) return self->end();
      self->conversation_->begun(*self);
      if (self->connections_.stopping()) self->say_goodbye();
      self->read();
    });
  }

  void write(Text text) override {
    sent_ = std::move(text);
    stream_.async_write(asio::buffer(*sent_), [self = this->shared_from_this()](const error_code& error, std::size_t) {
      self->sent_.reset();
      if (error) return self->end();
      if (self->conversation_) self->conversation_->written();
    });
  }

  void close(std::uint16_t code, std::string_view reason) override {
    if (is_closing_) return;
    is_closing_ = true;
    beast::websocket::close_reason why(code);
    why.reason = beast::websocket::reason_string(beast::string_view(reason.data(), reason.size()));
    stream_.async_close(why, [self = this->shared_from_this()](const error_code&) { self->end(); });
  }

  void cut() override {
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().close(ignored);
    end();
  }
  void say_goodbye() override {
    if (conversation_) conversation_->stopping();
  }

 private:
  static constexpr std::size_t kMostMessageBytes = 65536;
  static constexpr std::chrono::seconds kPingAfter{20};
  static constexpr std::chrono::seconds kMostGoodbye{30};

  void read() {
    stream_.async_read(buffer_, [self = this->shared_from_this()](const error_code& error, std::size_t) {
      if (error) return self->end();
      if (!self->stream_.got_text()) {
        self->close(beast::websocket::close_code::unknown_data, "text frames only");
      } else if (self->conversation_ && !self->is_closing_) {
        const auto bytes = self->buffer_.data();
        self->conversation_->received({static_cast<const char*>(bytes.data()), bytes.size()});
      }
      self->buffer_.clear();
      self->read();
    });
  }

  void end() {
    if (!conversation_) return;
    connections_.remove(*this);
    std::exchange(conversation_, nullptr)->ended();
  }

  beast::websocket::stream<Stream, true> stream_;
  // With room behind the largest message: else one that is larger ends without its code where it was compressed.
  beast::flat_buffer buffer_{2 * kMostMessageBytes};
  Connections& connections_;
  std::shared_ptr<Conversation> conversation_;  // null: it has ended
  Text sent_;                                   // while it is being sent
  bool is_closing_ = false;
};

}  // namespace websocket
