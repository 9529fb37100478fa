#include "bus/server/line_maker.hpp"

#include "bus/server/wire_line.hpp"
#include "formats/json_writer.hpp"
#include "record/record.hpp"

#include <algorithm>
#include <charconv>

namespace nfbus::host {

namespace {

// Of a topic, where a message has to be cut: every byte of it may become six.
constexpr std::size_t kMostTopicBytes = 4096;

}  // namespace

LineMaker::LineMaker(const FormatSet& formats, LineStore& store)
    : formats_(formats), store_(store), renderer_(formats) {}

void LineMaker::append(std::string_view text) { line_.append(text); }

void LineMaker::append_escaped(std::string_view text) {
  char* at = line_.room(json::kMaxEscapedByte * text.size() + json::kSlack);
  line_.commit(json::put_text(at, text));
}

LineRef LineMaker::text_line(std::string_view topic, std::string_view value) {
  line_.clear();
  append(R"({"topic":")");
  append_escaped(topic);
  append(R"(","value":")");
  append_escaped(value);
  append(R"("})");
  return store_.make(line_.view());
}

std::string_view LineMaker::event_text(const Event& event, FormatId format) {
  if (!uses_.at(format)) uses_.at(format) = FormatUse(formats_, format);
  return renderer_.render(event, format);
}

LineRef LineMaker::packet(const Event& event, FormId form) {
  if (form == kNflogForm) return nflog_line(event);
  if (form == kRecordForm) return record_line(event);
  LineRef line = text_line(view(event.topic), event_text(event, form));
  renderer_.release();
  // Within the line each quote of the text becomes two bytes: at half the bound it fits, whatever it holds.
  for (std::size_t bound = kMostMadeBytes / 4 * 3; line.size() > kMostMadeBytes && bound >= Format::kMinBound;
       bound = bound / 3 * 2) {
    text_.clear();
    formats_[form].render_within(event, bound, text_);
    line = text_line(view(event.topic), text_.view());
  }
  return line;
}

LineRef LineMaker::message(std::string_view topic, std::string_view text) {
  LineRef line = text_line(topic, text);
  for (std::size_t kept = kMostMadeBytes; line.size() > kMostMadeBytes; kept /= 2) {
    text_.clear();
    text_.append(R"({"Message":")");
    char* at = text_.room(json::kMaxEscapedByte * kept + json::kSlack);
    text_.commit(json::put_text(at, text.substr(0, kept)));
    text_.append(R"(","Truncated":true})");
    line = text_line(topic.substr(0, kMostTopicBytes), text_.view());
  }
  return line;
}

LineRef LineMaker::marker(std::uint64_t missed, std::uint64_t total) {
  std::array<char, 64> number{};
  const auto digits = [&](std::uint64_t value) {
    return std::string_view(number.data(), std::to_chars(number.data(), number.data() + number.size(), value).ptr);
  };
  text_.clear();
  text_.append(R"({"missed":)");
  text_.append(digits(missed));
  text_.append(R"(,"total":)");
  text_.append(digits(total));
  text_.append("}");
  return text_line("nfbus:dropped", text_.view());
}

LineRef LineMaker::nflog_line(const Event& event) {
  std::array<char, 32> number{};
  const auto append_number = [&](std::string_view key, std::int64_t value) {
    append(key);
    const char* end = std::to_chars(number.data(), number.data() + number.size(), value).ptr;
    append(std::string_view(number.data(), end));
  };
  line_.clear();
  append(R"({"topic":")");
  append_escaped(view(event.topic));
  append_number(R"(","time_ns":)", event.time_ns);
  append_number(R"(,"length":)", static_cast<std::int64_t>(event.record.size));
  append(",");
  return line_with_bytes({event.record.data, event.record.size});
}

LineRef LineMaker::record_line(const Event& event) {
  line_.clear();
  append(R"({"topic":")");
  append_escaped(view(event.topic));
  append(R"(",)");
  record_.clear();
  // An event too large for a record is too large for a line, too: its reader finds none in it, and says so.
  static_cast<void>(record::encode(event, record_));
  return line_with_bytes(record_);
}

LineRef LineMaker::line_with_bytes(std::span<const std::uint8_t> value) {
  append(R"("value":")");
  char* at = line_.room(json::base64_bytes(value.size()) + json::kSlack);
  line_.commit(json::put_base64(at, value));
  append(R"("})");
  return store_.make(line_.view());
}

}  // namespace nfbus::host
