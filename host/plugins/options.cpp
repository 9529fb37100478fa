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

namespace nfbus::host {

namespace {

using nlohmann::json;

// What get_option reads from; lives as long as create().
struct Options {
  json root;
  std::deque<std::string> texts;  // of tables and arrays that were asked for
};

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

uint32_t get_option(void* context, nfbus_text pointer, nfbus_value* value) noexcept {
  if (value == nullptr) return NFBUS_REFUSED;
  try {
    Options& options = *static_cast<Options*>(context);
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

}  // namespace

Result<void*> create_instance(CreateFunction create, const nfbus_host& host, std::string_view options_json) {
  Options options{.root = json::parse(options_json, nullptr, false), .texts = {}};
  if (!options.root.is_object()) return Error{.code = Code::invalid, .text = "the options are no JSON object"};
  const nfbus_options given = {.struct_size = sizeof(nfbus_options),
                               .reserved = 0,
                               .context = &options,
                               .json = {.data = options_json.data(), .size = options_json.size()},
                               .get = get_option};
  nfbus_error error{};
  void* instance = nullptr;
  const std::uint32_t status = call_plugin(error, [&] { return create(&host, &given, &instance, &error); });
  if (status == NFBUS_OK) return instance;
  // What a plugin has against its options is for the user, who knows no functions.
  Error refusal{.code = Code::invalid, .text = text_of(error)};
  if (status != NFBUS_FATAL || error.size == 0) refusal.text = failure_text(status, error, "create");
  refusal.option = option_of(error);
  return refusal;
}

}  // namespace nfbus::host
