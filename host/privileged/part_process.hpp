// A process with CAP_NET_ADMIN and nothing else, that answers framed requests: what a plugin's privileged part runs in.
#pragma once

#include "privileged/child_process.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nfbus::host {

// Of a request and of an answer.
constexpr std::size_t kMaxPartFrameBytes = 1 << 20;

// What the process does; made, called and destroyed there. Errors go to whoever asked, with their text alone.
class PartHandler {
 public:
  PartHandler() = default;
  PartHandler(const PartHandler&) = delete;
  PartHandler& operator=(const PartHandler&) = delete;
  virtual ~PartHandler() = default;

  // The first request of all, answered without a text.
  virtual Result<void> open(std::string_view options_json) = 0;
  virtual Result<std::string> request(std::string_view request) = 0;
};

struct PartStart {
  std::string what;  // "the privileged part of sink.rules", for errors
  std::string name;  // as ps shows it
  uid_t uid;         // whom it becomes
  gid_t gid;
  int library;  // a descriptor above ChildProcess::kSocket, which stays open there
};

// The near end. One request at a time: others wait for it.
class PartProcess {
 public:
  // [control] Before any thread exists. The child gives up everything but CAP_NET_ADMIN, becomes the user, and then
  // calls `make`.
  static Result<PartProcess> start(const PartStart& start, const std::function<std::unique_ptr<PartHandler>()>& make);

  PartProcess(PartProcess&& other) noexcept;
  PartProcess& operator=(PartProcess&& other) noexcept;
  PartProcess(const PartProcess&) = delete;
  PartProcess& operator=(const PartProcess&) = delete;
  ~PartProcess();

  // [control] At first; see PartHandler. Errors: as request().
  Result<void> open(std::string_view options_json);
  // [any] Code::invalid: it answered with an error, which this is; Code::refused: the request is too long; Code::busy:
  // no answer in time (it is dropped when it comes); Code::io: the process has ended.
  Result<std::string> request(std::string_view request, std::chrono::milliseconds timeout);

  // [control] Why the process ended, once: "signal 11"; empty: it runs, or that was asked before.
  [[nodiscard]] std::string new_end();

 private:
  // One exchange, of which the rest may be left for the next call: then the answer is nobody's.
  struct Exchange;

  PartProcess(ChildProcess child, std::string what);
  Result<std::string> ask(std::uint32_t kind, std::string_view body, std::chrono::milliseconds timeout);

  ChildProcess child_;
  std::string what_;
  bool end_is_reported_ = false;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace nfbus::host
