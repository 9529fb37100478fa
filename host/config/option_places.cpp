#include "config/option_places.hpp"

#include "config/document.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

constexpr std::size_t kMostSteps = 32;  // Document has no more levels

// "~1" is a slash, "~0" a tilde.
std::optional<std::string> unescaped(std::string_view step) {
  std::string text;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '~') {
      text += step[i];
    } else if (++i < step.size() && (step[i] == '0' || step[i] == '1')) {
      text += step[i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return text;
}

std::optional<std::vector<std::string>> steps_of(std::string_view pointer) {
  std::vector<std::string> steps;
  while (!pointer.empty()) {
    if (pointer.front() != '/' || steps.size() == kMostSteps) return std::nullopt;
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    auto step = unescaped(pointer.substr(0, end));
    if (!step) return std::nullopt;
    steps.push_back(*std::move(step));
    pointer.remove_prefix(end);
  }
  return steps;
}

std::optional<std::size_t> index_of(const std::string& step) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size()) return std::nullopt;
  return index;
}

}  // namespace

OptionPlaces::OptionPlaces(std::shared_ptr<const Document> document, SchemaPath instance)
    : document_(std::move(document)), instance_(std::move(instance)) {}

std::optional<OptionPlace> OptionPlaces::find(std::string_view pointer) const {
  if (document_ == nullptr || pointer.empty()) return std::nullopt;
  const auto steps = steps_of(pointer);
  if (!steps) return std::nullopt;
  SchemaPath path = instance_;
  for (const std::string& step : *steps) {
    // A pointer does not tell a key of digits from an index: what it leads into does.
    const auto index = index_of(step);
    if (index && document_->holds(path) != Document::Holds::table) {
      path.emplace_back(*index);
    } else {
      path.emplace_back(step);
    }
  }
  SchemaPath written = path;
  if (auto* key = std::get_if<std::string>(&written.back());
      key != nullptr && document_->holds(path) == Document::Holds::nothing) {
    *key += "_file";
    if (document_->holds(written) == Document::Holds::nothing) written = path;
  }
  return OptionPlace{.name = to_string(written), .where = document_->locate(written, false)};
}

}  // namespace nfbus::host
