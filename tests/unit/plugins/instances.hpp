// What tests of instances share: loaded plugins, events, services.
#pragma once

#include "event/batch.hpp"
#include "folder.hpp"
#include "plugins/instance.hpp"

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host::test {

// Stand-ins for the events of frozen batches.
class TestRoom final : public EditRoom {
 public:
  Event& writable(const nfbus_event& event) override {
    if (!is_in_batch(host_event(event))) return const_cast<Event&>(host_event(event));
    return events_.emplace_back(host_event(event));
  }
  std::span<std::uint8_t> allocate(std::size_t size_bytes) override { return memory_.emplace_back(size_bytes + 8); }
  void clear() {
    events_.clear();
    memory_.clear();
  }

 private:
  std::deque<Event> events_;
  std::deque<std::vector<std::uint8_t>> memory_;
};

class Instances : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { registry_ = std::make_unique<PluginRegistry>(PluginRegistry::scan({kGood})); }
  static void TearDownTestSuite() { registry_.reset(); }

  static const Plugin& plugin(const std::string& name) {
    const Plugin* found = registry_->find(name);
    if (found == nullptr) throw std::runtime_error("no test plugin " + name);
    return *found;
  }

  std::unique_ptr<SinkInstance> sink(const std::string& name, const std::string& options = "{}") {
    auto made = SinkInstance::create(plugin(name), "archive", options, shared_);
    EXPECT_TRUE(made.ok()) << made.error().text;
    auto out = std::move(made).value();
    const auto opened = out->open();
    EXPECT_TRUE(opened.ok());
    return out;
  }

  std::unique_ptr<FilterInstance> filter(const std::string& name, const std::string& options = "{}") {
    auto made = FilterInstance::create(plugin(name), "quiet", options, shared_);
    EXPECT_TRUE(made.ok()) << made.error().text;
    EXPECT_TRUE(made.value()->open().ok());
    return std::move(made).value();
  }

  // So many message events, alive as long as the test.
  std::vector<const nfbus_event*> events(std::size_t count) {
    std::vector<const nfbus_event*> out;
    for (std::size_t i = 0; i < count; ++i) {
      batches_.push_back(make_message("alarm", std::to_string(i), 1, 0));
      out.push_back(batches_.back()->events().data());
    }
    return out;
  }

  static std::uint64_t counter(InstanceServices& services, const std::string& name) {
    for (const auto& [known, value] : services.counters()) {
      if (known == name) return value;
    }
    throw std::runtime_error("no counter " + name);
  }

  std::vector<std::pair<std::string, std::string>> published_;
  FormatSet formats_{"test"};
  SharedServices shared_{
      .formats = formats_,
      .publish = [this](std::string_view topic, std::string_view text, const MessageOrigin& /*origin*/) {
        published_.emplace_back(topic, text);
        return !topic.starts_with("nfbus:");
      }};

 private:
  static inline std::unique_ptr<PluginRegistry> registry_;
  std::vector<BatchRef> batches_;
};

// A sink made of functions of the test, for what no plugin file is needed for.
struct FakeSink {
  using Write = uint32_t (*)(void*, const nfbus_events*, nfbus_report*, nfbus_error*);

  explicit FakeSink(Write write) {
    calls.struct_size = sizeof calls;
    calls.create = [](const nfbus_host* host, const nfbus_options*, void** instance, nfbus_error*) {
      *instance = const_cast<nfbus_host*>(host);  // handed back to every call
      return NFBUS_OK;
    };
    calls.open = [](void*, nfbus_shape*, nfbus_error*) { return NFBUS_OK; };
    calls.write = write;
    calls.close = [](void*) {};
    calls.destroy = [](void*) {};
    entry.struct_size = sizeof entry;
    entry.plugin_kind = NFBUS_PLUGIN_SINK;
    entry.name = NFBUS_TEXT("fake");
    entry.sink = &calls;
  }

  nfbus_sink calls{};
  nfbus_plugin entry{};
};

}  // namespace nfbus::host::test
