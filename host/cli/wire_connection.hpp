// A connection of one of our own commands to a running host's bus socket.
#pragma once

#include "support/descriptor.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus::host {

// Thread safety: none.
class WireConnection {
 public:
  // [control] Errors say what is wrong and how to name another socket.
  static Result<WireConnection> open(const std::string& path);

  // Sends it all; waits for the host to take it.
  Result<void> send(std::string_view text);
  // The next line without its newline, valid until the next call; empty: the host has closed the connection. Errors:
  // io; busy: none has come in time.
  Result<std::optional<std::string_view>> line(std::chrono::milliseconds timeout);
  // A line that has been received already, valid until the next call; else nothing.
  [[nodiscard]] std::optional<std::string_view> received_line();
  // Receives what there is, at once if there is something; false: the host has closed the connection.
  Result<bool> receive();
  // Nothing more is sent; what comes can still be received.
  void end_sending() noexcept;
  // Returns whether the other side has read all that was sent.
  [[nodiscard]] bool all_was_read() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

 private:
  explicit WireConnection(Descriptor socket) noexcept : socket_(std::move(socket)) {}

  Descriptor socket_;
  std::string received_;
  std::size_t used_ = 0;      // of received_, by lines that were handed out
  std::size_t searched_ = 0;  // of received_, without a newline
};

// [control] The JSON of nfbus:status of the host behind a socket, checked to be an object.
[[nodiscard]] Result<std::string> ask_status(const std::string& socket);

// [control] Returns whether the host behind a socket says of a line what became of it when asked to, as hosts of before
// its JSON answers do not; nothing: there is no telling.
[[nodiscard]] std::optional<bool> answers_lines(const std::string& socket);

// Makes a line ask for an answer: one that wire_line() made.
void ask_for_answer(std::string& line);

// {"topic":topic,"value":value} with its newline. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string wire_line(std::string_view topic, std::string_view value);

}  // namespace nfbus::host
