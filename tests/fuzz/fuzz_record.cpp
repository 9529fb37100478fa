// Any bytes as an event record: what decodes is sound and gives the same bytes again. And any event that can be made of
// them: it comes back as it was.
#include "check_event.hpp"
#include "must.hpp"

#include "record/record.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nfbus::fuzz::must;
using namespace nfbus::host;

bool lies_in(const void* data, std::size_t size, Bytes bytes) {
  const auto* begin = static_cast<const std::uint8_t*>(data);
  return size == 0 || (begin >= bytes.data() && begin + size <= bytes.data() + bytes.size());
}
bool lies_in(nfbus_text text, Bytes bytes) { return lies_in(text.data, text.size, bytes); }

void check_decoded(const Event& event, Bytes bytes) {
  must(lies_in(event.topic, bytes) && lies_in(event.in_name, bytes) && lies_in(event.out_name, bytes) &&
           lies_in(event.payload.data, event.payload.size, bytes),
       "the event lies in its bytes");
  for (const nfbus_field& field : std::span(event.fields, event.field_count)) {
    must(lies_in(field.name, bytes) && lies_in(field.value, bytes), "fields lie in their bytes");
  }
  if (event.kind == NFBUS_EVENT_PACKET) must(nfbus::test::broken_promise(event) == nullptr, "a packet is sound");
  nfbus::test::read_everything(event);
}

void check_bytes(Bytes bytes) {
  Event event{};
  std::vector<nfbus_field> fields;
  nfbus_ports ports{};
  const auto decoded = record::decode(bytes, event, fields, ports);
  must(fields.capacity() <= bytes.size(), "no more memory is taken than there may be fields");
  must(decoded || !decoded.error().text.empty(), "what is refused has a reason");
  must(decoded || event.struct_size == 0, "a failure leaves the event as it was");
  if (!decoded) return;
  check_decoded(event, bytes);
  std::vector<std::uint8_t> again;
  must(record::encode(event, again).ok() && std::ranges::equal(again, bytes), "the same bytes come of it");
}

bool same(const Event& a, const Event& b) {
  const auto same_fields = std::ranges::equal(std::span(a.fields, a.field_count), std::span(b.fields, b.field_count),
                                              [](const nfbus_field& left, const nfbus_field& right) {
                                                return view(left.name) == view(right.name) &&
                                                       view(left.value) == view(right.value) && left.type == right.type;
                                              });
  const bool packet = a.kind == NFBUS_EVENT_PACKET;
  const auto body = [&](const Event& event) { return packet ? to_bytes(event.record) : to_bytes(event.payload); };
  return same_fields && a.kind == b.kind && a.time_ns == b.time_ns && view(a.topic) == view(b.topic) &&
         std::ranges::equal(body(a), body(b)) && a.present == b.present && a.uid == b.uid && a.action == b.action &&
         a.group == b.group && a.lost_before == b.lost_before && view(a.in_name) == view(b.in_name) &&
         view(a.out_name) == view(b.out_name) && view(port_in_name(a)) == view(port_in_name(b)) &&
         view(port_out_name(a)) == view(port_out_name(b)) && a.layers == b.layers && view(a.prefix) == view(b.prefix);
}

void check_made(FuzzedDataProvider given) {
  constexpr std::size_t kMost = 64;
  const auto some_text = [&] { return given.ConsumeRandomLengthString(kMost); };
  const bool packet = given.ConsumeBool();
  const auto time_ns = given.ConsumeIntegral<std::int64_t>();
  const auto number = given.ConsumeIntegral<std::uint32_t>();
  const bool has_uid = given.ConsumeBool();
  const std::string topic = some_text();
  const std::string in_name = some_text();
  const std::string out_name = some_text();
  const std::string port_name = some_text();
  std::vector<std::string> texts(2UL * given.ConsumeIntegralInRange(0U, 4U));
  std::ranges::generate(texts, some_text);
  std::vector<nfbus_field> fields(texts.size() / 2);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    fields[i].name = text(texts[2 * i]);
    fields[i].value = text(texts[2 * i + 1]);
    fields[i].type = i % 2 == 0 ? NFBUS_VALUE_TEXT : NFBUS_VALUE_JSON;
  }
  const auto body = given.ConsumeRemainingBytes<std::uint8_t>();

  const nfbus_ports ports{.struct_size = sizeof ports, .reserved = 0, .in_name = text(port_name), .out_name = {}};
  Event event{};
  if (packet) {
    event = nfbus::test::decode_record(body);
    event.action = static_cast<std::uint8_t>(number % 3);
    event.group = static_cast<std::uint16_t>(number);
    event.lost_before = number;
    event.in_name = text(in_name);
    event.out_name = text(out_name);
    event.ports = &ports;
  } else {
    event.kind = NFBUS_EVENT_MESSAGE;
    event.payload = {.data = body.data(), .size = body.size()};
    event.present = has_uid ? NFBUS_HAS_UID : 0;
    event.uid = has_uid ? number : 0;
  }
  event.time_ns = time_ns;
  event.topic = text(topic);
  event.fields = fields.data();
  event.field_count = static_cast<std::uint32_t>(fields.size());

  std::vector<std::uint8_t> bytes;
  must(record::encode(event, bytes).ok(), "an event can be written");
  Event back{};
  std::vector<nfbus_field> fields_back;
  nfbus_ports ports_back{};
  must(record::decode(bytes, back, fields_back, ports_back).ok() && same(event, back), "an event comes back as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_bytes({data, size});
  check_made(FuzzedDataProvider(data, size));
  return 0;
}
