// A library as its macro makes it.
#include <nfbus/filter.hpp>
#include <nfbus/sink.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace {

class Quiet {
 public:
  void write(nfbus::Events /*events*/) {}
};
class KeepsAll {
 public:
  void apply(nfbus::Candidates /*candidates*/) {}
};

// As the header of an extension would have them.
struct Trace {
  std::uint32_t struct_size;
  std::uint32_t level;
  int (*twice)(int number) noexcept;
};
int twice(int number) noexcept { return 2 * number; }
constexpr Trace kTrace{.struct_size = sizeof(Trace), .level = 7, .twice = &twice};
constexpr Trace kNewTrace{.struct_size = sizeof(Trace), .level = 8, .twice = &twice};

}  // namespace

NFBUS_LIBRARY(nfbus::sink<Quiet>("quiet"), nfbus::extension("example.org.trace/1", kTrace),
              nfbus::filter<KeepsAll>("all"), nfbus::extension("example.org.trace/2", kNewTrace))

namespace {

using nfbus::to_text;
using nfbus::to_view;

TEST(Library, BringsItsPluginsInTheirOrder) {
  std::vector<std::string_view> names;
  for (const nfbus_plugin* plugin : std::span(nfbus_library_v1.plugins, nfbus_library_v1.plugin_count)) {
    names.push_back(to_view(plugin->name));
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"quiet", "all"}));
}

TEST(Library, GivesEachExtensionByItsIdAndNoOther) {
  ASSERT_NE(nfbus_library_v1.extension, nullptr);
  EXPECT_EQ(nfbus_library_v1.extension(to_text("example.org.trace/1")), &kTrace);
  EXPECT_EQ(nfbus_library_v1.extension(to_text("example.org.trace/2")), &kNewTrace);
  for (const std::string_view other : {"", "example.org.trace", "example.org.trace/", "example.org.trace/11"}) {
    EXPECT_EQ(nfbus_library_v1.extension(to_text(other)), nullptr) << other;
  }
}

constexpr auto kPlainParts = nfbus::detail::library_parts(nfbus::sink<Quiet>("quiet"));

TEST(Library, HasNoFunctionForExtensionsWhereItHasNone) {
  EXPECT_EQ(nfbus::detail::extension_function<kPlainParts>(), nullptr);
}

TEST(Host, GivesAnExtensionAsItsStructOrNull) {
  nfbus::test::FakeHost fake;
  fake.extensions["example.org.trace/1"] = &kTrace;
  const nfbus::Host host(fake.raw());
  const Trace* const trace = host.extension<Trace>("example.org.trace/1");
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(trace->level, 7U);
  EXPECT_EQ(trace->twice(21), 42);
  EXPECT_EQ(host.extension<Trace>("example.org.trace/2"), nullptr);
}

}  // namespace
