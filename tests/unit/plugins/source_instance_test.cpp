#include "plugins/source_instance.hpp"

#include "instances.hpp"

namespace nfbus::host::test {
namespace {

// What the feed of a source without a lossless flag says while some queue is full: all is taken.
class DroppingFeed final : public SourceFeed {
 public:
  Accepted take(std::span<const nfbus_record* const> records) override { return all(records.size()); }
  Accepted take(std::span<const nfbus_message* const> messages) override { return all(messages.size()); }
  bool wait_for_stop(std::uint32_t /*timeout_ms*/) override { return false; }

 private:
  static Accepted all(std::size_t items) { return {.count = static_cast<std::uint32_t>(items), .status = NFBUS_FULL}; }
};

using SourceInstances = Instances;

TEST_F(SourceInstances, TakeANullPointerAndWhatIsBehindItOnceAlsoWhileAQueueIsFull) {
  static std::uint32_t taken = 0;
  nfbus_source calls{};
  calls.struct_size = sizeof calls;
  calls.create = [](const nfbus_host*, const nfbus_options*, void**, nfbus_error*) { return NFBUS_OK; };
  calls.run = [](void*, const nfbus_feed* feed, nfbus_error*) {
    nfbus_message message{};
    message.struct_size = sizeof message;
    const nfbus_message* const items[] = {&message, nullptr, &message};
    EXPECT_EQ(feed->messages(feed->context, items, 3, &taken), NFBUS_FULL);
    return NFBUS_OK;
  };
  calls.destroy = [](void*) {};
  nfbus_plugin entry{};
  entry.plugin_kind = NFBUS_PLUGIN_SOURCE;
  entry.source = &calls;
  auto made = SourceInstance::create({.entry = &entry, .file = "fake.so", .library = nullptr}, "feed", "{}", shared_);
  ASSERT_TRUE(made.ok());
  DroppingFeed feed;
  EXPECT_TRUE(made.value()->run(feed).ok());
  EXPECT_EQ(taken, 3U) << "what is ignored must not come again";
}

}  // namespace
}  // namespace nfbus::host::test
