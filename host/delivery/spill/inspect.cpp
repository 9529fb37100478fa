#include "delivery/spill/inspect.hpp"

#include "delivery/spill/cursor.hpp"
#include "delivery/spill/format.hpp"
#include "delivery/spill/number_set.hpp"
#include "delivery/spill/recovery.hpp"
#include "delivery/spill/state_file.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

namespace nfbus::host::spill {

namespace {

constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};  // of the last segment: what is in it tells
constexpr int kStateLooks = 3;                       // one may meet the host's write

// A folder as it was at one moment.
class Look {
 public:
  static Result<Look> at(Files& files, const std::string& path);

  // Calls `each(segment, end)` for every segment that is still there, in order; `end`: the number where the next one
  // begins. False of it: enough. `fault` hears of those that are none.
  template <typename Each, typename Fault>
  Result<void> for_each(const Each& each, const Fault& fault);

  Files* files;
  std::string path;
  Handle folder;
  StateLook state;
  Names names;
  NumberSet done;           // behind the start
  std::uint64_t start = 0;  // all before it are done with; 0: unknown, all are to be delivered
};

Result<Look> Look::at(Files& files, const std::string& path) {
  Look look{.files = &files,
            .path = path,
            .folder = Handle(files, files.open_folder(path, false)),
            .state = {},
            .names = {},
            .done = {}};
  if (!look.folder.valid()) {
    const int reason = errno;
    return system_error("cannot open the folder " + path, reason, reason == ENOENT ? Code::not_found : Code::io);
  }
  for (int i = 0; i < kStateLooks; ++i) {
    auto state = look_at_state(files, look.folder.get(), path);
    if (!state) return std::move(state).error();
    look.state = std::move(state).value();
    if (look.state.found == StateFound::whole || look.state.found == StateFound::none) break;
  }
  if (look.state.found == StateFound::foreign) {
    return Error{.code = Code::unsupported,
                 .text = fmt::format("the spill in {} is of version {}, this nfbus reads version {}", path,
                                     look.state.version, kFormatVersion)};
  }
  auto names = names_in(files, look.folder.get(), path);
  if (!names) return std::move(names).error();
  look.names = std::move(names).value();
  const bool known = look.state.found == StateFound::whole || look.state.found == StateFound::one_slot;
  if (!known && look.names.segments.empty() && look.names.set_aside == 0)
    return Error{.code = Code::not_found, .text = path + " holds no spill: name the dir of a sink's spill"};
  if (!known) return look;
  const StateSlot& slot = look.state.slot;
  look.start = std::max(slot.frontier, slot.begin);
  for (std::size_t i = 0; i < slot.done_count; ++i) look.done.add(slot.done[i]);
  std::erase_if(look.names.segments, [&](std::uint64_t id) { return id < slot.oldest_segment; });
  return look;
}

template <typename Each, typename Fault>
Result<void> Look::for_each(const Each& each, const Fault& fault) {
  std::optional<OpenSegment> open;
  const auto hand_on = [&](std::uint64_t end) { return !open || each(*open, end); };
  for (const std::uint64_t id : names.segments) {
    auto next = open_segment(*files, folder.get(), path, id, Open::look);
    if (!next) {
      if (next.error().code == Code::not_found) continue;  // the host has removed it
      if (next.error().code != Code::invalid) return std::move(next).error();
      const Handle file(*files, files->open(folder.get(), segment_name(id), Open::look));
      Files::Status status;
      const bool begun = file.valid() && files->status(file.get(), status) == 0 && status.bytes < kHeadBytes;
      if (!begun) fault(next.error().text);
      continue;
    }
    if (!hand_on(next->head.first)) return {};
    open = std::move(next).value();
  }
  hand_on(kNoEnd);
  return {};
}

// Reads a segment to its end; the last one's may be cut, or be written to.
class SegmentView {
 public:
  SegmentView(Look& look, const OpenSegment& segment, std::uint64_t end_number)
      : look_(look), segment_(segment), end_number_(end_number), is_last_(end_number == kNoEnd) {}

  // The number behind its last record. Nothing: it cannot be read.
  template <typename Each>
  std::optional<std::uint64_t> read(const Each& each, const OnDamage& on_damage);

 private:
  std::optional<std::uint64_t> end_of_last();

  Look& look_;
  const OpenSegment& segment_;
  std::uint64_t end_number_;
  bool is_last_;
  std::uint64_t limit_ = 0;
};

// Of the last segment without a footer: sets limit_ to where what counts ends.
std::optional<std::uint64_t> SegmentView::end_of_last() {
  Cursor cursor(*look_.files, segment_.file.get(), segment_.head.seed, kHeadBytes, segment_.head.first);
  cursor.set_limit(limit_);
  Record record;
  for (Found found = cursor.look(record); found != Found::end; found = cursor.look(record)) {
    if (found == Found::record) cursor.pass();
    if (found == Found::load && !cursor.load()) return std::nullopt;
  }
  bool lost_one = false;
  limit_ = end_of_torn(*look_.files, segment_, cursor, cursor.limit(), lost_one);
  return cursor.next_number() + (lost_one ? 1 : 0) - (limit_ < cursor.known_end() ? 1 : 0);
}

template <typename Each>
std::optional<std::uint64_t> SegmentView::read(const Each& each, const OnDamage& on_damage) {
  const auto end = segment_end(*look_.files, segment_);
  if (!end) return std::nullopt;
  limit_ = end->offset;
  std::uint64_t end_number = end_number_;
  if (is_last_) {
    const auto last = end->footer ? std::optional(end->footer->end) : end_of_last();
    if (!last) return std::nullopt;
    end_number = *last;
  }
  Cursor cursor(*look_.files, segment_.file.get(), segment_.head.seed, kHeadBytes, segment_.head.first);
  cursor.set_limit(limit_);
  cursor.set_on_damage(on_damage);
  for (Record record;;) {
    const Found found = cursor.look(record);
    if (found == Found::end || (found == Found::record && record.number >= end_number)) return end_number;
    if (found == Found::load) {
      if (!cursor.load()) return std::nullopt;
      continue;
    }
    if (!each(record)) return end_number;
    cursor.pass();
  }
}

}  // namespace

Result<Overview> overview(Files& files, const std::string& folder) {
  auto look = Look::at(files, folder);
  if (!look) return std::move(look).error();
  Overview out{.owner = look->state.slot.owner, .set_aside = look->names.set_aside};
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  const auto done = look->for_each(
      [&](const OpenSegment& segment, std::uint64_t next) {
        if (out.owner.empty()) out.owner = segment.head.owner;
        if (out.segments++ == 0) first = segment.head.first;
        out.bytes += segment.status.bytes;
        if (next == kNoEnd) {
          const auto last = SegmentView(*look, segment, next).read([](const Record&) { return false; }, {});
          end = last.value_or(segment.head.first);
        } else {
          end = next;
        }
        const std::uint64_t from = look->done.end_of(std::max(look->start, segment.head.first));
        if (out.oldest_ns == 0 && from < end) out.oldest_ns = segment.head.created_ns;
        return true;
      },
      [](const std::string&) {});
  if (!done) return done.error();
  out.records = look->done.missing({.first = std::max(look->start, first), .end = end});
  return out;
}

Result<void> visit(Files& files, const std::string& folder, const Visitor& visitor) {
  auto look = Look::at(files, folder);
  if (!look) return std::move(look).error();
  const StateFound found = look->state.found;
  if (found == StateFound::one_slot || found == StateFound::broken || found == StateFound::strange) {
    visitor.damage(fmt::format("{}/state: {} damaged", folder,
                               found == StateFound::one_slot ? "one of its two copies is" : "it is"));
  }
  std::uint64_t expected = look->start;
  return look->for_each(
      [&](const OpenSegment& segment, std::uint64_t next) {
        const std::string name = folder + "/" + segment_name(segment.head.id);
        if (expected != 0 && expected < segment.head.first && found == StateFound::whole) {
          const std::uint64_t missing = look->done.missing({.first = expected, .end = segment.head.first});
          if (missing != 0) visitor.damage(fmt::format("{}: {} records before it are missing", name, missing));
        }
        bool more = true;
        const auto end = SegmentView(*look, segment, next)
                             .read(
                                 [&](const Record& record) {
                                   const bool waits =
                                       record.number >= look->start && !look->done.contains(record.number);
                                   if (waits && visitor.record) more = visitor.record(record);
                                   return more;
                                 },
                                 [&](std::uint64_t offset, const std::string& what) {
                                   visitor.damage(fmt::format("{}:{}: {}", name, offset, what));
                                 });
        if (!end) visitor.damage(fmt::format("{}: cannot be read: {}", name, error_reason()));
        expected = std::max(expected, end.value_or(next));
        return more;
      },
      [&](const std::string& fault) { visitor.damage(fault); });
}

}  // namespace nfbus::host::spill
