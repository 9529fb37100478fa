#include "plugins/options.hpp"

#include "plugins/crossing.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace nfbus::host {

namespace {

using nlohmann::json;

}  // namespace

struct GivenOptions::State {
  json root;
  std::string text;               // as it was given
  std::deque<std::string> texts;  // of tables and arrays that were asked for
  nfbus_options abi{};
};

namespace {

// Empty for null, which TOML does not have. Its text lies in `value`, or in `texts`.
std::optional<nfbus_value> describe(const json& value, std::deque<std::string>& texts) {
  nfbus_value out{};
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    out.type = NFBUS_VALUE_TEXT;
    out.text = {.data = text.data(), .size = text.size()};
  } else if (value.is_boolean()) {
    out.type = NFBUS_VALUE_BOOLEAN;
    out.integer = value.get<bool>() ? 1 : 0;
  } else if (value.is_number_float() || (value.is_number_unsigned() && value.get<std::uint64_t>() > kLargest)) {
    out.type = NFBUS_VALUE_NUMBER;
    out.number = value.get<double>();
  } else if (value.is_number()) {
    out.type = NFBUS_VALUE_INTEGER;
    out.integer = value.get<std::int64_t>();
    out.number = value.get<double>();
  } else if (value.is_structured()) {
    out.type = value.is_array() ? NFBUS_VALUE_ARRAY : NFBUS_VALUE_TABLE;
    out.count = static_cast<std::uint32_t>(value.size());
    const std::string& text = texts.emplace_back(value.dump());
    out.text = {.data = text.data(), .size = text.size()};
  } else {
    return std::nullopt;
  }
  return out;
}

}  // namespace

uint32_t GivenOptions::get(void* context, nfbus_text pointer, nfbus_value* value) noexcept {
  if (value == nullptr) return NFBUS_REFUSED;
  try {
    State& options = *static_cast<State*>(context);
    const json& root = options.root;
    const json::json_pointer path{std::string(plugin_view(pointer))};
    if (!root.contains(path)) return NFBUS_REFUSED;
    std::optional<nfbus_value> found = describe(root[path], options.texts);
    if (!found) return NFBUS_REFUSED;
    // A plugin of an older minor has a shorter struct.
    found->struct_size = value->struct_size;
    std::memcpy(value, &*found, std::min<std::size_t>(value->struct_size, sizeof *found));
    return NFBUS_OK;
  } catch (const std::exception&) {
    return NFBUS_REFUSED;  // not a JSON pointer
  }
}

GivenOptions::GivenOptions(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
GivenOptions::GivenOptions(GivenOptions&&) noexcept = default;
GivenOptions::~GivenOptions() = default;

Result<GivenOptions> GivenOptions::parse(std::string_view options_json) {
  auto state = std::make_unique<State>();
  state->root = json::parse(options_json, nullptr, false);
  if (!state->root.is_object()) return Error{.code = Code::invalid, .text = "the options are no JSON object"};
  state->text = options_json;
  state->abi = {.struct_size = sizeof(nfbus_options),
                .reserved = 0,
                .context = state.get(),
                .json = {.data = state->text.data(), .size = state->text.size()},
                .get = get};
  return GivenOptions(std::move(state));
}

const nfbus_options& GivenOptions::abi() const noexcept { return state_->abi; }

Result<void*> create_instance(std::string_view name, CreateFunction create, const nfbus_host& host,
                              std::string_view options_json, CallClock* clock) {
  const auto options = GivenOptions::parse(options_json);
  if (!options) return options.error();
  nfbus_error error{};
  void* instance = nullptr;
  const std::uint32_t status =
      call_plugin({name, "create", clock}, error, [&] { return create(&host, &options->abi(), &instance, &error); });
  if (status == NFBUS_OK) return instance;
  // What a plugin has against its options is for the user, who knows no functions.
  Error refusal{.code = Code::invalid, .text = text_of(error)};
  if (status != NFBUS_FATAL || error.size == 0) refusal.text = failure_text(status, error, "create");
  refusal.option = option_of(error);
  return refusal;
}

}  // namespace nfbus::host
