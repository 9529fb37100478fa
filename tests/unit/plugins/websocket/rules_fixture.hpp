// A rule book on a real host: its matches, its JSON. Time is the test's.
#pragma once

#include "formats/format.hpp"
#include "made_event.hpp"
#include "plugins/instance.hpp"
#include "rules/rule_book.hpp"
#include "temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules::test {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kSecondNs = 1'000'000'000;

struct Made {
  std::string source = "10.0.0.2";
  std::string destination = "10.0.0.1";
  unsigned port = 22;
  std::string prefix = "drop:input ";
  std::string in_name = "lan0";
  std::map<std::string, std::string> fields = {};
  bool is_udp = false;
};

// One rule of ours in the array of a file.
inline json rule(const json& changes = json::object()) {
  json out = {{"name", "Try"}, {"match", {{"action", "blocked"}}}, {"message", "{src} tried {dport}"}};
  out.update(changes);
  return json::array({out});
}

class RulesTest : public ::testing::Test {
 protected:
  RulesTest() {
    logged().clear();
    abi_ = *services_.abi();
    abi_.log = [](void* /*context*/, std::uint32_t /*level*/, nfbus_text line) {
      logged().emplace_back(line.data, line.size);
    };
  }

  static std::vector<std::string>& logged() {
    static std::vector<std::string> lines;
    return lines;
  }

  [[nodiscard]] nfbus::Host host() const { return nfbus::Host(&abi_); }
  [[nodiscard]] std::string file() const { return (folder_.path() / "notifications.json").string(); }
  [[nodiscard]] std::string state_file() const { return (folder_.path() / "state.json").string(); }
  void write(std::string_view text) const { nfbus::test::write_file(file(), text); }
  [[nodiscard]] std::string read() const { return nfbus::test::read_file(file()); }

  // As a host that starts.
  void start(std::string_view text) {
    write(text);
    start();
  }
  void start() {
    book_.reset();
    book_ = std::make_unique<RuleBook>(
        host(), Settings{.file = file(), .state_file = state_file(), .name_of = [this](std::string_view address) {
                           const auto found = names_.find(std::string(address));
                           return found == names_.end() ? std::string() : found->second;
                         }});
    book_->load();
    told_.clear();
    wait(0);
  }

  // Time goes on by so much, and the rules have their tick. What they tell is in told().
  void wait(double seconds) {
    now_ns_ += static_cast<std::int64_t>(seconds * 1e9);
    book_->tick(now_ns_, told_);
    services_.call_ended();
  }

  void packet(const Made& made = {}) {
    nfbus::host::test::MadeEvent event = made_of(made);
    judge(event);
  }
  // A message with the JSON of that packet.
  void packet_as_message(const Made& made) {
    nfbus::host::test::MadeEvent event = made_of(made);
    event.event.origin = &event.event;
    const std::string text(nfbus::Event(&event.event).json(host().format("packet")));
    message(nfbus::to_view(event.event.topic), text);
  }
  static nfbus::host::test::MadeEvent made_of(const Made& made) {
    using namespace nfbus::host::test;
    const bool is_v6 = made.source.find(':') != std::string::npos;
    const PacketBytes body = made.is_udp ? udp(40000, made.port) : tcp(40000, made.port, 0x02);
    const unsigned protocol = made.is_udp ? 17 : 6;
    MadeEvent event(is_v6 ? ipv6(made.source, made.destination, protocol, body)
                          : ipv4(made.source, made.destination, protocol, body));
    std::string topic = made.prefix;
    while (topic.ends_with(' ')) topic.pop_back();
    event.set(event.event.topic, "nft:" + topic);
    event.set(event.event.prefix, made.prefix);
    event.set(event.event.in_name, made.in_name);
    for (const auto& [name, value] : made.fields) event.annotate(name, value);
    return event;
  }
  void message(std::string_view topic, std::string_view text) {
    auto event = nfbus::host::test::MadeEvent::message(topic);
    event.event.payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    judge(event);
  }
  void judge(nfbus::host::test::MadeEvent& made) {
    made.event.origin = &made.event;
    made.event.time_ns = now_ns_;
    book_->judge(nfbus::Event(&made.event), told_);
    services_.call_ended();
  }

  [[nodiscard]] std::vector<Notification> take() { return std::exchange(told_, {}); }
  [[nodiscard]] std::vector<std::string> messages() {
    std::vector<std::string> out;
    for (const Notification& told : take()) out.push_back(told.message);
    return out;
  }
  [[nodiscard]] json overview() const { return json::parse(book_->overview()); }
  Answer put(Shape shape, std::string_view body) {
    return book_->handle({.shape = shape, .method = Method::put, .body = body});
  }
  Answer put(Shape shape, std::size_t index, std::string_view body) {
    return book_->handle({.shape = shape, .method = Method::put, .index = index, .body = body});
  }
  Answer remove(Shape shape, std::size_t index) {
    return book_->handle({.shape = shape, .method = Method::remove, .index = index});
  }
  Answer get(Shape shape) { return book_->handle({.shape = shape, .method = Method::get}); }

  nfbus::test::TemporaryFolder folder_;
  nfbus::host::FormatSet formats_{"test"};
  nfbus::host::SharedServices shared_{
      .formats = formats_, .publish = {}, .fields = {.names = {"country", "RecentDomainDst"}, .topic_root = "nft:"}};
  nfbus::host::InstanceServices services_{"sink.web", "web", shared_};
  nfbus_host abi_{};
  std::map<std::string, std::string> names_;
  std::int64_t now_ns_ = 1'800'000'000 * kSecondNs;
  std::unique_ptr<RuleBook> book_;
  std::vector<Notification> told_;
};

}  // namespace rules::test
