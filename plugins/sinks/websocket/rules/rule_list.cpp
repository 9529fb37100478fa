#include "rule_list.hpp"

#include "text.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace rules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

// Throws std::invalid_argument, which says what is wrong with the file.
std::vector<std::string> split(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw std::invalid_argument("is empty; a file without rules is []");
  }
  const Json parsed = parse_strict(text, Twice::allowed);
  if (!parsed.is_array()) throw std::invalid_argument("is no JSON array: rules stand in [ ]");
  if (parsed.size() > kMostRules) {
    throw std::invalid_argument("has " + std::to_string(parsed.size()) + " rules; there may be " +
                                std::to_string(kMostRules));
  }
  return elements_of(text);
}

std::string joined(const std::vector<std::string>& raws) {
  std::string out = "[";
  for (const std::string& raw : raws) out += (out.size() == 1 ? "\n  " : ",\n  ") + raw;
  return out + (raws.empty() ? "]\n" : "\n]\n");
}

// `rules 2`
std::string place_of(const Entry& entry) {
  return (entry.shape ? std::string(name_of(*entry.shape)) : "element") + ' ' + std::to_string(entry.index);
}

}  // namespace

RuleList::RuleList(std::string path, const Surroundings& around, State& state)
    : path_(std::move(path)), around_(around), state_(state) {}

const Entry* RuleList::find(Shape shape, std::size_t index) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.shape == shape && entry.index == index) return &entry;
  }
  return nullptr;
}

void RuleList::load() {
  if (!path_.empty()) read();
}

void RuleList::look() {
  if (path_.empty()) return;
  const std::optional<FileVersion> now = look_at(path_);
  if (now == version_) {
    is_missing_ = false;
    return;
  }
  // Editors that rename have a moment without a file.
  if (!now && !std::exchange(is_missing_, true)) return;
  read();
}

bool RuleList::refresh() {
  if (path_.empty()) return true;
  read();
  return file_error_.empty();
}

Result<nfbus::util::Descriptor> RuleList::lock() const {
  if (path_.empty()) return nfbus::util::Descriptor();
  return lock_beside(path_);
}

void RuleList::take_farewells(std::vector<Notification>& out) {
  std::move(farewells_.begin(), farewells_.end(), std::back_inserter(out));
  farewells_.clear();
}

// A file that is gone is more often a mistake than the wish to hear nothing any more.
void RuleList::note_missing() {
  if (is_noted_missing_) return;
  is_noted_missing_ = true;
  around_.host.warning(path_ + (entries_.empty() ? " is not there: there are no rules; a change over HTTP makes it"
                                                 : " is gone: the rules in force stay; a change over HTTP makes it "
                                                   "again with them, and [] in it ends them"));
}

void RuleList::read() {
  is_missing_ = false;
  const auto file = read_whole(path_, kMostJsonBytes);
  if (!file && file.error().code == Code::not_found && !look_at(path_)) {
    version_.reset();
    file_error_.clear();
    note_missing();
    return;
  }
  is_noted_missing_ = false;
  version_ = file.ok() ? std::optional(file->version) : look_at(path_);
  if (!file) {
    fail(file.error().text);
    return;
  }
  try {
    const std::vector<std::string> raws = split(file->text);
    file_error_.clear();
    install(raws);
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    const bool has_place = text.find_first_not_of("0123456789:") != 0;  // "3:7: ..."
    fail(path_ + (has_place ? ":" : " ") + text);
  }
}

void RuleList::fail(const std::string& error) {
  if (error == file_error_) return;
  file_error_ = error;
  around_.host.error(error + (entries_.empty() ? "; no rules are in force" : "; the rules in force stay"));
}

// It stays so until it is changed: what made it fail would come again.
void RuleList::give_up(const Rule& rule, const std::string& why) {
  std::erase(active_, &rule);
  for (Entry& entry : entries_) {
    if (entry.rule.get() != &rule || !entry.error.empty()) continue;
    entry.error = "it failed, and does nothing until it is changed: " + why;
    around_.host.error((path_.empty() ? "" : path_ + ": ") + place_of(entry) + ": " + entry.error);
  }
}

void RuleList::say_farewell(Rule& rule) {
  try {
    rule.finish(now_ns_, farewells_);
  } catch (const std::exception& thrown) {
    around_.host.error("a rule that is gone could not say what it had held back: " + std::string(thrown.what()));
  }
}

void RuleList::finish(std::vector<Notification>& out) {
  take_farewells(out);
  for (Entry& entry : entries_) {
    const auto end = [&](Rule& rule) { rule.finish(now_ns_, out); };
    if (entry.rule && entry.error.empty()) (void)is_done(*entry.rule, end);
  }
}

void RuleList::install(const std::vector<std::string>& raws) {
  std::vector<Entry> old = std::move(entries_);
  entries_.clear();
  active_.clear();
  std::unordered_multimap<std::string_view, Entry*> reusable;
  for (Entry& entry : old) {
    if (entry.rule) reusable.emplace(entry.raw, &entry);
  }
  // By what they are known by when they are changed.
  std::map<std::pair<Shape, std::string>, Rule*> known;
  for (const Entry& entry : old) {
    if (entry.rule && entry.error.empty() && !entry.rule->id().empty())
      known.emplace(std::pair(*entry.shape, entry.rule->id()), entry.rule.get());
  }
  std::set<std::string> names;
  std::array<std::size_t, 4> counts{};  // of each shape
  entries_.reserve(raws.size());
  for (const std::string& raw : raws) {
    Entry entry;
    const auto same = reusable.find(raw);
    if (same != reusable.end() && !(same->second->own != nullptr && names.contains(same->second->rule->name()))) {
      // It goes on with what it counts and waits for.
      entry.raw = raw;
      entry.shape = same->second->shape;
      entry.rule = std::move(same->second->rule);
      entry.own = same->second->own;
      entry.error = same->second->error;
      reusable.erase(same);
    } else {
      entry.raw = raw;
      compile(entry, names);
      const auto before = entry.rule ? known.find({*entry.shape, entry.rule->id()}) : known.end();
      if (before != known.end()) entry.rule->take_over(*before->second, now_ns_, farewells_);
    }
    if (entry.rule) known.erase({*entry.shape, entry.rule->id()});
    entry.index = entry.shape ? counts.at(static_cast<std::size_t>(*entry.shape))++ : entries_.size();
    if (entry.own != nullptr) names.insert(entry.rule->name());
    if (entry.rule && entry.error.empty() && !entry.rule->is_disabled()) active_.push_back(entry.rule.get());
    entries_.push_back(std::move(entry));
  }
  wants_everything_ =
      std::any_of(active_.begin(), active_.end(), [](const Rule* rule) { return rule->wants_everything(); });
  give_topics();
  log_faults(old);
  for (const Entry& entry : old) {
    if (entry.rule && entry.error.empty()) say_farewell(*entry.rule);
  }
  old.clear();
  state_.keep(names);
}

// Names that are spelt alike but for what no topic has in it share none.
void RuleList::give_topics() {
  std::set<std::string> given;
  for (const Entry& entry : entries_) {
    if (entry.own == nullptr) continue;
    const std::string plain = "alert:" + slug(entry.own->name());
    std::string topic = plain;
    for (std::size_t number = 2; !given.insert(topic).second; ++number) topic = plain + '-' + std::to_string(number);
    entry.own->set_topic(std::move(topic));
  }
}

void RuleList::compile(Entry& entry, const std::set<std::string>& names) const {
  try {
    const Json parsed = parse_strict(entry.raw, Twice::allowed);
    entry.shape = shape_of(parsed);
    (void)parse_strict(entry.raw);
    if (entry.shape == Shape::rules) {
      OwnSettings settings = own_settings_of(parsed);
      if (names.contains(settings.name)) {
        throw std::invalid_argument("name: another rule is called " + in_quotes(settings.name) +
                                    ", too; each has a name of its own");
      }
      auto rule = std::make_unique<OwnRule>(std::move(settings), around_, state_);
      entry.own = rule.get();
      entry.rule = std::move(rule);
    } else {
      entry.rule = compile_rule(parsed, *entry.shape, around_, state_);
    }
  } catch (const std::invalid_argument& error) {
    entry.error = error.what();
  }
}

// What was wrong before has been said.
void RuleList::log_faults(const std::vector<Entry>& old) const {
  constexpr std::size_t kMostLines = 10;
  std::unordered_set<std::string> said;
  for (const Entry& entry : old) {
    if (!entry.error.empty()) said.insert(entry.raw + entry.error);
  }
  std::size_t count = 0;
  for (const Entry& entry : entries_) {
    if (entry.error.empty() || said.contains(entry.raw + entry.error) || ++count > kMostLines) continue;
    around_.host.error((path_.empty() ? "" : path_ + ": ") + place_of(entry) + ": " + entry.error);
  }
  if (count > kMostLines) {
    around_.host.error(path_ + ": " + std::to_string(count - kMostLines) + " more rules are wrong");
  }
}

Result<void> RuleList::replace(const std::vector<std::string>& raws) {
  if (!path_.empty()) {
    const std::string text = joined(raws);
    if (text.size() > kMostJsonBytes) {
      return Error{Code::invalid, "the rules would be longer than " + std::to_string(kMostJsonBytes >> 20U) + " MiB"};
    }
    const Result<FileVersion> written = replace_whole(path_, text, version_);
    if (!written) return written.error();
    version_ = *written;
  }
  install(raws);
  return {};
}

}  // namespace rules
