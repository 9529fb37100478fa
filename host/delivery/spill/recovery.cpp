#include "delivery/spill/recovery.hpp"

#include "delivery/spill/cursor.hpp"
#include "delivery/spill/state_file.hpp"
#include "support/clock.hpp"
#include "support/printable.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace nfbus::host::spill {

namespace {

constexpr std::uint64_t kPageBytes = 4096;

Error refused(std::string text) { return {.code = Code::invalid, .text = std::move(text)}; }

Error of_version(const Settings& settings, std::uint32_t version) {
  return refused(fmt::format(
      "the spill in {} is of version {}, this nfbus reads version {}; deliver it with the nfbus that wrote it, or give "
      "the sink another dir",
      settings.folder, version, kFormatVersion));
}

Error of_owner(const Settings& settings, const std::string& owner) {
  return refused(fmt::format(R"(the spill in {} belongs to the sink "{}", not to "{}": give each sink its own dir)",
                             settings.folder, printable(owner), settings.owner));
}

class Recovery {
 public:
  Recovery(Files& files, int folder, const Settings& settings) : files_(files), folder_(folder), settings_(settings) {}

  Result<Recovered> run();

 private:
  // A segment's file and what is wrong with it: nothing, or why it is no segment.
  struct Seen {
    std::uint64_t id;
    Segment segment{};
    std::optional<std::string> fault{};
    bool empty = false;  // no whole head, as a crash leaves behind
  };

  Result<std::vector<Seen>> look_at(const std::vector<std::uint64_t>& ids, std::uint64_t oldest);
  void remove(std::uint64_t id);
  void set_aside(const Seen& seen);
  void sort_out(const std::vector<Seen>& all);
  Result<void> complete_newest();
  void begin_without_state(StateFound found);
  Files& files_;
  int folder_;
  const Settings& settings_;
  Recovered out_;
  bool changed_ = false;  // names in the folder
};

Result<std::vector<Recovery::Seen>> Recovery::look_at(const std::vector<std::uint64_t>& ids, std::uint64_t oldest) {
  std::vector<Seen> all;
  for (const std::uint64_t id : ids) {
    Seen seen{.id = id};
    auto opened = id < oldest ? Result<OpenSegment>(Error{.code = Code::not_found, .text = {}})
                              : open_segment(files_, folder_, settings_.folder, id, Open::look);
    if (!opened) {
      if (opened.error().code == Code::unsupported)
        return Error{.code = Code::invalid, .text = opened.error().text + "; give the sink another dir"};
      if (opened.error().code == Code::io || opened.error().code == Code::busy) return std::move(opened).error();
      if (opened.error().code == Code::invalid) seen.fault = opened.error().text;
      if (const Handle file(files_, files_.open(folder_, segment_name(id), Open::look)); seen.fault && file.valid()) {
        Files::Status status;
        seen.empty = files_.status(file.get(), status) == 0 && status.bytes < kHeadBytes;
      }
      if (opened.error().code == Code::not_found) seen.empty = true;  // deleted, but for the unlink
    } else if (opened->head.owner != settings_.owner) {
      return of_owner(settings_, opened->head.owner);
    } else {
      seen.segment = {.id = id,
                      .first = opened->head.first,
                      .bytes = opened->status.bytes,
                      .created_ns = opened->head.created_ns,
                      .newest_ns = opened->status.changed_ns};
    }
    all.push_back(std::move(seen));
  }
  return all;
}

void Recovery::remove(std::uint64_t id) {
  if (files_.unlink(folder_, segment_name(id)) == 0) changed_ = true;
}

void Recovery::set_aside(const Seen& seen) {
  const bool renamed = files_.rename(folder_, segment_name(seen.id), set_aside_name(seen.id)) == 0;
  changed_ = true;
  out_.notes.push_back(renamed ? fmt::format("{}; it is set aside as {}", *seen.fault, set_aside_name(seen.id))
                               : fmt::format("{}, and could not be renamed: {}", *seen.fault, error_reason()));
}

void Recovery::sort_out(const std::vector<Seen>& all) {
  for (const Seen& seen : all) {
    if (seen.empty) {
      remove(seen.id);
    } else if (seen.fault) {
      set_aside(seen);
    } else if (!out_.segments.empty() && seen.segment.first < out_.segments.back().first) {
      Seen wrong = seen;
      wrong.fault =
          fmt::format("{}/{} holds older records than the file before it", settings_.folder, segment_name(seen.id));
      set_aside(wrong);
    } else {
      out_.segments.push_back(seen.segment);
    }
  }
}

Result<void> Recovery::complete_newest() {
  if (out_.segments.empty()) return {};
  Segment& newest = out_.segments.back();
  auto opened = open_segment(files_, folder_, settings_.folder, newest.id, Open::change);
  if (!opened) return std::move(opened).error();
  const auto end = segment_end(files_, *opened);
  if (end && end->footer) {
    newest.data_end = end->offset;
    out_.end = std::max(newest.first, end->footer->end);
    return {};
  }
  Cursor cursor(files_, opened->file.get(), opened->head.seed, kHeadBytes, newest.first);
  cursor.set_limit(end ? end->offset : newest.bytes);
  std::uint64_t next = newest.first;
  for (Record record;;) {
    const Found found = cursor.look(record);
    if (found == Found::end) break;
    if (found == Found::record) {
      cursor.pass();
    } else if (!end || !cursor.load()) {
      out_.notes.push_back(
          fmt::format("cannot read all of {}/{}: {}", settings_.folder, segment_name(newest.id), error_reason()));
      out_.end = cursor.next_number() + 1;  // it is set aside when its turn comes
      return {};
    }
  }
  next = cursor.next_number();
  bool lost_one = false;
  const std::uint64_t size =
      end->damaged_footer ? end->offset : end_of_torn(files_, *opened, cursor, cursor.limit(), lost_one);
  if (size < cursor.known_end()) --next;  // the last one is torn, though its head is whole
  if (lost_one) ++next;
  out_.end = next;
  if (next == newest.first) {
    remove(newest.id);
    out_.segments.pop_back();
    return {};
  }
  // A failure of these is none: it is read as it is, and looked at again at the next start.
  if (size < newest.bytes && files_.truncate(opened->file.get(), size) != 0) return {};
  newest.data_end = size;
  std::array<std::uint8_t, kFooterBytes> footer{};
  put_footer({.id = newest.id, .first = newest.first, .end = next, .offset = size, .sealed_ns = realtime_ns()},
             opened->head.seed, footer);
  newest.bytes = size;
  if (write_all(files_, opened->file.get(), footer.data(), footer.size(), size) != 0) return {};
  newest.bytes += footer.size();
  if (settings_.sync != Sync::never && files_.fdatasync(opened->file.get()) != 0) {
    out_.notes.push_back(
        fmt::format("cannot force {}/{} to the disk: {}; what a power cut would leave of it is unknown",
                    settings_.folder, segment_name(newest.id), error_reason()));
  }
  return {};
}

void Recovery::begin_without_state(StateFound found) {
  if (out_.segments.empty()) return;
  out_.state.begin = out_.state.frontier = out_.segments.front().first;
  out_.notes.push_back(fmt::format("{}/state is {}: all of its {} segments are read from the beginning",
                                   settings_.folder, found == StateFound::none ? "missing" : "damaged",
                                   out_.segments.size()));
}

Result<Recovered> Recovery::run() {
  auto look = look_at_state(files_, folder_, settings_.folder);
  if (!look) return std::move(look).error();
  const bool known = look->found == StateFound::whole || look->found == StateFound::one_slot;
  if (known) out_.state = look->slot;
  const auto names = names_in(files_, folder_, settings_.folder);
  if (!names) return names.error();
  const auto all = look_at(names->segments, known ? look->slot.oldest_segment : 0);
  if (!all) return all.error();
  sort_out(*all);
  if (auto completed = complete_newest(); !completed) return std::move(completed).error();
  if (changed_ && files_.fsync_folder(folder_) != 0)
    return system_error("cannot force " + settings_.folder + " to the disk");

  if (!known) begin_without_state(look->found);
  if (look->found == StateFound::one_slot) {
    out_.notes.push_back(
        fmt::format("one of the two copies in {}/state is damaged: if it was the newer one, some records "
                    "are delivered again",
                    settings_.folder));
  }
  StateSlot& state = out_.state;
  state.owner = settings_.owner;
  state.next_segment = std::max(state.next_segment, names->highest + 1);
  state.oldest_segment = out_.segments.empty() ? state.next_segment : out_.segments.front().id;
  // A power cut may have left a state that is ahead of the segments: what is settled stays settled.
  out_.end = std::max({out_.end, state.end, state.frontier, state.begin});
  for (std::size_t i = 0; i < state.done_count; ++i) out_.end = std::max(out_.end, state.done[i].end);
  state.end = out_.end;
  out_.start = std::max(state.frontier, state.begin);
  // Of a state that may be an old one nobody knows whether what is missing was deleted on purpose.
  const std::uint64_t first = out_.segments.empty() ? out_.end : out_.segments.front().first;
  if (look->found != StateFound::whole) out_.start = std::max(out_.start, first);
  return std::move(out_);
}

}  // namespace

Result<Names> names_in(Files& files, int folder, const std::string& path) {
  std::vector<std::string> all;
  if (files.list(folder, all) != 0) return system_error("cannot list " + path);
  Names names;
  for (const std::string& name : all) {
    if (const auto id = segment_id(name)) names.segments.push_back(*id);
    if (set_aside_id(name)) ++names.set_aside;
    for (const auto id : {segment_id(name), set_aside_id(name)})
      names.highest = std::max(names.highest, id.value_or(0));
  }
  std::ranges::sort(names.segments);
  return names;
}

std::uint64_t end_of_torn(Files& files, const OpenSegment& segment, const Cursor& cursor, std::uint64_t size,
                          bool& lost_one) {
  const std::uint64_t known = std::max<std::uint64_t>(cursor.known_end(), kHeadBytes);
  const std::uint64_t from = known == size && cursor.damaged_last() ? *cursor.damaged_last() : known;
  if (from == size) return size;
  std::vector<std::uint8_t> tail(static_cast<std::size_t>(size - from));
  if (read_all(files, segment.file.get(), tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size())) {
    return size;
  }
  const auto zero_from = [&](std::uint64_t at) {
    return std::all_of(tail.begin() + static_cast<std::ptrdiff_t>(at), tail.end(), [](auto byte) { return byte == 0; });
  };
  const std::uint64_t page = (from / kPageBytes + 1) * kPageBytes - from;  // of the next page, in `tail`
  bool torn = zero_from(0) || (page < tail.size() && zero_from(page));
  if (from == known && !torn) {
    const auto head = tail.size() < kRecordHeadBytes ? std::nullopt : get_record_head(segment.head.seed, tail.data());
    torn = tail.size() < kRecordHeadBytes || (head && head->size > tail.size() - kRecordHeadBytes);
    lost_one = !torn;
  }
  return torn ? from : size;
}

Result<void> refuse_foreign(Files& files, int folder, const Settings& settings) {
  const auto look = look_at_state(files, folder, settings.folder);
  if (!look) return look.error();
  switch (look->found) {
    case StateFound::foreign: return of_version(settings, look->version);
    case StateFound::whole:
    case StateFound::one_slot:
      if (look->slot.owner != settings.owner) return of_owner(settings, look->slot.owner);
      return {};
    case StateFound::none:
    case StateFound::broken:
    case StateFound::strange: break;
  }
  const auto names = names_in(files, folder, settings.folder);
  if (!names) return names.error();
  for (const std::uint64_t id : names->segments) {
    const auto opened = open_segment(files, folder, settings.folder, id, Open::look);
    if (!opened && opened.error().code == Code::unsupported)
      return refused(opened.error().text + "; deliver it with the nfbus that wrote it, or give the sink another dir");
    if (!opened) continue;
    if (opened->head.owner != settings.owner) return of_owner(settings, opened->head.owner);
    return {};
  }
  if (look->found == StateFound::strange) {
    return refused(
        fmt::format("{}/state is not a spill's, nor are there segments beside it: give the sink another dir, "
                    "or remove the file",
                    settings.folder));
  }
  return {};
}

Result<Recovered> recover(Files& files, int folder, const Settings& settings) {
  return Recovery(files, folder, settings).run();
}

}  // namespace nfbus::host::spill
