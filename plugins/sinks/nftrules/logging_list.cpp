#include "logging_list.hpp"

#include "listing.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace nftrules {

using nfbus::Result;
using nlohmann::json;

Result<std::uint64_t> LoggingList::version() {
  if (!monitor_) {
    auto monitor = Monitor::open();
    if (!monitor) return monitor.error();
    monitor_ = std::move(monitor).value();
    return ++version_;
  }
  const Monitor::Changes changes = monitor_->read();
  if (changes.rules || changes.resync) ++version_;
  return version_;
}

Result<json> LoggingList::page(std::size_t from, const TextOf& text_of) {
  // Before the list: what changes while it is read is noticed by the next look.
  const auto now = version();
  if (!now) return now.error();
  if (from == 0 && (text_of || listed_version_ != *now)) {
    auto rules = list_rules(netlink_, std::nullopt);
    if (!rules) return rules.error();
    rules_ = logging_rules_of(*rules, text_of);
    listed_version_ = *now;
  }
  return page_of(rules_, from, listed_version_);
}

}  // namespace nftrules
