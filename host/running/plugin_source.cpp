#include "running/plugin_source.hpp"

#include "plugins/crossing.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <chrono>

namespace nfbus::host {

namespace {

// How long a lossless source waits for room before it is told that there is none, so that it sees to its other work.
constexpr int kLooksForRoom = 20;
constexpr std::uint32_t kBetweenLooksMs = 5;

}  // namespace

PluginSource::PluginSource(std::unique_ptr<SourceInstance> instance, const SourceContext& context)
    : instance_(std::move(instance)),
      is_full_(context.is_full),
      feed_(instance_->name(), instance_->lossless(), context) {}

PluginSource::~PluginSource() {
  if (!ran_) instance_->close();
}

Result<void> PluginSource::run() {
  ran_ = true;
  Result<void> result = instance_->run(*this);
  instance_->close();
  if (result) return result;
  // The other sources go on.
  log::error(fmt::format("source.{}: ended: {}", name(), result.error().text));
  return Error{.code = result.error().code, .text = fmt::format("source.{}: {}", name(), result.error().text)};
}

void PluginSource::stop() noexcept {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  stopped_.notify_all();
  instance_->stop();
}

bool PluginSource::wait_for_stop(std::uint32_t timeout_ms) {
  MutexLock lock(mutex_);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!stopping_ && stopped_.wait_until(lock, until)) {
  }
  return stopping_;
}

bool PluginSource::stays_full() {
  for (int look = 0; look < kLooksForRoom; ++look) {
    if (!is_full_()) return false;
    if (wait_for_stop(kBetweenLooksMs)) return false;  // nobody waits for room any more
  }
  return true;
}

template <typename Items, typename Hand>
SourceFeed::Accepted PluginSource::take_all(const Items& items, const Hand& hand) {
  const auto count = static_cast<std::uint32_t>(items.size());
  if (instance_->lossless() && stays_full()) return {.count = 0, .status = NFBUS_FULL};
  hand();
  if (wait_for_stop(0)) return {.count = count, .status = NFBUS_STOPPING};
  const bool drops = !instance_->lossless() && is_full_();
  return {.count = count, .status = drops ? NFBUS_FULL : NFBUS_OK};
}

SourceFeed::Accepted PluginSource::take(std::span<const nfbus_record* const> records) {
  records_.clear();
  for (const nfbus_record* record : records) {
    records_.push_back({.bytes = {record->data.data, record->data.data == nullptr ? 0 : record->data.size},
                        .time_ns = record->time_ns});
  }
  return take_all(records_, [&] { feed_.take(std::span<const FedRecord>(records_)); });
}

SourceFeed::Accepted PluginSource::take(std::span<const nfbus_message* const> messages) {
  messages_.clear();
  for (const nfbus_message* message : messages) {
    messages_.push_back(
        {.topic = plugin_view(message->topic), .text = plugin_view(message->text), .time_ns = message->time_ns});
  }
  return take_all(messages_, [&] { feed_.take(std::span<const FedMessage>(messages_)); });
}

}  // namespace nfbus::host
