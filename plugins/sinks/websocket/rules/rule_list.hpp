// The rules in force, and the file that they come from.
#pragma once

#include "atomic_file.hpp"
#include "own_rule.hpp"
#include "rule.hpp"
#include "state.hpp"

#include <nfbus/host.hpp>
#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

inline constexpr std::size_t kMostRules = 10'000;

// One element of the file.
struct Entry {
  std::string raw = {};             // as it is written there
  std::optional<Shape> shape = {};  // nothing: it is of none
  std::size_t index = 0;            // within its shape; of no shape: in the file
  std::string error = {};           // what is wrong with it; empty: nothing
  std::unique_ptr<Rule> rule = {};  // null: it is wrong as it is written
  OwnRule* own = nullptr;           // the same, where it is of ours
};

// Thread safety: none; [worker] where nothing else is said.
class RuleList {
 public:
  // path: empty: the rules are in memory alone. around, state: outlive this.
  RuleList(std::string path, const Surroundings& around, State& state);

  // [control] As RuleBook::load().
  void load();
  // Reads the file again where it has changed.
  void look();
  // Reads it in any case, before a change. False: it is none that may be replaced, see file_error().
  bool refresh();
  // As lock_beside(), around refresh() and replace().
  [[nodiscard]] nfbus::Result<nfbus::util::Descriptor> lock() const;
  // CLOCK_REALTIME, of the last tick.
  void note_time(std::int64_t now_ns) noexcept { now_ns_ = now_ns; }
  // What rules that are gone still had to say.
  void take_farewells(std::vector<Notification>& out);

  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  // Null: there is no such number.
  [[nodiscard]] const Entry* find(Shape shape, std::size_t index) const noexcept;
  // use(Rule&) for those that events are to be judged by. One that throws is wrong from then on, as one of which that
  // is known from the beginning: it costs itself alone.
  template <typename Use>
  void each_active(Use use) {
    for (std::size_t i = 0; i < active_.size();) {
      if (is_done(*active_[i], use)) ++i;
    }
  }
  // What all rules have open, before the end.
  void finish(std::vector<Notification>& out);
  [[nodiscard]] bool wants_everything() const noexcept { return wants_everything_; }
  // Why the file is not what it should be; empty: it is.
  [[nodiscard]] const std::string& file_error() const noexcept { return file_error_; }

  // Puts these in the place of all that there is, in the file first. Code::busy: the file has changed since refresh().
  [[nodiscard]] nfbus::Result<void> replace(const std::vector<std::string>& raws);

 private:
  void read();
  void install(const std::vector<std::string>& raws);
  // What is wrong with it is in the entry.
  void compile(Entry& entry, const std::set<std::string>& names) const;
  void fail(const std::string& error);
  template <typename Use>
  bool is_done(Rule& rule, Use& use) {
    try {
      use(rule);
      return true;
    } catch (const std::bad_alloc&) {
      around_.host.warning("memory is short: a rule missed an event");
      return true;
    } catch (const std::exception& thrown) {
      give_up(rule, thrown.what());
    }
    return false;
  }
  void give_up(const Rule& rule, const std::string& why);
  void say_farewell(Rule& rule);
  void log_faults(const std::vector<Entry>& old) const;

  void note_missing();
  void give_topics();

  const std::string path_;
  const Surroundings& around_;
  State& state_;
  std::vector<Entry> entries_;
  std::vector<Rule*> active_;
  bool wants_everything_ = false;
  std::optional<FileVersion> version_;  // that was read; nothing: there was no file
  bool is_missing_ = false;             // at the last look, for the first time
  bool is_noted_missing_ = false;       // the user has been told
  std::string file_error_;
  std::int64_t now_ns_ = 0;
  std::vector<Notification> farewells_;
};

}  // namespace rules
