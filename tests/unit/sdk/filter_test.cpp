#include <nfbus/filter.hpp>
//
#include "fake_host.hpp"

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
    }
  }
};
constexpr nfbus_entry kJudge = nfbus::detail::filter_entry<Judge>("judge", {.summary = "judges"});

class FilterTest : public testing::Test {
 protected:
  FilterTest() { EXPECT_EQ(kJudge.filter->create(host_.raw(), options_.raw(), &instance_, &error_), NFBUS_OK); }
  ~FilterTest() override { kJudge.filter->destroy(instance_); }

  std::uint32_t apply(const std::vector<std::string>& texts) {
    const nfbus::test::Batch batch(texts);
    verdicts_.assign(texts.size(), NFBUS_KEEP);
    nfbus_filter_call call{};
    call.struct_size = sizeof call;
    call.count = static_cast<std::uint32_t>(texts.size());
    call.items = batch.items().data();
    call.verdicts = verdicts_.data();
    call.context = this;
    call.annotate = [](void* context, std::uint32_t index, nfbus_text name, nfbus_text value) {
      static_cast<FilterTest*>(context)->notes_.emplace_back(index, nfbus::to_view(name), nfbus::to_view(value));
    };
    return kJudge.filter->apply(instance_, &call, &error_);
  }

  nfbus::test::FakeHost host_;
  nfbus::test::FakeOptions options_{{}};
  nfbus_error error_{};
  void* instance_ = nullptr;
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::tuple<std::uint32_t, std::string, std::string>> notes_;
};

TEST_F(FilterTest, KeepsDropsAndAnnotates) {
  EXPECT_EQ(apply({"keep", "drop", "note"}), NFBUS_OK);
  EXPECT_THAT(verdicts_, ElementsAre(NFBUS_KEEP, NFBUS_DROP, NFBUS_KEEP));
  EXPECT_THAT(notes_, ElementsAre(FieldsAre(2U, "size", "4")));
}

TEST_F(FilterTest, AThrowIsAnErrorOfThisCallAlone) {
  EXPECT_EQ(apply({"throw"}), NFBUS_FATAL);
  EXPECT_EQ(std::string_view(error_.text, error_.size), "no verdict");
  EXPECT_EQ(apply({"drop"}), NFBUS_OK);
}

}  // namespace
