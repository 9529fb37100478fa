// Which statements of others were exchanged, and what they were: a file per network namespace and table, so that they
// can be put back after a crash, too. It is written before the ruleset is changed, and may name what never was.
#pragma once

#include "ruleset.hpp"

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nftrules {

struct Exchanged {
  std::string chain;
  std::uint64_t handle = 0;
  std::size_t index = 0;  // of the log statement in the rule
  LogStatement was;
  LogStatement now;

  friend bool operator==(const Exchanged&, const Exchanged&) = default;
};

// What a table was like before something was applied that nobody has confirmed.
struct Before {
  std::vector<Exchanged> exchanged;
  std::vector<std::string> tags;  // of our rules in it

  friend bool operator==(const Before&, const Before&) = default;
};

struct State {
  TableName table;
  std::vector<Exchanged> exchanged;
  bool has_insertions = false;  // there are rules of ours in it, known by their tags
  std::optional<Before> before;

  // Nothing of ours is in it.
  [[nodiscard]] bool is_empty() const noexcept { return exchanged.empty() && !has_insertions && !before; }

  friend bool operator==(const State&, const State&) = default;
};

// The network namespace's number, as ls -l /proc/self/ns/net shows it; it is in the names of all files of state_dir.
std::uint64_t network_namespace();

// Thread safety: none.
class StateFolder {
 public:
  // A folder that is not there has no state, and takes none.
  explicit StateFolder(std::string path) : path_(std::move(path)) {}

  // The state of a table of this network namespace; an empty one where there is none. Errors: a file that cannot be
  // read, or is none of ours, is left as it is.
  [[nodiscard]] nfbus::Result<State> read(const TableName& table) const;
  // The tables of this network namespace that have one.
  [[nodiscard]] std::vector<TableName> tables() const;
  // Replaces it in one step, and returns when it is on the disk; an empty state has no file.
  [[nodiscard]] nfbus::Result<void> write(const State& state) const;
  // Waits so long for others that hold it: Code::busy. Held until the process ends or unlock().
  nfbus::Result<void> lock(std::chrono::milliseconds patience);
  void unlock() { lock_.close(); }

 private:
  [[nodiscard]] std::string file_of(const TableName& table) const;

  std::string path_;
  nfbus::util::Descriptor lock_;
};

}  // namespace nftrules
