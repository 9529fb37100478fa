// The rules of notifications.json: who is told of which events, and how often.
#pragma once

#include "notification.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>
#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

struct Settings {
  std::string file = {};        // "" : rules are kept in memory alone
  std::string state_file = {};  // "" : what rules have seen, and snoozes, too
  // The name that the user gave to an address or MAC, as text; empty: none.
  std::function<std::string(std::string_view)> name_of = {};
};

enum class Method : std::uint8_t { get = 1, put, remove };

struct Call {
  Shape shape;
  Method method;
  std::optional<std::size_t> index = {};  // N of PUT /N and DELETE /N, from 0 within the shape
  std::string_view body = {};
  // Asked of the shape's whole array, as the file has it just before a change: false lets it be (412). Empty: no
  // matter.
  std::function<bool(std::string_view array)> may_change = {};
};

struct Answer {
  int status = 200;       // of HTTP
  std::string body = {};  // JSON where the status is 200, else a line of text
};

// A rule that is tried, and not kept; must not outlive its RuleBook's host. What it takes for first seen it has itself
// not seen before. [worker]
class Trial {
 public:
  Trial() = default;
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  virtual ~Trial() = default;
  [[nodiscard]] virtual bool matches(nfbus::Event event) = 0;  // as if it had never been quiet
};

// Thread safety: none; [worker] where nothing else is said.
class RuleBook {
 public:
  RuleBook(nfbus::Host host, Settings settings);  // [control]
  RuleBook(const RuleBook&) = delete;
  RuleBook& operator=(const RuleBook&) = delete;
  ~RuleBook();

  // [control] Before load(), by who changes the files: makes this the one writer of state_file, or says who that is.
  [[nodiscard]] nfbus::Result<void> claim();
  // [control] Reads both files. A file that is not there holds no rules. What is wrong with a rule costs that rule
  // alone, and is logged with its place; the file stays as it is.
  void load();

  // What the rules say of an event; out is added to.
  void judge(nfbus::Event event, std::vector<Notification>& out);
  // now_ns: CLOCK_REALTIME. About each 100 ms: what is due by now (roll-ups, counts of what was held back); reads the
  // file again where it has changed; writes the state.
  void tick(std::int64_t now_ns, std::vector<Notification>& out);
  // What is open, before the end; then writes the state.
  void finish(std::vector<Notification>& out);

  // A rule of the mission's form asks that clients see everything, too, not as notifications.
  [[nodiscard]] bool wants_everything() const;

  // /notifications, /alerts and /rules. 200: the whole array of the shape; 400: what is wrong with the rule or the
  // number; 409: the file is no list of rules, and stays as it is; 412: may_change did not hold; 500: it cannot be
  // written.
  [[nodiscard]] Answer handle(const Call& call);
  // JSON, for the page: each rule's shape, number, name, what is wrong with it, and what it has matched, told and held
  // back.
  [[nodiscard]] std::string overview() const;
  // Events of which nobody was told, for a limit or a snooze: what overview() says of all rules together.
  [[nodiscard]] std::uint64_t held_back() const;
  // Why the file is none that rules can be read from, one line for the user; empty: it is. Then those that were in
  // force stay, and handle() changes nothing (409).
  [[nodiscard]] std::string file_error() const;
  // From a rule's JSON, of any shape. Throws std::invalid_argument, which says what is wrong.
  [[nodiscard]] std::unique_ptr<Trial> try_rule(std::string_view json) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rules
