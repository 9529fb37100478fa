// A source that a plugin brings, as one of the host's.
#pragma once

#include "capture/feed.hpp"
#include "capture/source.hpp"
#include "plugins/source_instance.hpp"
#include "support/mutex.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Thread safety: as Source.
class PluginSource final : public Source, private SourceFeed {
 public:
  // instance: open. is_full: [any] whether some subscriber's queue is.
  PluginSource(std::unique_ptr<SourceInstance> instance, const SourceContext& context);
  ~PluginSource() override;

  [[nodiscard]] std::string_view name() const noexcept override { return instance_->name(); }
  [[nodiscard]] bool lossless() const noexcept override { return instance_->lossless(); }
  [[nodiscard]] bool reloadable() const noexcept override { return !instance_->lossless(); }
  [[nodiscard]] bool essential() const noexcept override { return false; }
  Result<void> run() override;
  void stop() noexcept override;
  [[nodiscard]] SourceSnapshot counters() const override { return feed_.counters(); }
  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override { return {}; }

 private:
  Accepted take(std::span<const nfbus_record* const> records) override;
  Accepted take(std::span<const nfbus_message* const> messages) override;
  bool wait_for_stop(std::uint32_t timeout_ms) override;
  // Says what a lossless source is told: whether there is no room, also after a little waiting.
  [[nodiscard]] bool stays_full();
  template <typename Items, typename Hand>
  Accepted take_all(const Items& items, const Hand& hand);

  const std::unique_ptr<SourceInstance> instance_;
  const std::function<bool()> is_full_;
  Feed feed_;
  std::vector<FedRecord> records_;    // scratch
  std::vector<FedMessage> messages_;  // scratch
  Mutex mutex_;
  Condition stopped_;
  bool stopping_ NFBUS_GUARDED_BY(mutex_) = false;
  bool ran_ = false;  // owned by the thread of run()
};

}  // namespace nfbus::host
