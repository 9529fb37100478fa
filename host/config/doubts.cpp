#include "config/doubts.hpp"

#include "config/findings.hpp"
#include "event/topic.hpp"
#include "event/topic_pattern.hpp"
#include "plugins/handshake.hpp"
#include "support/json_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

using nlohmann::json;

namespace {

// Of the kernel's: NF_LOG_PREFIXLEN, less its NUL.
constexpr std::size_t kMostPrefixBytes = 127;

bool is_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// "${HOME}" somewhere in a text, or "$HOME" at its beginning, before a slash; empty: there is none.
std::string_view variable_in(std::string_view text) {
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2)) {
    std::size_t end = at + 2;
    while (end < text.size() && is_name(text[end])) ++end;
    if (end < text.size() && text[end] == '}' && end > at + 2) return text.substr(at, end + 1 - at);
  }
  if (!text.starts_with('$')) return {};
  std::size_t end = 1;
  while (end < text.size() && is_name(text[end])) ++end;
  const bool is_variable = end > 1 && end < text.size() && text[end] == '/';
  return is_variable ? text.substr(0, end) : std::string_view();
}

// "~" or "~name" before a slash, or "~" alone.
std::string_view home_in(std::string_view text) {
  if (!text.starts_with('~')) return {};
  std::size_t end = 1;
  while (end < text.size() && is_name(text[end])) ++end;
  const bool is_home = end == text.size() ? end == 1 : text[end] == '/';
  return is_home ? text.substr(0, end) : std::string_view();
}

void find_in_text(const std::string& text, const SchemaPath& path, Findings& doubts) {
  const std::string_view variable = variable_in(text);
  if (!variable.empty() && variable != text) {
    doubts.at_value(path, fmt::format("{} in it stays as it is: only secrets are read from the environment, and "
                                      "only as a whole; write what it stands for",
                                      variable));
  }
  const std::string_view home = home_in(text);
  if (home.empty()) return;
  const char* const folder = home == "~" ? std::getenv("HOME") : nullptr;
  doubts.at_value(path, fmt::format("{} is no home folder here, but a folder of this name beside the "
                                    "configuration; write {} in its place",
                                    home, folder == nullptr || *folder != '/' ? "the whole path" : folder));
}

void find_in(const json& value, SchemaPath& path, Findings& doubts) {
  if (value.is_string()) return find_in_text(value.get_ref<const std::string&>(), path, doubts);
  if (!value.is_structured()) return;
  std::size_t index = 0;
  for (const auto& [key, member] : value.items()) {
    if (value.is_array()) {
      path.emplace_back(index++);
    } else {
      path.emplace_back(key);
    }
    find_in(member, path, doubts);
    path.pop_back();
  }
}

class Doubts {
 public:
  Doubts(const json& root, const Config& config, const PluginRegistry& plugins, Findings& warnings)
      : root_(root),
        config_(config),
        plugins_(plugins),
        warnings_(warnings),
        topic_root_(config.host.topic_root),
        beginnings_(beginnings()) {}

  void find() {
    find_unused_filters();
    if (config_.sinks.empty() && !config_.captures.empty() && !root_.contains("bus") && !root_.contains("sink")) {
      warnings_.at_key({"capture", std::size_t{0}},
                       "there is no [sink.NAME] to write packets anywhere: clients of the bus alone get them; add one, "
                       "or [bus] if that is meant");
    }
    find_prefixes();
    find_topics();
  }

 private:
  void find_unused_filters() {
    std::set<std::string_view> used(config_.bus.filters.begin(), config_.bus.filters.end());
    for (const CaptureConfig& capture : config_.captures) used.insert(capture.filters.begin(), capture.filters.end());
    for (const SinkConfig& sink : config_.sinks) used.insert(sink.filters.begin(), sink.filters.end());
    for (const FilterConfig& filter : config_.filters) {
      if (used.contains(filter.name)) continue;
      warnings_.at_key(
          {"filter", filter.name},
          fmt::format("is not used; name it in filters = [\"{}\"] of a sink, a [[capture]] or [bus]", filter.name));
    }
  }

  // Strings of an array, with their places.
  template <typename Visit>
  static void for_each_text(const json& table, const SchemaPath& path, const char* key, const Visit& visit) {
    const auto list = table.is_object() ? table.find(key) : table.end();
    if (!table.is_object() || list == table.end() || !list->is_array()) return;
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (!(*list)[i].is_string()) continue;
      SchemaPath place = path;
      place.emplace_back(std::string(key));
      place.emplace_back(i);
      visit((*list)[i].get_ref<const std::string&>(), place);
    }
  }

  void find_prefixes() {
    const auto captures = root_.find("capture");
    if (captures == root_.end() || !captures->is_array()) return;
    for (std::size_t i = 0; i < captures->size(); ++i) {
      for_each_text((*captures)[i], {"capture", i}, "prefixes", [&](const std::string& text, const SchemaPath& place) {
        const std::string prefix = normalize_prefix(text);
        if (normalize_prefix(prefix).size() > kMostPrefixBytes) {
          warnings_.at_value(
              place, fmt::format("no packet has so long a prefix: the kernel keeps {} bytes", kMostPrefixBytes));
        } else if (const std::string root = fold_topic(topic_root_, {}); !root.empty() && prefix.starts_with(root)) {
          warnings_.at_value(
              place, fmt::format("begins with the topic root, which is no part of a rule's prefix; write \"{}\"",
                                 trim_prefix(std::string_view(prefix).substr(root.size()))));
        }
      });
    }
  }

  // What packets' topics begin with, as far as it is known.
  [[nodiscard]] std::vector<std::string> beginnings() const {
    std::vector<std::string> all;
    bool any = config_.captures.empty() || !config_.sources.empty() || may_change_topics();
    for (const CaptureConfig& capture : config_.captures) {
      any = any || capture.prefixes.empty();
      for (const std::string& prefix : capture.prefixes) {
        all.push_back(topic_root_ + prefix.substr(0, prefix.find('*')));
      }
    }
    return any ? std::vector<std::string>{topic_root_} : all;
  }

  // A filter of captures may give packets another topic; those that come with nfbus do not.
  [[nodiscard]] bool may_change_topics() const {
    for (const CaptureConfig& capture : config_.captures) {
      for (const std::string& name : capture.filters) {
        const auto filter = std::ranges::find(config_.filters, name, &FilterConfig::name);
        if (filter == config_.filters.end() || !comes_with_nfbus(filter->plugin)) return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool comes_with_nfbus(const std::string& name) const {
    const Plugin* const plugin = plugins_.find(name);
    return plugin != nullptr && std::ranges::count(builtin_plugin_folders(), plugin->file.parent_path()) != 0;
  }

  void find_topics() {
    if (!config_.sources.empty()) return;  // whose packets bring topics of their own
    const auto sinks = root_.find("sink");
    if (sinks == root_.end() || !sinks->is_object()) return;
    for (const SinkConfig& sink : config_.sinks) {
      const Plugin* const plugin = plugins_.find(sink.plugin);
      const auto table = sinks->find(sink.name);
      if (plugin == nullptr || table == sinks->end()) continue;
      const std::uint32_t kinds = event_kinds_of(*plugin->entry);
      for_each_text(*table, {"sink", sink.name}, "topics", [&](const std::string& text, const SchemaPath& place) {
        if (const std::string doubt = doubt_of_topic(text, kinds); !doubt.empty()) warnings_.at_value(place, doubt);
      });
    }
  }

  [[nodiscard]] std::string doubt_of_topic(const std::string& text, std::uint32_t kinds) const {
    const TopicPattern topic(text, topic_root_, Extent::beginning);
    const bool takes_messages = (kinds & NFBUS_EVENT_MESSAGE) != 0;
    const bool is_packets = topic.may_fit_packet(topic_root_);
    if ((kinds & NFBUS_EVENT_PACKET) == 0) {
      const bool only_packets = is_packets && fold_topic(text, topic_root_).starts_with(fold_topic(topic_root_, {}));
      if (!only_packets) return {};
      return fmt::format("topics below \"{}\" are those of packets, which this plugin does not take", topic_root_);
    }
    if (is_packets) return doubt_of_prefix(topic);
    if (normalize_prefix(text).starts_with(kOwnTopics) && !text.starts_with(kOwnTopics)) {
      return fmt::format("nothing has such a topic; write \"{}\"", normalize_prefix(text));
    }
    if (takes_messages && !sounds_like_rule(text) && !is_of_a_capture(text)) return {};
    if (!takes_messages && may_change_topics()) return {};
    return fmt::format(R"({} such a topic: those of packets begin with "{}"; write "{}{}")",
                       takes_messages ? "only messages have" : "no packet has", topic_root_, topic_root_,
                       trim_prefix(text));
  }

  [[nodiscard]] bool is_of_a_capture(const std::string& text) const {
    const TopicPattern topic(topic_root_ + text, topic_root_, Extent::beginning);
    return std::ranges::any_of(config_.captures, [&](const CaptureConfig& capture) {
      return std::ranges::any_of(capture.prefixes,
                                 [&](const std::string& prefix) { return topic.may_fit_packet(topic_root_ + prefix); });
    });
  }

  [[nodiscard]] std::string doubt_of_prefix(const TopicPattern& topic) const {
    const std::string& folded = topic.of_packets();
    const auto stars = static_cast<std::size_t>(std::count(folded.begin(), folded.end(), '*'));
    if (folded.size() - stars > topic_root_.size() + kMostPrefixBytes && !may_change_topics()) {
      return fmt::format("no packet has so long a topic: the kernel keeps {} bytes of a prefix", kMostPrefixBytes);
    }
    if (std::ranges::any_of(beginnings_, [&](const std::string& one) { return topic.may_fit_packet(one); })) return {};
    std::string listed;
    for (const std::string& one : beginnings_) {
      listed += fmt::format("{}{}", listed.empty() ? "" : ", ", shown(json(one.substr(topic_root_.size()))));
    }
    return fmt::format("no packet has such a topic: the captures forward only the prefixes {}; add it to one of them",
                       listed);
  }

  const json& root_;
  const Config& config_;
  const PluginRegistry& plugins_;
  Findings& warnings_;
  const std::string& topic_root_;
  const std::vector<std::string> beginnings_;  // of packets' topics
};

}  // namespace

void find_unexpanded(const json& root, Findings& doubts) {
  SchemaPath path;
  find_in(root, path, doubts);
}

void find_doubts(const json& root, const Config& config, const PluginRegistry& plugins, Findings& doubts) {
  Doubts(root, config, plugins, doubts).find();
}

}  // namespace nfbus::host
