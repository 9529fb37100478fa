#include <nfbus/filter.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <tuple>

namespace {

using testing::ElementsAre;
using testing::FieldsAre;

class Judge {
 public:
  void apply(nfbus::Candidates candidates) {
    for (const nfbus::Candidate candidate : candidates) {
      const std::string_view text = candidate.event().text();
      if (text == "throw") throw std::runtime_error("no verdict");
      if (text == "drop") candidate.drop();
      if (text == "note") candidate.annotate("size", "4");
      if (text != "types") continue;
      candidate.annotate("integer", -42);
      candidate.annotate("number", 1.5);
      candidate.annotate("boolean", true);
      const std::uint8_t address[] = {192, 0, 2, 1};
      candidate.annotate("address", nfbus::AddressText(address));
      candidate.annotate_json("json", R"({"a":1})");
    }
  }
};
class Listener {
 public:
  explicit Listener(nfbus::Host host, const nfbus::Options& /*options*/) { host.listen("dns:"); }
  void apply(nfbus::Candidates /*candidates*/) {}
  nfbus::Result<void> tick() {
    return nfbus::Error{.code = nfbus::Code::io, .text = std::to_string(heard_.size()) + " heard"};
  }
  void finish() { throw std::runtime_error("no end"); }
  void hear(nfbus::Events messages) {
    for (const nfbus::Event message : messages) heard_.emplace_back(message.text());
    messages.reject(0, "nobody takes this back");
    if (heard_.back() == "throw") throw std::runtime_error("not understood");
  }

 private:
  std::vector<std::string> heard_;
};
constexpr nfbus_text kAnnotates[] = {NFBUS_TEXT("RecentDomainSrc"), NFBUS_TEXT("RecentDomainDst")};
constexpr nfbus::Plugin kListenerPlugin =
    nfbus::filter<Listener>("listener", {.shape = {.tick_ms = 500}, .annotates = kAnnotates});
constexpr nfbus_plugin kListener = kListenerPlugin.raw();
constexpr nfbus::Plugin kJudgePlugin = nfbus::filter<Judge>("judge", {.summary = "judges"});
constexpr nfbus_plugin kJudge = kJudgePlugin.raw();

class FilterTest : public testing::Test {
 protected:
  FilterTest() { EXPECT_EQ(kJudge.filter->create(host_.raw(), options_.raw(), &instance_, &error_), NFBUS_OK); }
  ~FilterTest() override { kJudge.filter->destroy(instance_); }

  std::uint32_t apply(const std::vector<std::string>& texts) {
    const nfbus::test::Batch batch(texts);
    std::vector<const nfbus_event*> items = batch.items();
    verdicts_.assign(texts.size(), NFBUS_KEEP);
    nfbus_filter_call call{};
    call.struct_size = sizeof call;
    call.count = static_cast<std::uint32_t>(texts.size());
    call.items = items.data();
    call.verdicts = verdicts_.data();
    call.context = this;
    call.annotate = [](void* context, std::uint32_t index, const nfbus_field* field) -> std::uint32_t {
      static_cast<FilterTest*>(context)->notes_.emplace_back(index, nfbus::to_view(field->name),
                                                             nfbus::to_view(field->value), field->type);
      return NFBUS_OK;
    };
    return kJudge.filter->apply(instance_, &call, &error_);
  }

  nfbus::test::FakeHost host_;
  nfbus::test::FakeOptions options_{{}};
  nfbus_error error_{};
  void* instance_ = nullptr;
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::tuple<std::uint32_t, std::string, std::string, std::uint32_t>> notes_;
};

TEST_F(FilterTest, KeepsDropsAndAnnotates) {
  EXPECT_EQ(apply({"keep", "drop", "note"}), NFBUS_OK);
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_KEEP, NFBUS_DROP, NFBUS_KEEP));
  EXPECT_THAT(notes_, ElementsAre(FieldsAre(2U, "size", "4", NFBUS_VALUE_TEXT)));
}

TEST_F(FilterTest, AnnotatesValuesOfEachType) {
  EXPECT_EQ(apply({"types"}), NFBUS_OK);
  EXPECT_THAT(notes_, ElementsAre(FieldsAre(0U, "integer", "-42", NFBUS_VALUE_INTEGER),
                                  FieldsAre(0U, "number", "1.5", NFBUS_VALUE_NUMBER),
                                  FieldsAre(0U, "boolean", "true", NFBUS_VALUE_BOOLEAN),
                                  FieldsAre(0U, "address", "192.0.2.1", NFBUS_VALUE_ADDRESS),
                                  FieldsAre(0U, "json", R"({"a":1})", NFBUS_VALUE_JSON)));
}

TEST_F(FilterTest, AThrowIsAnErrorOfThisCallAlone) {
  EXPECT_EQ(apply({"throw"}), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error_.text, error_.size), "no verdict");
  EXPECT_EQ(apply({"drop"}), NFBUS_OK);
}

TEST(ListeningFilter, SaysInItsEntryWhatItWantsAndAdds) {
  EXPECT_EQ(kListener.shape->tick_ms, 500U);
  ASSERT_EQ(kListener.annotates_count, 2U);
  EXPECT_EQ(nfbus::to_view(kListener.annotates[1]), "RecentDomainDst");
  EXPECT_EQ(kJudge.filter->tick, nullptr);
  EXPECT_EQ(kJudge.filter->hear, nullptr);
  EXPECT_EQ(kJudge.filter->finish, nullptr);
  EXPECT_EQ(kJudge.annotates_count, 0U);
}

TEST(ListeningFilter, HearsTicksAndFinishesBehindTheBarrier) {
  nfbus::test::FakeHost host;
  const nfbus::test::FakeOptions options{{}};
  nfbus_error error{};
  void* instance = nullptr;
  ASSERT_EQ(kListener.filter->create(host.raw(), options.raw(), &instance, &error), NFBUS_OK);
  EXPECT_THAT(host.listened, ElementsAre("dns:"));
  const nfbus::test::Batch batch({"one", "throw"});
  nfbus_events messages{sizeof messages, 1, batch.items().data(), nullptr, 0};
  EXPECT_EQ(kListener.filter->hear(instance, &messages, &error), NFBUS_OK);
  messages.items = batch.items().data() + 1;
  EXPECT_EQ(kListener.filter->hear(instance, &messages, &error), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error.text, error.size), "not understood");
  error.size = 0;
  EXPECT_EQ(kListener.filter->tick(instance, &error), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error.text, error.size), "2 heard");
  error.size = 0;
  EXPECT_EQ(kListener.filter->finish(instance, &error), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error.text, error.size), "no end");
  kListener.filter->destroy(instance);
}

TEST(ListeningFilter, CannotBeMadeWhereTheHostLetsNobodyListen) {
  nfbus::test::FakeHost host;
  host.may_listen = false;
  const nfbus::test::FakeOptions options{{}};
  nfbus_error error{};
  void* instance = nullptr;
  EXPECT_EQ(kListener.filter->create(host.raw(), options.raw(), &instance, &error), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error.text, error.size), "only the constructor of a filter may listen to messages");
  EXPECT_EQ(instance, nullptr);
}

}  // namespace
