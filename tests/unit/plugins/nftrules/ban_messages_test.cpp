// Messages that ban: how many requests they are, and what becomes of each.
#include "ban_messages.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BanSettings settings_with(bool accept_messages) {
  BanSettings out;
  out.accept_messages = accept_messages;
  for (const char* name : {"bad", "worse"}) {
    BanSet set;
    set.name = name;
    set.ttl_s = 600;
    out.sets.push_back(set);
  }
  return out;
}

// A part that bans all but 127.0.0.1, and the sink's half that asks it.
class BanMessagesTest : public testing::Test {
 protected:
  BanMessagesTest() {
    host.privileged_part = [this](std::string_view request) -> Result<std::string> {
      if (part_is_gone) return Error{Code::io, "the part has ended"};
      asked.push_back(json::parse(request));
      json changes = json::array();
      for (const json& item : asked.back().at("items")) {
        const bool is_refused = item.at("address") == "127.0.0.1";
        changes.push_back({{"set", item.at("set")},
                           {"address", item.at("address")},
                           {"ttl_s", item.value("ttl_s", 600)},
                           {"reason", is_refused ? "it is loopback" : ""},
                           {"change", is_refused ? "refused" : "added"}});
      }
      return json{{"changes", std::move(changes)}}.dump();
    };
  }

  // The outcome of each, in their order; 0: none was said.
  std::vector<std::uint32_t> write(const std::vector<std::pair<std::string, std::string>>& messages,
                                   bool accept = true) {
    settings = settings_with(accept);
    BanMessages bans(nfbus::Host(host.raw()), settings);
    std::vector<std::string> texts;
    for (const auto& [topic, text] : messages) texts.push_back(text);
    nfbus::test::Batch batch(texts);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      batch.event(i).kind = NFBUS_EVENT_MESSAGE;
      batch.event(i).topic = nfbus::to_text(messages[i].first);
    }
    const nfbus_events events{sizeof events, static_cast<std::uint32_t>(messages.size()), batch.items().data(), nullptr,
                              0};
    struct Said {
      std::vector<std::uint32_t> outcomes;
      std::vector<std::string> reasons;
      std::uint32_t time_left_ms;
    } said{std::vector<std::uint32_t>(messages.size()), {}, time_left_ms};
    nfbus_report report{};
    report.struct_size = sizeof report;
    report.context = &said;
    report.outcome = [](void* context, std::uint32_t first, std::uint32_t count, std::uint32_t outcome,
                        nfbus_text reason) {
      auto& out = *static_cast<Said*>(context);
      for (std::uint32_t i = first; i < first + count; ++i) out.outcomes.at(i) = outcome;
      if (outcome == NFBUS_REJECTED) out.reasons.emplace_back(nfbus::to_view(reason));
    };
    report.time_left_ms = [](void* context) { return static_cast<Said*>(context)->time_left_ms; };
    const nfbus::Delivery delivery = bans.write(nfbus::Events(&events, &report));
    EXPECT_EQ(delivery.status, NFBUS_OK);
    last_reason = delivery.reason;
    rejections = said.reasons;
    return said.outcomes;
  }

  nfbus::test::FakeHost host;
  BanSettings settings;
  std::vector<json> asked;
  std::vector<std::string> rejections;
  std::string last_reason;
  std::uint32_t time_left_ms = 30'000;
  bool part_is_gone = false;
};

TEST_F(BanMessagesTest, AsksOnceForAllOfABatch) {
  EXPECT_THAT(write({{"ban:", R"({"address":"192.0.2.1","ttl_s":60,"reason":"loud"})"},
                     {"ban:worse", R"({"address":"192.0.2.2"})"}}),
              Each(NFBUS_DELIVERED));
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].at("do"), "ban_many");
  EXPECT_EQ(asked[0].at("items"), json::parse(R"([{"set":"bad","address":"192.0.2.1","ttl_s":60,"reason":"loud"},
                            {"set":"worse","address":"192.0.2.2","reason":""}])"));
  ASSERT_EQ(host.published.size(), 2U);
  EXPECT_EQ(host.published[0].first, "nftban:bad");
  EXPECT_EQ(json::parse(host.published[0].second),
            json::parse(R"({"address":"192.0.2.1","ttl_s":60,"reason":"","change":"added"})"));
  EXPECT_EQ(host.published[1].first, "nftban:worse");
}

TEST_F(BanMessagesTest, OneAddressIsOneItemForTheLongestTime) {
  EXPECT_THAT(write({{"ban:", R"({"address":"192.0.2.1","ttl_s":60})"},
                     {"ban:", R"({"address":"192.0.2.1","ttl_s":90})"},
                     {"ban:", R"({"address":"192.0.2.1","ttl_s":30})"},
                     {"ban:worse", R"({"address":"192.0.2.1"})"},
                     {"ban:worse", R"({"address":"192.0.2.1","ttl_s":30})"}}),
              Each(NFBUS_DELIVERED));
  ASSERT_EQ(asked.size(), 1U);
  const json& items = asked[0].at("items");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].at("ttl_s"), 90);
  EXPECT_FALSE(items[1].contains("ttl_s")) << "the set's own, which is the longest";
  EXPECT_EQ(host.published.size(), 2U);
}

TEST_F(BanMessagesTest, ManyAreSomeRequestsOfAtMostFiveHundredWithTimeBetweenThem) {
  std::vector<std::pair<std::string, std::string>> messages;
  for (int i = 0; i < 1001; ++i) {
    messages.emplace_back("ban:",
                          R"({"address":"10.0.)" + std::to_string(i / 250) + '.' + std::to_string(i % 250) + "\"}");
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(write(messages), Each(NFBUS_DELIVERED));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].at("items").size(), 500U);
  EXPECT_EQ(asked[2].at("items").size(), 1U);
}

TEST_F(BanMessagesTest, WhatItHasNoTimeForComesAgain) {
  time_left_ms = 0;
  std::vector<std::pair<std::string, std::string>> messages;
  for (int i = 0; i < 502; ++i)
    messages.emplace_back("ban:", R"({"address":"2001:db8:)" + std::to_string(i) + "::1\"}");
  const auto outcomes = write(messages);
  EXPECT_EQ(asked.size(), 1U);
  EXPECT_EQ(std::ranges::count(outcomes, NFBUS_DELIVERED), 500);
  EXPECT_EQ(outcomes[500], NFBUS_AGAIN);
  EXPECT_EQ(outcomes[501], NFBUS_AGAIN);
}

TEST_F(BanMessagesTest, WhatThePartDoesNotAnswerComesAgain) {
  part_is_gone = true;
  EXPECT_THAT(write({{"ban:", R"({"address":"192.0.2.1"})"}, {"ban:", "broken"}}),
              ElementsAre(NFBUS_AGAIN, NFBUS_REJECTED));
  EXPECT_EQ(last_reason, "the part has ended");
  EXPECT_THAT(host.published, IsEmpty());
}

TEST_F(BanMessagesTest, WhatIsRefusedIsRejectedAndPublished) {
  EXPECT_THAT(write({{"ban:", R"({"address":"127.0.0.1"})"}, {"ban:", R"({"address":"192.0.2.1"})"}}),
              ElementsAre(NFBUS_REJECTED, NFBUS_DELIVERED));
  EXPECT_THAT(rejections, ElementsAre("127.0.0.1: it is loopback"));
  ASSERT_EQ(host.published.size(), 2U);
  EXPECT_THAT(host.published[0].second, HasSubstr(R"("change":"refused")"));
}

TEST_F(BanMessagesTest, NothingIsAskedUnlessMessagesAreAccepted) {
  EXPECT_THAT(write({{"ban:", R"({"address":"192.0.2.1"})"}}, false), ElementsAre(NFBUS_REJECTED));
  EXPECT_THAT(rejections, ElementsAre(HasSubstr("accept_messages = true")));
  EXPECT_THAT(asked, IsEmpty());
  EXPECT_THAT(host.published, IsEmpty());
}

TEST_F(BanMessagesTest, OtherTopicsBanNobody) {
  EXPECT_THAT(write({{"other:", R"({"address":"192.0.2.1"})"}, {"ban", R"({"address":"192.0.2.1"})"}}),
              Each(NFBUS_REJECTED));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(BanMessagesTest, WithoutAPartTheyAreRejected) {
  host.privileged_part = nullptr;
  EXPECT_THAT(write({{"ban:", R"({"address":"192.0.2.1"})"}}), ElementsAre(NFBUS_REJECTED));
}

}  // namespace
}  // namespace nftrules
