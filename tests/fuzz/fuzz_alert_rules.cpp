// Any bytes as a rule of notifications.json, of each shape, as what a client of HTTP sends, and as an event's JSON.
#include "check_event.hpp"
#include "formats/format.hpp"
#include "must.hpp"
#include "packets.hpp"
#include "plugins/instance.hpp"
#include "rules/json.hpp"
#include "rules/rule_book.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::fuzz {
namespace {

constexpr std::int64_t kNow_ns = 1'800'000'000'000'000'000;
constexpr std::int64_t kSecond_ns = 1'000'000'000;

class World {
 public:
  World() {
    abi_ = *services_.abi();
    abi_.log = [](void* /*context*/, std::uint32_t /*level*/, nfbus_text /*line*/) {};
    for (const test::Packet& packet : packets_) {
      events_.push_back(test::decode_record(packet.record));
      events_.back().topic = NFBUS_TEXT("nft:drop:input");
      events_.back().time_ns = kNow_ns;
    }
    for (host::Event& event : events_) event.origin = &event;
  }

  void try_rule(std::string_view text) {
    rules::RuleBook book(Host(&abi_), {});
    std::vector<rules::Notification> out;
    book.tick(kNow_ns, out);
    for (const auto shape : {rules::Shape::notifications, rules::Shape::alerts, rules::Shape::rules}) {
      const rules::Answer put = book.handle({.shape = shape, .method = rules::Method::put, .body = text});
      must(put.status == 200 || (put.status == 400 && put.body.size() > 1), "an answer that is one");
      if (put.status == 400) continue;
      const rules::Json array = rules::Json::parse(put.body, nullptr, false);
      must(array.is_array() && array.size() == 1, "the array of the shape");
      const std::string rule = array[0].dump();
      const rules::Answer again = book.handle({.shape = shape, .method = rules::Method::put, .index = 0, .body = rule});
      must(again.status == 200 && rules::Json::parse(again.body) == array, "what was taken is taken again");
      try {
        (void)book.try_rule(text);
      } catch (const std::invalid_argument&) {
        must(false, "what is kept can be tried");
      }
    }
    judge_all(book, text, out);
    for (int i = 1; i <= 3; ++i) book.tick(kNow_ns + i * 90'000 * kSecond_ns, out);
    book.tick(kNow_ns, out);  // and back
    for (const rules::Notification& told : out) check(told);
    const rules::Json overview = rules::Json::parse(book.overview(), nullptr, false);
    must(overview.is_array(), "an overview that is JSON");
    for (const rules::Json& rule : overview) must(!rule.contains("error"), "a rule that does not fail");
  }

 private:
  void judge_all(rules::RuleBook& book, std::string_view text, std::vector<rules::Notification>& out) {
    for (const host::Event& event : events_) {
      book.judge(Event(&event), out);
      services_.call_ended();
    }
    host::Event message{};
    message.struct_size = sizeof(nfbus_event);
    message.kind = NFBUS_EVENT_MESSAGE;
    message.origin = &message;
    for (const std::string_view topic : {text.substr(0, 40), std::string_view("wifi:auth:fail")}) {
      message.topic = host::text(topic);
      message.payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
      book.judge(Event(&message), out);
      services_.call_ended();
    }
  }

  static bool is_json(std::string_view text) { return rules::Json::accept(text); }
  static void check(const rules::Notification& told) {
    if (told.is_for_clients) must(is_json(told.frame_data), "a frame that is JSON");
    must(told.bus_topic.empty() || (told.bus_topic.starts_with("alert:") && is_json(told.bus_text)),
         "a message of JSON");
    must(told.title.size() <= 512 && told.message.size() <= 4200 && told.bus_text.size() < 65'536, "bounded texts");
    must(told.title.find_first_of(std::string_view("\n\x1b\0\x7f", 4)) == std::string::npos, "a title of one line");
    must(told.message.find_first_of(std::string_view("\x1b\x01\x02\0", 4)) == std::string::npos, "a plain message");
  }

  static std::vector<test::Packet> load() {
    std::vector<test::Packet> packets;
    for (const char* name : {"ipv4_tcp_syn", "ipv4_udp_dns", "ipv6_tcp_syn", "ipv6_icmpv6_echo"}) {
      packets.push_back(test::load_packet(NFBUS_TEST_DATA, name));
    }
    return packets;
  }

  const std::vector<test::Packet> packets_ = load();
  std::vector<host::Event> events_;
  host::FormatSet formats_{"fuzz"};
  host::SharedServices shared_{.formats = formats_, .publish = {}, .fields = {.any = true, .topic_root = "nft:"}};
  host::InstanceServices services_{"sink.fuzz", "fuzz", shared_};
  nfbus_host abi_{};
};

}  // namespace
}  // namespace nfbus::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static nfbus::fuzz::World world;
  world.try_rule({reinterpret_cast<const char*>(data), size});
  return 0;
}
