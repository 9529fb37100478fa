// What DNS costs for each packet that carries it: decoding alone, as JSON, and only the names of the questions.
#include "carried_messages.hpp"

#include "decode/dns.hpp"
#include "formats/packet_dns.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace nfbus::host {
namespace {

using test::DnsMessage;
using test::Octets;

Octets query() { return DnsMessage(0x0100).question(test::dns_name("www.example.org")).octets(); }

// An alias and two addresses, as most answers are.
Octets response() {
  const Octets name = test::dns_name("www.example.org");
  return DnsMessage()
      .question(name)
      .answer(test::dns_pointer(DnsMessage::kFirstName), 5, test::dns_name("cdn.example.net"))
      .answer(test::dns_name("cdn.example.net"), 1, {192, 0, 2, 1})
      .answer(test::dns_name("cdn.example.net"), 1, {192, 0, 2, 2})
      .octets();
}

Octets addresses(std::size_t count) {
  DnsMessage message;
  message.question(test::dns_name("many.example.org"));
  while (count-- != 0) message.answer(test::dns_pointer(DnsMessage::kFirstName), 1, {192, 0, 2, 1});
  return message.octets();
}

std::string one_byte_labels() {
  std::string name = "a";
  for (int i = 1; i < 127; ++i) name += ".a";
  return name;
}

// As many long names as a decoder is ready to read, and then too many.
Octets bomb() {
  DnsMessage message;
  message.question(test::dns_name(one_byte_labels()));
  for (std::size_t i = 0; message.octets().size() + 14 <= 65000; ++i) {
    message.answer(test::dns_pointer(DnsMessage::kFirstName + 2 * (i % 2)), 5, test::dns_pointer(12));
  }
  return message.announce(1, 4000).octets();
}

void decode(benchmark::State& state, const Octets& message) {
  DnsDecoder decoder;
  for (auto _ : state) benchmark::DoNotOptimize(decoder.decode(message));
  state.SetItemsProcessed(state.iterations());
}

void render(benchmark::State& state, const Octets& message) {
  const test::CarriedEvent packet(message);
  TextBuffer out;
  for (auto _ : state) {
    out.clear();
    if (!append_dns(packet.event, false, out).empty()) state.SkipWithError("a broken message");
    benchmark::DoNotOptimize(out.view().data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

void questions(benchmark::State& state, const Octets& message) {
  const test::CarriedEvent packet(message);
  std::size_t bytes = 0;
  for (auto _ : state) {
    for_each_dns_question(packet.event, [&](std::string_view name, std::uint16_t /*type*/) {
      bytes += name.size();
      return true;
    });
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations());
}

// What every packet pays that is not DNS at all.
void no_dns(benchmark::State& state) {
  const test::CarriedEvent packet(query(), {.source_port = 40000, .destination_port = 443});
  TextBuffer out;
  for (auto _ : state) benchmark::DoNotOptimize(append_dns(packet.event, false, out).data());
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(no_dns);
BENCHMARK_CAPTURE(questions, query, query());
BENCHMARK_CAPTURE(decode, query, query());
BENCHMARK_CAPTURE(decode, response, response());
BENCHMARK_CAPTURE(decode, addresses_600, addresses(600));
BENCHMARK_CAPTURE(decode, bomb, bomb());
BENCHMARK_CAPTURE(render, query, query());
BENCHMARK_CAPTURE(render, response, response());
BENCHMARK_CAPTURE(render, addresses_600, addresses(600));

}  // namespace
}  // namespace nfbus::host
