#include "capture/intake.hpp"

#include "check_event.hpp"
#include "messages_for_tests.hpp"
#include "packets.hpp"

#include <linux/rtnetlink.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <tuple>
#include <vector>

namespace nfbus::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

CaptureSpec capture(std::uint16_t group, Action action = Action::allowed, std::vector<std::string> prefixes = {}) {
  CaptureSpec spec;
  spec.config.group = group;
  spec.config.action = action;
  spec.config.prefixes = std::move(prefixes);
  return spec;
}

std::vector<CaptureSpec> only(CaptureSpec spec) {
  std::vector<CaptureSpec> specs;
  specs.push_back(std::move(spec));
  return specs;
}

// Drops the first event of each batch.
class DropFirst final : public CaptureFilters {
 public:
  std::size_t apply(Batch& batch, SlabWriter& /*writer*/) noexcept override {
    std::vector<std::uint8_t> verdicts(batch.events().size(), NFBUS_KEEP);
    verdicts.front() = NFBUS_DROP;
    batch.remove_dropped(verdicts);
    return 1;
  }
  [[nodiscard]] Clock::time_point next_tick() const noexcept override { return Clock::time_point::max(); }
  void tick(Clock::time_point /*now*/) noexcept override {}
  void finish() noexcept override {}
};

// Wants a tick each `every`; notes its calls for the test.
class Ticking final : public CaptureFilters {
 public:
  Ticking(Clock::duration every, std::vector<std::string>& calls) : every_(every), calls_(calls) {}
  std::size_t apply(Batch& /*batch*/, SlabWriter& /*writer*/) noexcept override { return 0; }
  [[nodiscard]] Clock::time_point next_tick() const noexcept override { return next_; }
  void tick(Clock::time_point now) noexcept override {
    calls_.emplace_back("tick");
    next_ = now + every_;
  }
  void finish() noexcept override { calls_.emplace_back("finish"); }

 private:
  const Clock::duration every_;
  std::vector<std::string>& calls_;
  Clock::time_point next_ = Clock::now() + every_;
};

class IntakeTest : public ::testing::Test {
 protected:
  void open(std::vector<CaptureSpec> captures, Intake::Losses losses = Intake::Losses::counted) {
    intake_.emplace(
        std::move(captures),
        SourceContext{.topics = topics_, .slabs = slabs_, .batches = batches_, .publish = {}, .publish_when_room = {}},
        [this](const BatchRef& batch) { published_.push_back(batch); }, losses, &names_);
  }

  ReadResult take(const DatagramBuilder& datagram, std::span<const Beside> beside = {}) {
    const auto& bytes = datagram.bytes();
    const SlabRef slab = intake_->reserve(bytes.size());
    const auto room = intake_->writer().room();
    std::memcpy(room.data(), bytes.data(), bytes.size());
    intake_->writer().commit(bytes.size());
    const Datagram one(room.data(), bytes.size());
    return intake_->take(slab, std::span(&one, 1), kNowNs, beside);
  }

  template <typename Read>
  auto each(Read read) const {
    std::vector<decltype(read(std::declval<const Event&>()))> values;
    for (const BatchRef& batch : published_) {
      for (const Event& event : batch->events()) values.push_back(read(event));
    }
    return values;
  }

  void set_name(std::uint16_t type, int index, const char* name) {
    ifinfomsg link{};
    link.ifi_index = index;
    std::string body(reinterpret_cast<const char*>(&link), sizeof link);
    const nlattr header{.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + std::strlen(name) + 1),
                        .nla_type = IFLA_IFNAME};
    body.append(reinterpret_cast<const char*>(&header), sizeof header).append(name, std::strlen(name) + 1);
    names_.apply(DatagramBuilder().message(type, body).bytes());
  }

  CaptureSnapshot counters() const { return intake_->snapshots().front(); }

  static constexpr std::int64_t kNowNs = 1'700'000'000'000'000'000;
  TopicTable topics_{"nft:"};
  SlabPool slabs_{kSlabBytes, 4};
  BatchPool batches_{4};
  InterfaceNames names_;
  std::vector<BatchRef> published_;
  std::optional<Intake> intake_;
};

TEST_F(IntakeTest, PublishesThePacketsOfADatagramAsOneBatch) {
  open(only(capture(7, Action::blocked)));
  const ReadResult taken = take(DatagramBuilder().packet({.group = 7}).packet({.group = 7, .prefix = "DROP:Input "}));
  EXPECT_EQ(taken.packets, 2U);
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.topic)); }),
              ElementsAre("nft:lan:in", "nft:drop:input"));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.prefix)); }), ElementsAre("lan:in ", "DROP:Input "));
  const Event& event = published_.front()->events().front();
  EXPECT_EQ(event.group, 7);
  EXPECT_EQ(event.action, NFBUS_ACTION_BLOCKED);
  EXPECT_EQ(event.destination_port, 9);
  EXPECT_EQ(counters().received, 2U);
  EXPECT_EQ(counters().published, 2U);
}

TEST_F(IntakeTest, UsesTheKernelsTimeAndElseTheTimeOfReceipt) {
  open(only(capture(0)));
  take(DatagramBuilder().packet({.timestamp = true}).packet({}));
  EXPECT_THAT(each([](const Event& e) { return e.time_ns; }), ElementsAre(kTimestampNs, kNowNs));
}

TEST_F(IntakeTest, AFilesTimesComeBeforeTheRecords) {
  open(only(capture(0)));
  const Beside beside[] = {{.time_ns = 11}, {.time_ns = 22}};
  take(DatagramBuilder().packet({.timestamp = true}).packet({}), beside);
  EXPECT_THAT(each([](const Event& e) { return e.time_ns; }), ElementsAre(11, 22));
}

TEST_F(IntakeTest, CountsGapsInTheSequenceExactlyFromTheFirstPacketOn) {
  open(only(capture(0)));
  take(DatagramBuilder().packet({.sequence = 3}).packet({.sequence = 4}).packet({.sequence = 10}));
  EXPECT_THAT(each([](const Event& e) { return e.lost_before; }), ElementsAre(3U, 0U, 5U));
  EXPECT_EQ(counters().lost, 8U);
  EXPECT_EQ(counters().enobufs, 2U);
  EXPECT_EQ(counters().received, 3U);
}

TEST_F(IntakeTest, FollowsTheSequenceOfEachGroupOnItsOwn) {
  std::vector<CaptureSpec> captures;
  captures.push_back(capture(1));
  captures.push_back(capture(2));
  open(std::move(captures));
  take(DatagramBuilder().packet({.group = 1, .sequence = 0}).packet({.group = 1, .sequence = 1}));
  take(DatagramBuilder().packet({.group = 2, .sequence = 0}));
  take(DatagramBuilder().packet({.group = 1, .sequence = 4}));
  const auto rows = intake_->snapshots();
  EXPECT_EQ(rows[0].lost, 2U);
  EXPECT_EQ(rows[1].lost, 0U);
}

TEST_F(IntakeTest, AFilesGapsAreNoLosses) {
  open(only(capture(0)), Intake::Losses::ignored);
  take(DatagramBuilder().packet({.sequence = 100}).packet({.sequence = 200}));
  EXPECT_EQ(counters().lost, 0U);
}

TEST_F(IntakeTest, HoldsBackPacketsWhosePrefixIsNotToBeForwarded) {
  open(only(capture(0, Action::allowed, {"lan:"})));
  take(DatagramBuilder()
           .packet({.prefix = "LAN:in ", .sequence = 0})
           .packet({.prefix = "wan:in ", .sequence = 2})
           .packet({.prefix = " lan:out", .sequence = 3})
           .packet({.prefix = "", .sequence = 4}));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.topic)); }),
              ElementsAre("nft:lan:in", "nft:lan:out"));
  EXPECT_EQ(counters().received, 4U);
  EXPECT_EQ(counters().published, 2U);
  EXPECT_EQ(counters().not_forwarded, 2U);
  // What was lost before a held packet is accounted with the next one that goes out.
  EXPECT_THAT(each([](const Event& e) { return e.lost_before; }), ElementsAre(0U, 1U));
}

TEST_F(IntakeTest, PublishesNothingWhenNothingIsForwarded) {
  open(only(capture(0, Action::allowed, {"lan:"})));
  take(DatagramBuilder().packet({.prefix = "wan:in "}));
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(IntakeTest, JudgesEachPrefixOnItsOwnWhenTheTopicTableIsFull) {
  for (std::size_t i = 0; i <= TopicTable::kMaxTopics; ++i) static_cast<void>(topics_.intern(std::to_string(i)));
  open(only(capture(0, Action::allowed, {"lan:"})));
  take(DatagramBuilder().packet({.prefix = "wan:new "}).packet({.prefix = "lan:new "}).packet({.prefix = "wan:new "}));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.prefix)); }), ElementsAre("lan:new "));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.topic)); }), ElementsAre("nft:"));
}

TEST_F(IntakeTest, CountsWhatTheCapturesOwnFiltersDrop) {
  CaptureSpec spec = capture(0);
  spec.filters = std::make_unique<DropFirst>();
  open(only(std::move(spec)));
  take(DatagramBuilder().packet({.sequence = 0}).packet({.sequence = 1}));
  take(DatagramBuilder().packet({.sequence = 2}));
  EXPECT_THAT(each([](const Event& e) { return e.sequence; }), ElementsAre(1U));
  EXPECT_EQ(counters().received, 3U);
  EXPECT_EQ(counters().filtered, 2U);
  EXPECT_EQ(counters().published, 1U);
}

TEST_F(IntakeTest, WaitsNoLongerThanUntilAFiltersNextTick) {
  std::vector<std::string> calls;
  std::vector<CaptureSpec> specs;
  specs.push_back(capture(0));
  specs.back().filters = std::make_unique<Ticking>(std::chrono::hours(1), calls);
  specs.push_back(capture(1));
  specs.back().filters = std::make_unique<DropFirst>();
  specs.push_back(capture(2));
  specs.back().filters = std::make_unique<Ticking>(std::chrono::minutes(1), calls);
  open(std::move(specs));
  EXPECT_EQ(intake_->wait_ms(20), 20);
  EXPECT_GT(intake_->wait_ms(-1), 30'000);
  EXPECT_LE(intake_->wait_ms(-1), 60'000);
  intake_->tick_filters();
  EXPECT_THAT(calls, IsEmpty());
  intake_->finish();
  EXPECT_THAT(calls, ElementsAre("finish", "finish"));
}

TEST_F(IntakeTest, TicksAFilterThatIsDueAndNoOther) {
  std::vector<std::string> calls;
  std::vector<std::string> others_calls;
  std::vector<CaptureSpec> specs;
  specs.push_back(capture(0));
  specs.back().filters = std::make_unique<Ticking>(std::chrono::hours(-1), calls);
  specs.push_back(capture(1));
  specs.back().filters = std::make_unique<Ticking>(std::chrono::hours(1), others_calls);
  open(std::move(specs));
  EXPECT_EQ(intake_->wait_ms(-1), 0);
  intake_->tick_filters();
  EXPECT_THAT(calls, ElementsAre("tick"));
  EXPECT_THAT(others_calls, IsEmpty());
}

TEST_F(IntakeTest, WaitsAsToldWhereNoFilterWantsTicks) {
  CaptureSpec spec = capture(0);
  spec.filters = std::make_unique<DropFirst>();
  open(only(std::move(spec)));
  EXPECT_EQ(intake_->wait_ms(-1), -1);
}

TEST_F(IntakeTest, NamesInterfacesAndFollowsRenamesWithoutChangingOlderEvents) {
  open(only(capture(0)));
  set_name(RTM_NEWLINK, 3, "eth0");
  set_name(RTM_NEWLINK, 67, "wlan0");  // shares a slot of the recent ones with 3
  take(DatagramBuilder().packet({.in_index = 3, .out_index = 67}).packet({.in_index = 3}));
  set_name(RTM_NEWLINK, 3, "lan");
  take(DatagramBuilder().packet({.in_index = 3}));
  take(DatagramBuilder().packet({.in_index = 4}));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.in_name)); }),
              ElementsAre("eth0", "eth0", "lan", ""));
  const Batch& first = *published_.front();
  EXPECT_EQ(view(first.events()[0].out_name), "wlan0");
  EXPECT_EQ(first.events()[0].in_name.data, first.events()[1].in_name.data) << "one copy of a name in a batch";
}

TEST_F(IntakeTest, NamesAnInterfaceThatWentAwayBeforeItsLastPacketsCame) {
  open(only(capture(0)));
  set_name(RTM_NEWLINK, 3, "ppp0");
  set_name(RTM_DELLINK, 3, "ppp0");
  take(DatagramBuilder().packet({.in_index = 3}));
  set_name(RTM_NEWLINK, 3, "ppp1");  // the number was asked for again
  take(DatagramBuilder().packet({.in_index = 3}));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.in_name)); }), ElementsAre("ppp0", "ppp1"));
}

TEST_F(IntakeTest, RemembersTheLatestOfTheInterfacesThatWentAway) {
  constexpr int kMany = 10'000;
  open(only(capture(0)));
  set_name(RTM_NEWLINK, 1, "stays");
  set_name(RTM_NEWLINK, 2, "back");
  set_name(RTM_DELLINK, 2, "back");
  set_name(RTM_NEWLINK, 2, "back");
  for (int index = 3; index <= kMany; ++index) {
    set_name(RTM_NEWLINK, index, "veth");
    set_name(RTM_DELLINK, index, "veth");
  }
  take(DatagramBuilder()
           .packet({.in_index = 1})
           .packet({.in_index = 2})
           .packet({.in_index = 3})
           .packet({.in_index = kMany - 4000})
           .packet({.in_index = kMany}));
  EXPECT_THAT(each([](const Event& e) { return std::string(view(e.in_name)); }),
              ElementsAre("stays", "back", "", "veth", "veth"));
}

TEST_F(IntakeTest, NamesThePortsOfABridge) {
  open(only(capture(0)));
  set_name(RTM_NEWLINK, 3, "br0");
  set_name(RTM_NEWLINK, 4, "port1");
  set_name(RTM_NEWLINK, 5, "port2");
  take(DatagramBuilder()
           .packet({.in_index = 3, .out_index = 3, .phys_in_index = 4, .phys_out_index = 5})
           .packet({.in_index = 3}));
  EXPECT_THAT(each([](const Event& e) {
                return std::string(view(port_in_name(e))) + '>' + std::string(view(port_out_name(e)));
              }),
              ElementsAre("port1>port2", ">"));
}

// As `table netdev` egress logs a packet: the kernel's payload begins with the Ethernet header.
TEST_F(IntakeTest, APacketThatLeavesADeviceIsLikeOneThatComesIn) {
  open(only(capture(0)));
  for (const char* name : {"plain", "tag_beside", "tag_in_frame", "tun", "cut_in_header"}) {
    const std::vector<std::uint8_t> record =
        test::read_packet(std::string(NFBUS_TEST_DATA "/egress/") + name + ".hex").record;
    take(DatagramBuilder().message(kPacketMessage, {reinterpret_cast<const char*>(record.data()), record.size()}));
  }
  constexpr std::uint32_t kPlain = NFBUS_LAYER_ETHERNET | NFBUS_LAYER_IPV4 | NFBUS_LAYER_UDP;
  EXPECT_THAT(each([](const Event& e) { return e.layers; }),
              ElementsAre(kPlain, kPlain | NFBUS_LAYER_VLAN, kPlain | NFBUS_LAYER_VLAN,
                          NFBUS_LAYER_IPV4 | NFBUS_LAYER_UDP, NFBUS_LAYER_ETHERNET));
  EXPECT_THAT(each([](const Event& e) { return e.vlan_tci; }), ElementsAre(0, 100, 7, 0, 0));
  EXPECT_THAT(each([](const Event& e) { return e.ether_type; }), ElementsAre(0x800, 0x800, 0x800, 0x800, 0x800));
  EXPECT_THAT(each([](const Event& e) { return e.hw_header.size; }), ElementsAre(14U, 14U, 18U, 0U, 14U));
  EXPECT_THAT(each([](const Event& e) { return e.payload.size; }), ElementsAre(38U, 38U, 38U, 38U, 0U));
  EXPECT_THAT(each([](const Event& e) { return e.mark; }), ElementsAre(0U, 0U, 9U, 0U, 0U)) << "behind the payload";
  // Whoever reads the record again finds the same.
  const auto again = each([](const Event& e) {
    const Event read = test::decode_record({e.record.data, e.record.size});
    return std::tuple(read.layers, read.payload.size, read.hw_header.size, read.vlan_tci);
  });
  EXPECT_EQ(again,
            each([](const Event& e) { return std::tuple(e.layers, e.payload.size, e.hw_header.size, e.vlan_tci); }));
}

TEST_F(IntakeTest, KeepsWhatCameBeforeACutMessage) {
  open(only(capture(0)));
  const ReadResult taken = take(DatagramBuilder().packet({.sequence = 0}).packet({.sequence = 1}).cut(8));
  EXPECT_EQ(taken.packets, 1U);
  EXPECT_EQ(taken.broken, 1U);
  EXPECT_THAT(each([](const Event& e) { return e.sequence; }), ElementsAre(0U));
}

TEST_F(IntakeTest, ARecordTooShortToReadIsStillAnEvent) {
  open(only(capture(5)));
  take(DatagramBuilder().message(kPacketMessage, "xy"));
  ASSERT_EQ(published_.size(), 1U);
  const Event& event = published_.front()->events().front();
  EXPECT_NE(event.decode_error.size, 0U);
  EXPECT_EQ(counters().decode_errors, 1U);
  EXPECT_EQ(counters().published, 1U);
}

TEST_F(IntakeTest, PassesOverOtherMessagesAndTellsOfTheKernelsAnswers) {
  open(only(capture(0)));
  const int refusal = -1;
  const ReadResult taken = take(DatagramBuilder()
                                    .packet({})
                                    .message(NLMSG_DONE, "1234")
                                    .message(NLMSG_ERROR, {reinterpret_cast<const char*>(&refusal), sizeof refusal}));
  EXPECT_EQ(taken.packets, 1U);
  EXPECT_EQ(taken.answers, 1U);
  EXPECT_EQ(taken.last_answer, -1);
}

TEST_F(IntakeTest, SplitsWhatIsTooMuchForOneBatch) {
  open(only(capture(0)));
  DatagramBuilder datagram;
  for (std::uint32_t i = 0; i < 5000; ++i) datagram.packet({.prefix = "", .sequence = i});
  EXPECT_EQ(take(datagram).packets, 5000U);
  EXPECT_GT(published_.size(), 1U);
  const auto sequences = each([](const Event& e) { return e.sequence; });
  ASSERT_EQ(sequences.size(), 5000U);
  for (std::uint32_t i = 0; i < 5000; ++i) ASSERT_EQ(sequences[i], i);
  EXPECT_EQ(counters().lost, 0U);
}

TEST(SequenceTracker, WrapsWithoutLoss) {
  SequenceTracker tracker;
  EXPECT_EQ(tracker.gap_before(0x7fffffff), 0x7fffffffU);
  EXPECT_EQ(tracker.gap_before(0xfffffffe), 0x7ffffffeU);
  EXPECT_EQ(tracker.gap_before(0xffffffff), 0U);
  EXPECT_EQ(tracker.gap_before(0), 0U);
  EXPECT_EQ(tracker.gap_before(2), 1U);
}

TEST(SequenceTracker, StartsAnewWhenNumbersGoBack) {
  SequenceTracker tracker;
  EXPECT_EQ(tracker.gap_before(1000), 1000U);
  EXPECT_EQ(tracker.gap_before(0), 0U);
  EXPECT_EQ(tracker.gap_before(1), 0U);
}

}  // namespace
}  // namespace nfbus::host
