// A host that a plugin's tests drive: it keeps what the plugin said, and hands over made-up events.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/event.hpp>
#include <nfbus/result.hpp>
#include <nfbus/text.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

extern "C" const nfbus_library nfbus_library_v1;  // of the plugin that a test program is linked with

namespace nfbus::test {

// The library's first plugin, or another.
inline const nfbus_plugin& plugin(std::size_t index = 0) { return *nfbus_library_v1.plugins[index]; }

// One value of a configuration, at its JSON pointer. An array is the number of its elements, and its JSON.
struct Array {
  std::size_t count;
  std::string json = {};
};
using Value = std::variant<std::string, std::int64_t, double, bool, Array>;
using Values = std::map<std::string, Value>;

class FakeOptions {
 public:
  explicit FakeOptions(Values values) : values_(std::move(values)) {
    raw_.struct_size = sizeof raw_;
    raw_.context = this;
    raw_.get = [](void* context, nfbus_text pointer, nfbus_value* value) {
      return static_cast<const FakeOptions*>(context)->get(to_view(pointer), *value);
    };
  }
  FakeOptions(const FakeOptions&) = delete;
  FakeOptions& operator=(const FakeOptions&) = delete;
  ~FakeOptions() = default;

  [[nodiscard]] const nfbus_options* raw() const { return &raw_; }

 private:
  std::uint32_t get(std::string_view pointer, nfbus_value& out) const {
    const auto found = values_.find(std::string(pointer));
    if (found == values_.end()) return NFBUS_REFUSED;
    if (const auto* text = std::get_if<std::string>(&found->second)) {
      out.type = NFBUS_VALUE_TEXT;
      out.text = to_text(*text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&found->second)) {
      out.type = NFBUS_VALUE_INTEGER;
      out.integer = *integer;
      out.number = static_cast<double>(*integer);
    } else if (const auto* number = std::get_if<double>(&found->second)) {
      out.type = NFBUS_VALUE_NUMBER;
      out.number = *number;
    } else if (const auto* boolean = std::get_if<bool>(&found->second)) {
      out.type = NFBUS_VALUE_BOOLEAN;
      out.integer = *boolean ? 1 : 0;
    } else {
      out.type = NFBUS_VALUE_ARRAY;
      out.count = static_cast<std::uint32_t>(std::get<Array>(found->second).count);
      out.text = to_text(std::get<Array>(found->second).json);
    }
    return NFBUS_OK;
  }

  Values values_;
  nfbus_options raw_{};
};

// A DNS message for FakeHost::dns_messages.
class FakeDns {
 public:
  explicit FakeDns(std::uint16_t flags = 0x8180) {
    raw_.struct_size = sizeof raw_;
    raw_.flags = flags;
  }
  FakeDns(const FakeDns&) = delete;
  FakeDns& operator=(const FakeDns&) = delete;
  ~FakeDns() = default;

  // section: NFBUS_DNS_*. data: RDATA, as far as the plugin looks at it.
  FakeDns& add(std::uint16_t section, std::uint16_t type, std::string name, std::string data = {},
               std::string target = {}, std::uint32_t ttl_s = 300, std::uint16_t dns_class = 1) {
    const Texts& texts = texts_.emplace_back(Texts{std::move(name), std::move(data), std::move(target)});
    nfbus_dns_record& record = records_.emplace_back();
    record.struct_size = sizeof record;
    record.section = section;
    record.type = type;
    record.dns_class = dns_class;
    record.ttl_s = section == NFBUS_DNS_QUESTION ? 0 : ttl_s;
    record.name = to_text(texts.name);
    record.data = {reinterpret_cast<const std::uint8_t*>(texts.data.data()), texts.data.size()};
    record.target = to_text(texts.target);
    pointers_.push_back(&record);
    return *this;
  }
  [[nodiscard]] const nfbus_dns* raw() {
    raw_.record_count = static_cast<std::uint32_t>(pointers_.size());
    raw_.records = pointers_.data();
    return &raw_;
  }

 private:
  struct Texts {
    std::string name;
    std::string data;
    std::string target;
  };
  std::deque<Texts> texts_;
  std::deque<nfbus_dns_record> records_;
  std::vector<const nfbus_dns_record*> pointers_;
  nfbus_dns raw_{};
};

// A record of an event is its payload. Knows the formats "ulogd", "packet" and "packet_full": in each the text of an
// event is its payload. Topics below "nft:" are refused. A match is a function of the test, under the text that the
// plugin compiles; any other text is wrong.
class FakeHost {
 public:
  FakeHost() {
    raw_.struct_size = sizeof raw_;
    raw_.abi_major = NFBUS_ABI_MAJOR;
    raw_.abi_minor = NFBUS_ABI_MINOR;
    raw_.context = this;
    raw_.instance_name = NFBUS_TEXT("test");
    raw_.log = [](void* context, std::uint32_t level, nfbus_text line) {
      self(context).logged.emplace_back(level, to_view(line));
    };
    raw_.publish = [](void* context, nfbus_text topic, nfbus_text text) -> std::uint32_t {
      if (to_view(topic).starts_with("nft:")) return NFBUS_REFUSED;
      self(context).published.emplace_back(to_view(topic), to_view(text));
      return NFBUS_OK;
    };
    raw_.format = [](void* context, nfbus_text name) -> std::uint32_t {
      self(context).formats.emplace_back(to_view(name));
      return to_view(name) == "ulogd" || to_view(name) == "packet" || to_view(name) == "packet_full" ? 1 : 0;
    };
    raw_.render = [](void* /*context*/, const nfbus_event* event, std::uint32_t /*format*/) {
      return nfbus_text{reinterpret_cast<const char*>(event->payload.data), event->payload.size};
    };
    raw_.event_copy = [](void* context, const nfbus_event* event) -> const nfbus_event* {
      if (self(context).memory_is_short) return nullptr;
      ++self(context).copies_held;
      return new nfbus_event(*event);
    };
    raw_.event_release = [](void* context, const nfbus_event* event) {
      if (event == nullptr) return;
      --self(context).copies_held;
      delete event;
    };
    raw_.counter = [](void* context, nfbus_text name) -> std::uint32_t {
      self(context).counters.emplace_back(to_view(name), 0);
      return static_cast<std::uint32_t>(self(context).counters.size());
    };
    raw_.dns = [](void* context, const nfbus_event* event) -> const nfbus_dns* {
      FakeHost& host = self(context);
      const auto found = host.dns_messages.find(event);
      return found == host.dns_messages.end() ? nullptr : found->second->raw();
    };
    raw_.listen = [](void* context, nfbus_text topic_prefix) -> std::uint32_t {
      if (!self(context).may_listen) return NFBUS_REFUSED;
      self(context).listened.emplace_back(to_view(topic_prefix));
      return NFBUS_OK;
    };
    raw_.counter_add = [](void* context, std::uint32_t counter, std::uint64_t amount) {
      self(context).counters.at(counter - 1).second += amount;
    };
    raw_.match_compile = [](void* context, nfbus_text tables, nfbus_error* error) -> const nfbus_match* {
      const auto found = self(context).matches.find(std::string(to_view(tables)));
      if (found == self(context).matches.end()) {
        detail::say(error, "unknown match " + std::string(to_view(tables)));
        return nullptr;
      }
      ++self(context).matches_held;
      return reinterpret_cast<const nfbus_match*>(&found->second);
    };
    raw_.match_test = [](void* /*context*/, const nfbus_match* match, const nfbus_event* event) -> std::uint32_t {
      return (*reinterpret_cast<const FakeMatch*>(match))(Event(event));
    };
    raw_.match_release = [](void* context, const nfbus_match* match) {
      if (match != nullptr) --self(context).matches_held;
    };
    raw_.wake = [](void* context) { ++self(context).wakes; };
    raw_.record = [](void* /*context*/, const nfbus_event* event) { return event->payload; };
    raw_.event_of = [](void* context, nfbus_bytes record, nfbus_error* /*error*/) -> const nfbus_event* {
      ++self(context).copies_held;
      auto* event = new nfbus_event();
      event->struct_size = sizeof *event;
      event->kind = NFBUS_EVENT_MESSAGE;
      event->payload = record;
      return event;
    };
    raw_.extension = [](void* context, nfbus_text id) -> const void* {
      const auto& known = self(context).extensions;
      const auto found = known.find(std::string(to_view(id)));
      return found == known.end() ? nullptr : found->second;
    };
    raw_.request = [](void* context, nfbus_bytes request, uint32_t /*timeout_ms*/, nfbus_bytes* answer,
                      nfbus_error* error) -> uint32_t {
      FakeHost& host = self(context);
      if (!host.privileged_part) return NFBUS_REFUSED;
      const auto answered = host.privileged_part({reinterpret_cast<const char*>(request.data), request.size});
      if (!answered.ok()) {
        detail::say(error, answered.error().text);
        return NFBUS_FAILED;
      }
      host.part_answer_ = answered.value();
      *answer = {reinterpret_cast<const std::uint8_t*>(host.part_answer_.data()), host.part_answer_.size()};
      return NFBUS_OK;
    };
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() = default;

  [[nodiscard]] const nfbus_host* raw() const { return &raw_; }

  std::vector<std::pair<std::uint32_t, std::string>> logged;
  std::vector<std::string> formats;  // that the plugin asked for
  std::vector<std::pair<std::string, std::string>> published;
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  // Say what a match says of an event: the first table that holds, counted from 1; 0: none.
  using FakeMatch = std::function<std::uint32_t(Event)>;
  std::map<std::string, FakeMatch> matches;  // by their JSON
  std::int64_t matches_held = 0;
  std::int64_t copies_held = 0;
  std::vector<std::string> listened;
  std::map<std::string, const void*> extensions;  // that this host knows, by their ids
  // Hold what dns() says of an event; of others: there is none.
  std::map<const nfbus_event*, std::unique_ptr<FakeDns>> dns_messages;
  bool memory_is_short = false;
  bool may_listen = true;
  std::size_t wakes = 0;
  // Answers request(); null: there is no privileged part.
  std::function<Result<std::string>(std::string_view request)> privileged_part;

 private:
  static FakeHost& self(void* context) { return *static_cast<FakeHost*>(context); }
  nfbus_host raw_{};
  std::string part_answer_;
};

// Events whose payload is the text, as a host would hand them over; valid as long as this object.
class Batch {
 public:
  explicit Batch(const std::vector<std::string>& texts) : texts_(texts.begin(), texts.end()) {
    for (const std::string& text : texts_) {
      nfbus_event& event = events_.emplace_back();
      event.struct_size = sizeof event;
      event.kind = NFBUS_EVENT_PACKET;
      event.payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
      event.transport_offset = event.data_offset = NFBUS_NO_OFFSET;
      items_.push_back(&event);
    }
  }

  [[nodiscard]] nfbus_event& event(std::size_t index) { return events_.at(index); }
  [[nodiscard]] const std::vector<const nfbus_event*>& items() const { return items_; }

 private:
  std::deque<std::string> texts_;
  std::deque<nfbus_event> events_;
  std::vector<const nfbus_event*> items_;
};

// Holds what a sink said of a batch.
struct Written {
  std::uint32_t status = 0;
  std::uint32_t done = 0;  // the leading events that are delivered or rejected
  std::uint32_t retry_after_ms = 0;
  std::string error;
  std::vector<std::uint32_t> outcomes;  // NFBUS_DELIVERED, ... of each event; 0: it was not named
  std::vector<std::pair<std::uint32_t, std::string>> rejected;
};

// One instance of a sink, driven through the ABI as the host does it. Closed and destroyed by its destructor.
class SinkDriver {
 public:
  SinkDriver(const nfbus_plugin& plugin, Values options, std::map<std::string, FakeHost::FakeMatch> matches = {})
      : sink_(*plugin.sink), options_(std::move(options)) {
    shape_.struct_size = sizeof shape_;
    if (plugin.shape != nullptr) shape_ = *plugin.shape;
    host.matches = std::move(matches);
    created_ = sink_.create(host.raw(), options_.raw(), &instance_, clean()) == NFBUS_OK;
  }
  SinkDriver(const SinkDriver&) = delete;
  SinkDriver& operator=(const SinkDriver&) = delete;
  ~SinkDriver() {
    close();
    if (created_) sink_.destroy(instance_);
  }

  [[nodiscard]] bool created() const { return created_; }
  bool open() { return opened_ = sink_.open(instance_, &shape_, clean()) == NFBUS_OK; }
  Written write(const Batch& batch, std::size_t from = 0) {
    const std::vector<const nfbus_event*> rest(batch.items().begin() + static_cast<std::ptrdiff_t>(from),
                                               batch.items().end());
    const nfbus_events events{sizeof events, static_cast<std::uint32_t>(rest.size()), rest.data(), nullptr, 0};
    Written out{};
    out.outcomes.resize(rest.size());
    nfbus_report report{};
    report.struct_size = sizeof report;
    report.context = &out;
    report.outcome = [](void* context, std::uint32_t first, std::uint32_t count, std::uint32_t outcome,
                        nfbus_text reason) {
      Written& written = *static_cast<Written*>(context);
      for (std::uint32_t i = first; i < first + count; ++i) {
        if (written.outcomes.at(i) != 0) continue;  // the first word counts
        written.outcomes[i] = outcome;
        if (outcome == NFBUS_REJECTED) written.rejected.emplace_back(i, to_view(reason));
      }
    };
    report.time_left_ms = [](void* /*context*/) -> std::uint32_t { return 30'000; };
    out.status = sink_.write(instance_, &events, &report, clean());
    while (out.done < out.outcomes.size() &&
           (out.outcomes[out.done] == NFBUS_DELIVERED || out.outcomes[out.done] == NFBUS_REJECTED)) {
      ++out.done;
    }
    out.retry_after_ms = report.retry_after_ms;
    out.error = error();
    return out;
  }
  Written write(const std::vector<std::string>& texts) { return write(Batch(texts)); }
  void close() {
    if (std::exchange(opened_, false)) sink_.close(instance_);
  }
  std::uint32_t reopen() { return sink_.reopen(instance_, clean()); }
  std::uint32_t flush() { return sink_.flush(instance_, clean()); }
  std::uint32_t tick() { return sink_.tick(instance_, clean()); }

  [[nodiscard]] std::string error() const { return {error_->text, error_->size}; }
  [[nodiscard]] const nfbus_shape& shape() const { return shape_; }

  FakeHost host;

 private:
  nfbus_error* clean() {
    *error_ = {};
    error_->struct_size = sizeof *error_;
    return error_.get();
  }

  const nfbus_sink& sink_;
  nfbus_shape shape_{};
  FakeOptions options_;
  std::unique_ptr<nfbus_error> error_ = std::make_unique<nfbus_error>();
  void* instance_ = nullptr;
  bool created_ = false;
  bool opened_ = false;
};

// One instance of a filter, driven through the ABI as the host does it. Destroyed by its destructor.
class FilterDriver {
 public:
  FilterDriver(const nfbus_plugin& plugin, Values options) : filter_(*plugin.filter), options_(std::move(options)) {
    created_ = filter_.create(host.raw(), options_.raw(), &instance_, clean()) == NFBUS_OK;
  }
  FilterDriver(const FilterDriver&) = delete;
  FilterDriver& operator=(const FilterDriver&) = delete;
  ~FilterDriver() {
    if (created_) filter_.destroy(instance_);
  }

  [[nodiscard]] bool created() const { return created_; }
  // Tells what became of each event: "keep" or "drop", and behind it what was changed: " NAME=VALUE" for each
  // annotation, " topic=TOPIC", " rewrite=PART@OFFSET+SIZE", " cut=SIZE". The events stay as they are.
  std::vector<std::string> apply(std::vector<const nfbus_event*> items) {
    std::vector<std::uint8_t> verdicts(items.size(), NFBUS_KEEP);
    std::vector<std::string> notes(items.size());
    nfbus_filter_call call{};
    call.struct_size = sizeof call;
    call.count = static_cast<std::uint32_t>(items.size());
    call.items = items.data();
    call.verdicts = verdicts.data();
    call.context = &notes;
    call.annotate = [](void* context, std::uint32_t index, const nfbus_field* field) -> std::uint32_t {
      note(context, index).append(" ").append(to_view(field->name)).append("=").append(to_view(field->value));
      return NFBUS_OK;
    };
    call.set_topic = [](void* context, std::uint32_t index, nfbus_text topic) -> std::uint32_t {
      note(context, index).append(" topic=").append(to_view(topic));
      return NFBUS_OK;
    };
    call.rewrite = [](void* context, std::uint32_t index, std::uint32_t part, std::uint32_t offset,
                      nfbus_bytes bytes) -> std::uint32_t {
      note(context, index)
          .append(" rewrite=" + std::to_string(part) + '@' + std::to_string(offset) + '+' + std::to_string(bytes.size));
      return NFBUS_OK;
    };
    call.cut = [](void* context, std::uint32_t index, std::uint32_t size_bytes) -> std::uint32_t {
      note(context, index).append(" cut=" + std::to_string(size_bytes));
      return NFBUS_OK;
    };
    if (filter_.apply(instance_, &call, clean()) != NFBUS_OK) return {"failed: " + error()};
    std::vector<std::string> out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      out.push_back((verdicts[i] == NFBUS_DROP ? "drop" : "keep") + notes[i]);
    }
    return out;
  }
  std::uint32_t hear(const Batch& messages) {
    const auto& items = messages.items();
    const nfbus_events events{sizeof events, static_cast<std::uint32_t>(items.size()), items.data(), nullptr, 0};
    return filter_.hear(instance_, &events, clean());
  }
  std::uint32_t tick() { return filter_.tick(instance_, clean()); }
  std::uint32_t finish() { return filter_.finish(instance_, clean()); }

  [[nodiscard]] std::string error() const { return {error_->text, error_->size}; }
  // Of a counter of the filter.
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    for (const auto& [known, value] : host.counters) {
      if (known == name) return value;
    }
    return ~std::uint64_t{0};
  }

  FakeHost host;

 private:
  nfbus_error* clean() {
    *error_ = {};
    error_->struct_size = sizeof *error_;
    return error_.get();
  }

  static std::string& note(void* context, std::uint32_t index) {
    return static_cast<std::vector<std::string>*>(context)->at(index);
  }

  const nfbus_filter& filter_;
  FakeOptions options_;
  std::unique_ptr<nfbus_error> error_ = std::make_unique<nfbus_error>();
  void* instance_ = nullptr;
  bool created_ = false;
};

}  // namespace nfbus::test
