#include "formats/renderer.hpp"

#include "make_events.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

// Two instances use each format, so that texts are shared through the batch's cache.
class SharedTexts : public ::testing::Test {
 protected:
  SharedTexts() {
    for (const char* name : {"ulogd", "packet"}) {
      uses_.emplace_back(formats_, formats_.find(name));
      uses_.emplace_back(formats_, formats_.find(name));
    }
  }

  // One event whose capture filters added these fields.
  BatchRef batch_with(std::span<const nfbus_field> fields) {
    const BatchRef batch = events_.batches().take();
    batch->reserve_events(events_.writer(), 1);
    Event& event = batch->add_event();
    event.kind = NFBUS_EVENT_PACKET;
    event.prefix = NFBUS_TEXT("lan:in ");
    event.fields = fields.data();
    event.field_count = static_cast<std::uint32_t>(fields.size());
    batch->freeze();
    return batch;
  }

  // The event as a sink's filters see it, with these fields instead.
  static Event overlay(const BatchRef& batch, std::span<const nfbus_field> fields) {
    Event event = batch->events()[0];
    event.fields = fields.data();
    event.field_count = static_cast<std::uint32_t>(fields.size());
    return event;
  }

  nlohmann::json text_of(const Event& event, const char* format = "packet") {
    return nlohmann::json::parse(renderer_.render(event, formats_.find(format)));
  }

  test::Events events_;
  FormatSet formats_{"spr"};
  std::vector<FormatUse> uses_;
  Renderer renderer_{formats_};
};

constexpr nfbus_field kSource{NFBUS_TEXT("RecentDomainSrc"), NFBUS_TEXT("source.example"), NFBUS_VALUE_TEXT, 0};
constexpr nfbus_field kOtherSource{NFBUS_TEXT("RecentDomainSrc"), NFBUS_TEXT("other.example"), NFBUS_VALUE_TEXT, 0};
constexpr nfbus_field kRule{NFBUS_TEXT("rule"), NFBUS_TEXT("7"), NFBUS_VALUE_TEXT, 0};

TEST_F(SharedTexts, HaveTheDomainThatTheCaptureFoundAndEachSinksOwnFields) {
  const std::array at_capture{kSource};
  const BatchRef batch = batch_with(at_capture);
  const std::array in_sink{kSource, kRule};
  for (int round = 0; round < 2; ++round) {  // made, then found in the cache
    const nlohmann::json plain = text_of(batch->events()[0]);
    EXPECT_EQ(plain["RecentDomainSrc"], "source.example");
    EXPECT_FALSE(plain.contains("Fields"));
    const nlohmann::json changed = text_of(overlay(batch, in_sink));
    EXPECT_EQ(changed["RecentDomainSrc"], "source.example");
    EXPECT_EQ(changed["Fields"], (nlohmann::json{{"rule", "7"}}));
  }
}

TEST_F(SharedTexts, LeaveTheDomainOfOneSinkToItAlone) {
  const BatchRef batch = batch_with({});
  const std::array in_sink{kSource};
  EXPECT_EQ(text_of(overlay(batch, in_sink))["RecentDomainSrc"], "source.example");
  EXPECT_FALSE(text_of(batch->events()[0]).contains("RecentDomainSrc"));
  EXPECT_EQ(text_of(overlay(batch, in_sink))["RecentDomainSrc"], "source.example")
      << "others' text is in the cache now";
}

TEST_F(SharedTexts, HaveADomainThatASinksFilterChangedInThatSinkOnly) {
  const std::array at_capture{kSource};
  const BatchRef batch = batch_with(at_capture);
  const std::array in_sink{kOtherSource, kRule};
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(text_of(overlay(batch, in_sink))["RecentDomainSrc"], "other.example");
    EXPECT_EQ(text_of(batch->events()[0])["RecentDomainSrc"], "source.example");
  }
}

TEST_F(SharedTexts, ShowDomainsAsFieldsWhereTheFormatHasNoPlaceForThem) {
  const std::array at_capture{kSource};
  const BatchRef batch = batch_with(at_capture);
  EXPECT_EQ(text_of(batch->events()[0], "ulogd")["Fields"]["RecentDomainSrc"], "source.example");
  const std::array in_sink{kOtherSource};
  EXPECT_EQ(text_of(overlay(batch, in_sink), "ulogd")["Fields"]["RecentDomainSrc"], "other.example");
}

}  // namespace
}  // namespace nfbus::host
