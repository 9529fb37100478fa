#include "plugins/instance.hpp"

#include "carried_messages.hpp"
#include "instances.hpp"

#include <nfbus/match_words.h>

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

namespace nfbus::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Pair;

class Services : public Instances {
 protected:
  const nfbus_host& host() { return *services_.abi(); }
  static nfbus_text lit(std::string_view text) { return {text.data(), text.size()}; }

  InstanceServices services_{"sink.archive", "archive", shared_};
};

TEST_F(Services, TellAnInstanceItsNameAndTheAbi) {
  EXPECT_EQ(view(host().instance_name), "archive");
  EXPECT_EQ(host().abi_major, NFBUS_ABI_MAJOR);
  EXPECT_EQ(host().abi_minor, NFBUS_ABI_MINOR);
  EXPECT_EQ(host().struct_size, sizeof(nfbus_host));
}

TEST_F(Services, LogUnderTheNameOfTheInstance) {
  ::testing::internal::CaptureStderr();
  host().log(host().context, NFBUS_LOG_WARNING, lit("disk is full"));
  host().log(host().context, 99, lit("a level of tomorrow"));
  host().log(host().context, NFBUS_LOG_INFO, nfbus_text{nullptr, 5});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "nfbus: warning: sink.archive: disk is full\n"
            "nfbus: info: sink.archive: a level of tomorrow\n"
            "nfbus: info: sink.archive: \n");
}

TEST_F(Services, PublishThroughTheHostAndSayWhenATopicIsRefused) {
  EXPECT_EQ(host().publish(host().context, lit("alarm"), lit("fire")), NFBUS_OK);
  EXPECT_EQ(host().publish(host().context, lit("nfbus:mine"), lit("fire")), NFBUS_REFUSED);
  EXPECT_THAT(published_, ElementsAre(Pair("alarm", "fire"), Pair("nfbus:mine", "fire")));
}

TEST_F(Services, CountPerNameUpToALimit) {
  const std::uint32_t sent = host().counter(host().context, lit("sent"));
  const std::uint32_t lost = host().counter(host().context, lit("lost"));
  EXPECT_EQ(host().counter(host().context, lit("sent")), sent);
  host().counter_add(host().context, sent, 2);
  host().counter_add(host().context, sent, 3);
  host().counter_add(host().context, 0, 7);
  host().counter_add(host().context, 1000, 7);
  EXPECT_THAT(services_.counters(), ElementsAre(Pair("sent", 5), Pair("lost", 0)));
  EXPECT_NE(sent, lost);

  for (int i = 2; i < 64; ++i) EXPECT_NE(host().counter(host().context, lit("n" + std::to_string(i))), 0U);
  EXPECT_EQ(host().counter(host().context, lit("one-too-many")), 0U);
  EXPECT_EQ(host().counter(host().context, lit("sent")), sent);
}

TEST_F(Services, RefuseACounterWithANameThatStatusCannotShow) {
  EXPECT_EQ(host().counter(host().context, lit("Lost \"packets\"")), 0U);
  EXPECT_EQ(host().counter(host().context, {}), 0U);
  EXPECT_TRUE(services_.counters().empty());
}

TEST_F(Services, GiveCopiesThatOutliveTheEvent) {
  const nfbus_event* copy = nullptr;
  {
    const BatchRef batch = make_message("alarm", "fire", 42, 1000);
    copy = host().event_copy(host().context, batch->events().data());
  }
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(services_.copies_held(), 1U);
  EXPECT_EQ(view(copy->topic), "alarm");
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(copy->payload.data), copy->payload.size), "fire");
  EXPECT_EQ(copy->uid, 1000U);
  std::thread([&] { host().event_release(host().context, copy); }).join();
  EXPECT_EQ(services_.copies_held(), 0U);
}

TEST_F(Services, IgnoreTheReleaseOfWhatIsNotHeld) {
  const BatchRef batch = make_message("alarm", "fire", 42, 1000);
  host().event_release(host().context, nullptr);
  host().event_release(host().context, batch->events().data());
  const nfbus_event* copy = host().event_copy(host().context, batch->events().data());
  host().event_release(host().context, copy);
  host().event_release(host().context, copy);
  EXPECT_EQ(services_.copies_held(), 0U);
  EXPECT_EQ(host().event_copy(host().context, nullptr), nullptr);
}

TEST_F(Services, FreeAndNameTheCopiesThatAnInstanceForgets) {
  const BatchRef batch = make_message("alarm", "fire", 42, 1000);
  ::testing::internal::CaptureStderr();
  {
    const InstanceServices forgetful("sink.leaky", "leaky", shared_);
    EXPECT_NE(forgetful.abi()->event_copy(forgetful.abi()->context, batch->events().data()), nullptr);
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("sink.leaky: the plugin did not give back 1 event copies: freed by the host"));
}

TEST_F(Services, LetNobodyListenWhoIsNotAFilterThatIsBeingCreated) {
  EXPECT_EQ(host().listen(host().context, lit("dns:")), NFBUS_REFUSED);
  services_.allow_listening(true);
  EXPECT_EQ(host().listen(host().context, lit("dns:")), NFBUS_OK);
  EXPECT_EQ(host().listen(host().context, nfbus_text{}), NFBUS_OK);
  services_.allow_listening(false);
  EXPECT_EQ(host().listen(host().context, lit("dhcp:")), NFBUS_REFUSED);
  EXPECT_THAT(services_.listened(), ElementsAre("dns:", ""));
}

TEST_F(Services, RenderOnlyFormatsThatTheInstanceAskedFor) {
  const BatchRef batch = make_message("alarm", "{\"fire\":true}", 42, 1000);
  const nfbus_event* event = batch->events().data();
  EXPECT_EQ(host().format(host().context, lit("morse")), 0U);
  const FormatId ulogd = formats_.find("ulogd");
  ASSERT_NE(ulogd, 0U);
  EXPECT_EQ(host().render(host().context, event, ulogd).size, 0U);
  EXPECT_EQ(host().format(host().context, lit("ulogd")), ulogd);
  const std::string text(view(host().render(host().context, event, ulogd)));
  EXPECT_THAT(text, HasSubstr("\"Topic\":\"alarm\""));
  EXPECT_EQ(host().render(host().context, event, 0).size, 0U);
  EXPECT_EQ(host().render(host().context, event, UINT32_MAX).size, 0U);
  EXPECT_EQ(host().render(host().context, nullptr, ulogd).size, 0U);
}

TEST_F(Services, DecodeTheDnsMessageOfAPacketAndReuseItsMemory) {
  const CarriedEvent one(DnsMessage().question(dns_name("www.example.org")).octets());
  const CarriedEvent two(
      DnsMessage().question(dns_name("x")).answer(dns_pointer(DnsMessage::kFirstName), 1, {192, 0, 2, 1}).octets(),
      {.ipv6 = true});
  const nfbus_dns* first = host().dns(host().context, &one.event);
  ASSERT_NE(first, nullptr);
  ASSERT_EQ(first->record_count, 1U);
  EXPECT_EQ(view(first->records[0]->name), "www.example.org");
  const nfbus_dns* second = host().dns(host().context, &two.event);
  ASSERT_NE(second, nullptr);
  ASSERT_EQ(second->record_count, 2U);
  EXPECT_EQ(view(second->records[1]->name), "x");
  EXPECT_EQ(second->records[1]->data.size, 4U);
}

TEST_F(Services, GiveNoDnsMessageWhereThereIsNoneOrABrokenOne) {
  const CarriedEvent empty(Octets{});
  const CarriedEvent other(DnsMessage().octets(), {.source_port = 9, .destination_port = 9});
  const CarriedEvent broken(DnsMessage().announce(1, 1).octets());
  const BatchRef message = make_message("alarm", "fire", 42, 1000);
  for (const nfbus_event* event : std::initializer_list<const nfbus_event*>{&empty.event, &other.event, &broken.event,
                                                                            message->events().data(), nullptr}) {
    EXPECT_EQ(host().dns(host().context, event), nullptr);
  }
}

TEST_F(Services, CountAnInstanceOnceAmongTheUsersOfAFormatAndOnlyWhileItLives) {
  const FormatId ulogd = host().format(host().context, lit("ulogd"));
  EXPECT_EQ(host().format(host().context, lit("ulogd")), ulogd);
  EXPECT_FALSE(formats_.shared(ulogd));
  {
    const InstanceServices other("sink.other", "other", shared_);
    EXPECT_EQ(other.abi()->format(other.abi()->context, lit("ulogd")), ulogd);
    EXPECT_TRUE(formats_.shared(ulogd));
  }
  EXPECT_FALSE(formats_.shared(ulogd));
}

class MatchServices : public Services {
 protected:
  const nfbus_match* compile(std::string_view tables) {
    error_ = {};
    error_.struct_size = sizeof error_;
    return host().match_compile(host().context, lit(tables), &error_);
  }
  std::uint32_t test(const nfbus_match* match, const nfbus_event* event) {
    return host().match_test(host().context, match, event);
  }
  std::string error() { return {error_.text, error_.size}; }

  nfbus_error error_{};
};

TEST_F(MatchServices, TellWhichTableHolds) {
  const BatchRef batch = make_message("alarm:door", "{}", 42, 1000);
  const nfbus_match* match = compile(R"([{"topic":"x"},{"topic":"alarm:*"}])");
  ASSERT_NE(match, nullptr);
  EXPECT_EQ(test(match, batch->events().data()), 2U);
  const nfbus_match* table = compile(R"({"!topic":"alarm:*"})");
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(test(table, batch->events().data()), 0U);
  EXPECT_EQ(services_.matches_held(), 2U);
  host().match_release(host().context, match);
  host().match_release(host().context, table);
  EXPECT_EQ(services_.matches_held(), 0U);
}

TEST_F(MatchServices, SayWhatIsWrongAndWhere) {
  EXPECT_EQ(compile(R"([{"dst":["10.0.0.0/33"]}])"), nullptr);
  EXPECT_EQ(error(), R"([0].dst[0]: "10.0.0.0/33": the prefix length is at most 32)");
  EXPECT_EQ(host().match_compile(host().context, lit("x"), nullptr), nullptr);
  EXPECT_EQ(host().match_compile(host().context, {}, &error_), nullptr);
  EXPECT_EQ(services_.matches_held(), 0U);
}

TEST_F(MatchServices, KnowTheFieldsThatFiltersAddWhenTheInstanceIsCreated) {
  EXPECT_EQ(compile(R"({"country":"DE"})"), nullptr);
  EXPECT_THAT(error(), HasSubstr("country: unknown key"));
  SharedServices with_country{.formats = formats_, .publish = {}, .fields = {.names = {"country"}, .any = false}};
  const InstanceServices other("sink.other", "other", with_country);
  with_country.fields = {};
  const nfbus_match* match = other.abi()->match_compile(other.abi()->context, lit(R"({"country":"DE"})"), &error_);
  EXPECT_NE(match, nullptr);
  other.abi()->match_release(other.abi()->context, match);
}

TEST_F(MatchServices, LookAtEachEventAnewAfterACall) {
  const nfbus_match* match = compile(R"({"topic":"alarm:*"})");
  Event event = {};
  event.kind = NFBUS_EVENT_MESSAGE;
  event.topic = lit("alarm:door");
  EXPECT_EQ(test(match, &event), 1U);
  services_.call_ended();
  event.topic = lit("door");  // another event in the same place
  EXPECT_EQ(test(match, &event), 0U);
  host().match_release(host().context, match);
}

TEST_F(MatchServices, LookAnewAtAnEventThatTookThePlaceOfAnother) {
  const nfbus_match* const door = compile(R"({"topic":"alarm:door"})");
  std::vector<std::vector<std::uint8_t>> records;
  for (const char* const topic : {"alarm:door", "alarm:roof"}) {
    const BatchRef batch = make_message(topic, "{}", 42, 1000);
    const nfbus_bytes record = host().record(host().context, batch->events().data());
    records.emplace_back(record.data, record.data + record.size);
  }
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const nfbus_event* const event = host().event_of(host().context, {records[i].data(), records[i].size()}, nullptr);
      ASSERT_NE(event, nullptr);
      EXPECT_EQ(test(door, event), i == 0 ? 1U : 0U);
      host().event_release(host().context, event);
    }
  }
  host().match_release(host().context, door);
}

class MatchWordsExtension : public MatchServices {
 protected:
  const nfbus_match_words& words() {
    return *static_cast<const nfbus_match_words*>(host().extension(host().context, lit(NFBUS_MATCH_WORDS)));
  }
  std::uint32_t table(std::string_view text) {
    error_ = {};
    error_.struct_size = sizeof error_;
    const auto take = [](void* taker, nfbus_text table) { *static_cast<std::string*>(taker) = view(table); };
    return words().table(words().context, lit(text), take, &table_, &error_);
  }
  std::uint32_t check(std::string_view tables) {
    error_ = {};
    error_.struct_size = sizeof error_;
    return words().check(words().context, lit(tables), &error_);
  }
  static std::string long_expression() {
    std::string out = "portrange 1-2";
    for (int i = 0; i < 60; ++i) out += " or portrange " + std::to_string(3 * i + 5) + '-' + std::to_string(3 * i + 6);
    return out;
  }

  std::string table_;
};

TEST_F(MatchWordsExtension, ReadsWhatPeopleType) {
  EXPECT_EQ(table(R"(port=53,80 !proto=udp prefix="a b")"), NFBUS_OK);
  const nfbus_match* const match = compile(table_);
  EXPECT_NE(match, nullptr) << table_;
  host().match_release(host().context, match);
  EXPECT_EQ(table("prot=udp"), NFBUS_REFUSED);
  EXPECT_THAT(error(), HasSubstr("column 1: prot: unknown key"));
  EXPECT_EQ(table("bpf='" + long_expression() + "'"), NFBUS_REFUSED);
  EXPECT_THAT(error(), HasSubstr("may have 64"));
}

TEST_F(MatchWordsExtension, ChecksWhatAStrangerAsksFor) {
  EXPECT_EQ(check(R"([{"dport":53},{"src":"10.0.0.0/8"}])"), NFBUS_OK);
  EXPECT_EQ(check(R"({"dport":"http"})"), NFBUS_REFUSED);
  EXPECT_EQ(check(R"({"bpf":")" + long_expression() + "\"}"), NFBUS_REFUSED);
  const nfbus_match* const match = compile(R"({"bpf":")" + long_expression() + "\"}");
  EXPECT_NE(match, nullptr) << "which a configuration may";
  host().match_release(host().context, match);
}

TEST_F(MatchWordsExtension, NamesTheKeys) {
  const SharedServices with_country{.formats = formats_, .publish = {}, .fields = {.names = {"country"}, .any = false}};
  const InstanceServices other("sink.other", "other", with_country);
  const auto* const extension =
      static_cast<const nfbus_match_words*>(other.abi()->extension(other.abi()->context, lit(NFBUS_MATCH_WORDS)));
  std::vector<std::string_view> keys;
  for (std::uint32_t i = 0; i < extension->key_count; ++i) keys.push_back(view(extension->keys[i]));
  EXPECT_THAT(keys, IsSupersetOf({"src", "tcp_flags", "bpf", "country"}));
}

TEST_F(MatchServices, TakeNullForNothing) {
  const BatchRef batch = make_message("alarm:door", "{}", 42, 1000);
  const nfbus_match* match = compile(R"({"topic":"*"})");
  EXPECT_EQ(test(nullptr, batch->events().data()), 0U);
  EXPECT_EQ(test(match, nullptr), 0U);
  host().match_release(host().context, nullptr);
  host().match_release(host().context, match);
  EXPECT_EQ(services_.matches_held(), 0U);
}

TEST_F(MatchServices, IgnoreTheReleaseOfAMatchThatIsNotHeld) {
  const InstanceServices other("sink.other", "other", shared_);
  const nfbus_match* match = compile(R"({"topic":"*"})");
  ::testing::internal::CaptureStderr();
  other.abi()->match_release(other.abi()->context, match);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("released a match that it does not hold: ignored"));
  EXPECT_EQ(services_.matches_held(), 1U);
  host().match_release(host().context, match);
}

TEST_F(MatchServices, FreeAndNameTheMatchesThatAnInstanceForgets) {
  ::testing::internal::CaptureStderr();
  {
    const InstanceServices forgetful("sink.leaky", "leaky", shared_);
    EXPECT_NE(forgetful.abi()->match_compile(forgetful.abi()->context, lit(R"({"topic":"*"})"), nullptr), nullptr);
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("sink.leaky: the plugin did not give back 1 matches: freed by the host"));
}

}  // namespace
}  // namespace nfbus::host::test
