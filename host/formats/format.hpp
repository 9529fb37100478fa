// The text formats of events, by the numbers and names of formats/names.hpp.
#pragma once

#include "event/event.hpp"
#include "formats/names.hpp"
#include "formats/text_buffer.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus::host {

// Thread safety: const members from any thread.
class Format {
 public:
  virtual ~Format() = default;
  // Appends the event as one line of valid UTF-8 JSON without the newline. An event without fields; fields are spliced
  // in by append_fields(). Appends nothing when the format cannot show this kind of event.
  virtual void render(const Event& event, TextBuffer& out) const = 0;
  // Splices `event.fields` into the text of an event that ends with '}': annotations stand last in every format.
  virtual void append_fields(const nfbus_event& event, TextBuffer& out) const = 0;
  // Returns whether render() says the same of both, an event and one with other fields: false where a format shows some
  // field outside of "Fields", and these differ in it.
  [[nodiscard]] virtual bool renders_alike(const nfbus_event& /*event*/, const nfbus_event& /*other*/) const noexcept {
    return true;
  }
  // Appends the event with its fields as render() and append_fields() do, but in at most max_bytes, which must be
  // kMinBound or more. What does not fit is shortened or left out, and "Truncated":true added (before "Fields").
  virtual void render_within(const Event& event, std::size_t max_bytes, TextBuffer& out) const;
  static constexpr std::size_t kMinBound = 4096;

 protected:
  // Splices as many fields as fit into `out` when it may grow to end_bytes; leaves out the last ones.
  void append_fields_within(const nfbus_event& event, std::size_t end_bytes, TextBuffer& out) const;
};

// All formats of a host. Thread safety: const members from any thread.
class FormatSet {
 public:
  // device: `dvc` in the ulogd format.
  explicit FormatSet(std::string_view device);

  // 0 when there is none of this name.
  [[nodiscard]] static FormatId find(std::string_view name) noexcept {
    const FormatName* found = find_format(name);
    return found == nullptr ? 0 : found->id;
  }
  // id: one of kFormatNames.
  [[nodiscard]] const Format& operator[](FormatId id) const noexcept { return *formats_[id]; }

  // Two FormatUses or more: texts are shared through the batch's TextCache.
  [[nodiscard]] bool shared(FormatId id) const noexcept { return users_[id].load(std::memory_order_relaxed) > 1; }

 private:
  friend class FormatUse;
  std::array<std::unique_ptr<const Format>, kMaxFormats> formats_;  // [0] is empty
  mutable std::array<std::atomic<std::uint32_t>, kMaxFormats> users_{};
};

// One user of a format, counted while this lives. Thread safety: none; several of one set from any threads.
class FormatUse {
 public:
  FormatUse() = default;
  // formats: outlives this. id: as of FormatSet's operator[].
  FormatUse(const FormatSet& formats, FormatId id) noexcept : users_(&formats.users_[id]) {
    users_->fetch_add(1, std::memory_order_relaxed);
  }
  FormatUse(FormatUse&& other) noexcept : users_(std::exchange(other.users_, nullptr)) {}
  FormatUse& operator=(FormatUse&& other) noexcept {
    std::swap(users_, other.users_);
    return *this;
  }
  ~FormatUse() {
    if (users_ != nullptr) users_->fetch_sub(1, std::memory_order_relaxed);
  }

  explicit operator bool() const noexcept { return users_ != nullptr; }

 private:
  std::atomic<std::uint32_t>* users_ = nullptr;
};

}  // namespace nfbus::host
