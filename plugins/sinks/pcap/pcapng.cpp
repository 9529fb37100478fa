// Capture files of the next generation: draft-ietf-opsawg-pcapng, in host byte order. Each start and each file is a
// section of its own; an interface block for each group and interface name; what the kernel lost is in the statistics
// of the interface whose packet reported it.
#include "pcapng.hpp"

#include "comment.hpp"
#include "encoder.hpp"

#include <nfbus/version.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pcapsink {
namespace {

// Option codes.
constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kInterfaceName = 2;
constexpr std::uint16_t kInterfaceText = 3;
constexpr std::uint16_t kReceived = 4;
constexpr std::uint16_t kUserApplication = 4;
constexpr std::uint16_t kDroppedByInterface = 5;
constexpr std::uint16_t kDroppedBySystem = 7;
constexpr std::uint16_t kTimeResolution = 9;

// A host whose interfaces come and go by the thousand must not make every file begin with all of them.
constexpr std::size_t kMaxInterfaces = 4096;

// What a packet may bring along: a description of its interface, and statistics at once and at the end of the file.
constexpr std::size_t kDescriptionBytes = 128;
constexpr std::size_t kStatisticsBytes = 64;

constexpr std::size_t padding(std::size_t size) noexcept { return (4 - size % 4) % 4; }

std::string_view view(nfbus_text text) noexcept { return {text.data, text.size}; }

Bytes to_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Appends one block; its length is filled in by end(). Small blocks only: they are copied.
class Block {
 public:
  explicit Block(std::uint32_t type) { number(type), number<std::uint32_t>(0); }

  template <typename T>
  void number(T value) {
    bytes(&value, sizeof value);
  }
  void option(std::uint16_t code, Bytes value) {
    number(code);
    number(static_cast<std::uint16_t>(value.size()));
    bytes(value.data(), value.size());
    text_.append(padding(value.size()), '\0');
  }
  template <typename T>
  void option(std::uint16_t code, T value) {
    option(code, Bytes(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  }
  void end(Gather& out) {
    number<std::uint32_t>(kEndOfOptions);
    const auto size = static_cast<std::uint32_t>(text_.size() + sizeof(std::uint32_t));
    number(size);
    std::memcpy(text_.data() + sizeof(std::uint32_t), &size, sizeof size);
    out.copy(to_bytes(text_));
  }

 private:
  void bytes(const void* data, std::size_t size) { text_.append(static_cast<const char*>(data), size); }

  std::string text_;
};

struct PacketBlock {
  std::uint32_t type = pcapng::kEnhancedPacket;
  std::uint32_t size_bytes;
  std::uint32_t interface;
  std::uint32_t time_high;
  std::uint32_t time_low;
  std::uint32_t captured_bytes;
  std::uint32_t original_bytes;
};
static_assert(sizeof(PacketBlock) == 28);

struct Interface {
  std::uint16_t group;
  Link link;
  std::string name;    // empty: none, or not known
  std::string bridge;  // that it is a port of; empty: none
  std::uint64_t received = 0;
  std::uint64_t lost = 0;
};

class Pcapng final : public Encoder {
 public:
  explicit Pcapng(const Encoding& encoding) : encoding_(encoding) { forget(); }

  void begin(bool continued, Gather& out) override {
    forget();
    continued_ = continued;
    join(out);
  }

  void join(Gather& out) const override {
    Block section(pcapng::kSectionHeader);
    section.number(pcapng::kByteOrder);
    section.number(pcapng::kMajor);
    section.number<std::uint16_t>(0);
    section.number<std::int64_t>(-1);  // its length is not known yet
    section.option(kUserApplication, to_bytes("nfbus " NFBUS_VERSION));
    section.end(out);
    describe(0, interfaces_.size(), out);
  }

  void encode(EventList events, const Room& room, Run& out) override {
    units_.clear();
    lost_ = false;
    for (const nfbus_event* event : events) {
      Frame frame;
      const char* refusal = make_frame(*event, encoding_.link, frame);
      if (refusal != nullptr && encoding_.raw_without_header) refusal = make_frame(*event, Link::raw, frame);
      Unit unit{};
      if (refusal == nullptr) {
        comment_.clear();
        add_comment(*event, comment_);
        const std::size_t size = packet_size(frame);
        const std::size_t reserved = kDescriptionBytes + 2 * (interfaces_.size() + 1) * kStatisticsBytes;
        const bool fits = out.packets < room.packets && out.bytes.size_bytes() + size + reserved <= room.size_bytes;
        if (!fits && !(room.take_one && out.packets == 0)) break;
        unit.interface = interface_of(*event, frame.link, out.bytes);
        unit.packets = 1;
        unit.lost = event->lost_before;
        add(event->time_ns, frame, static_cast<std::uint32_t>(size), unit.interface, out.bytes);
        ++out.packets;
        last_time_ns_ = event->time_ns;
        lost_ = lost_ || event->lost_before != 0;
      }
      unit.interfaces = interfaces_.size();
      units_.push_back(unit);
      out.refusals.push_back(refusal);
      out.ends.push_back(out.bytes.size_bytes());
    }
    if (lost_) add_statistics_of_run(out.bytes);
  }

  void commit(std::size_t units) override {
    for (std::size_t i = 0; i < units; ++i) {
      if (units_[i].packets == 0) continue;
      interfaces_[units_[i].interface].received += 1;
      interfaces_[units_[i].interface].lost += units_[i].lost;
    }
    // Interfaces whose description did not get there are told again.
    const std::size_t known = descriptions_after(units);
    while (interfaces_.size() > known) {
      numbers_.erase(key(interfaces_.back().group, interfaces_.back().link, interfaces_.back().name));
      interfaces_.pop_back();
    }
    described_ = interfaces_.size();
    units_.clear();
  }

  void end(Gather& out) override {
    for (std::uint32_t i = 0; i < interfaces_.size(); ++i) add_statistics(i, interfaces_[i], out);
  }

  [[nodiscard]] std::size_t descriptions() const noexcept override { return interfaces_.size(); }
  [[nodiscard]] std::size_t descriptions_after(std::size_t units) const noexcept override {
    return units == 0 ? described_ : units_[units - 1].interfaces;
  }
  void describe(std::size_t begin, std::size_t end, Gather& out) const override {
    for (std::size_t number = begin; number < end; ++number) describe_one(number, out);
  }

 private:
  struct Unit {
    std::uint32_t interface;
    std::uint32_t packets;
    std::uint32_t lost;
    std::size_t interfaces;  // known after it
  };

  void forget() {
    interfaces_.clear();
    numbers_.clear();
    units_.clear();
    described_ = 0;
  }

  // In key_, until the next call.
  const std::string& key(std::uint16_t group, Link link, std::string_view name) {
    key_.clear();
    key_.append(reinterpret_cast<const char*>(&group), sizeof group);
    key_.append(reinterpret_cast<const char*>(&link), sizeof link);
    key_.append(name);
    return key_;
  }

  // The one that the packet came in by, else the one that it leaves by; of a bridge, the port.
  std::uint32_t interface_of(const nfbus_event& event, Link link, Gather& out) {
    const nfbus_ports ports = event.ports == nullptr ? nfbus_ports{} : *event.ports;
    const bool came_in = event.in_name.size != 0 || ports.in_name.size != 0;
    const std::string_view device = view(came_in ? event.in_name : event.out_name);
    const std::string_view port = view(came_in ? ports.in_name : ports.out_name);
    std::string_view name = port.empty() ? device : port;
    if (interfaces_.size() >= kMaxInterfaces) name = {};
    const auto found = numbers_.find(key(event.group, link, name));
    if (found != numbers_.end()) return found->second;
    if (interfaces_.size() >= 2 * kMaxInterfaces) return 0;  // groups by the thousand: nobody has that
    const auto number = static_cast<std::uint32_t>(interfaces_.size());
    interfaces_.push_back({.group = event.group,
                           .link = link,
                           .name = std::string(name),
                           .bridge = std::string(name == port && !port.empty() ? device : std::string_view())});
    numbers_.emplace(key_, number);
    describe_one(number, out);
    return number;
  }

  [[nodiscard]] std::uint16_t link_of(std::size_t number) const noexcept {
    const Link link = interfaces_[number].link;
    const bool first_in_file = number == 0 && !continued_;
    // With several link types libpcap refuses the file anyway.
    if (link != Link::raw || first_in_file || encoding_.raw_without_header) return static_cast<std::uint16_t>(link);
    return pcapng::kRawForLibpcap;
  }

  void describe_one(std::size_t number, Gather& out) const {
    const Interface& interface = interfaces_[number];
    Block block(pcapng::kInterfaceDescription);
    block.number(link_of(number));
    block.number<std::uint16_t>(0);
    block.number(kSnaplenBytes);
    if (!interface.name.empty()) block.option(kInterfaceName, to_bytes(interface.name));
    std::string text = "NFLOG group " + std::to_string(interface.group);
    if (!interface.bridge.empty()) text += ", port of " + interface.bridge;
    block.option(kInterfaceText, to_bytes(text));
    block.option<std::uint8_t>(kTimeResolution, encoding_.precision == Precision::nanoseconds ? 9 : 6);
    block.end(out);
  }

  // Counts since the section's begin. tshark and Wireshark show isb_ifdrop alone, where dumpcap, too, puts what the
  // kernel dropped; isb_osdrop is what the draft names it.
  void add_statistics(std::uint32_t number, const Interface& interface, Gather& out) const {
    Block block(pcapng::kInterfaceStatistics);
    const std::uint64_t time = ticks(last_time_ns_);
    block.number(number);
    block.number(static_cast<std::uint32_t>(time >> 32U));
    block.number(static_cast<std::uint32_t>(time));
    block.option(kReceived, interface.received);
    block.option(kDroppedByInterface, interface.lost);
    block.option(kDroppedBySystem, interface.lost);
    block.end(out);
  }

  // A loss is told at once: a file that is never ended has it, too.
  void add_statistics_of_run(Gather& out) const {
    std::vector<Interface> now(interfaces_);
    std::vector<bool> lost(now.size());
    for (const Unit& unit : units_) {
      if (unit.packets == 0) continue;
      now[unit.interface].received += 1;
      now[unit.interface].lost += unit.lost;
      if (unit.lost != 0) lost[unit.interface] = true;
    }
    for (std::uint32_t i = 0; i < now.size(); ++i) {
      if (lost[i]) add_statistics(i, now[i], out);
    }
  }

  [[nodiscard]] std::uint64_t ticks(std::int64_t time_ns) const noexcept {
    const auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(time_ns, 0));
    return encoding_.precision == Precision::nanoseconds ? time : time / 1000;
  }

  [[nodiscard]] std::size_t packet_size(const Frame& frame) const noexcept {
    const std::size_t options = 4 + comment_.size() + padding(comment_.size()) + 4;
    return sizeof(PacketBlock) + frame.captured_bytes + padding(frame.captured_bytes) + options + 4;
  }

  void add(std::int64_t time_ns, const Frame& frame, std::uint32_t size, std::uint32_t interface, Gather& out) const {
    const std::uint64_t time = ticks(time_ns);
    const PacketBlock block{.size_bytes = size,
                            .interface = interface,
                            .time_high = static_cast<std::uint32_t>(time >> 32U),
                            .time_low = static_cast<std::uint32_t>(time),
                            .captured_bytes = frame.captured_bytes,
                            .original_bytes = frame.original_bytes};
    std::memcpy(out.room(sizeof block), &block, sizeof block);
    for (std::size_t i = 0; i < frame.part_count; ++i) out.add(frame.parts[i]);
    // Padding, the comment, its padding, the end of the options, and the length again.
    const std::size_t before = padding(frame.captured_bytes);
    const std::size_t behind = padding(comment_.size()) + 4;
    std::uint8_t* at = out.room(before + 4 + comment_.size() + behind + 4);
    std::memset(at, 0, before);
    at += before;
    const std::array<std::uint16_t, 2> option{kComment, static_cast<std::uint16_t>(comment_.size())};
    std::memcpy(at, option.data(), sizeof option);
    std::memcpy(at + 4, comment_.data(), comment_.size());
    at += 4 + comment_.size();
    std::memset(at, 0, behind);
    std::memcpy(at + behind, &size, sizeof size);
  }

  const Encoding encoding_;
  bool continued_ = false;
  std::vector<Interface> interfaces_;
  std::size_t described_ = 0;  // that are in the stream
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::string key_;
  std::string comment_;
  std::int64_t last_time_ns_ = 0;
  // Of the run that is being written.
  std::vector<Unit> units_;
  bool lost_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_pcapng(const Encoding& encoding) { return std::make_unique<Pcapng>(encoding); }

}  // namespace pcapsink
