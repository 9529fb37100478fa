#include "plugins/match_words.hpp"

#include "match/keys.hpp"
#include "match/match.hpp"
#include "plugins/crossing.hpp"

#include <nfbus/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <new>

namespace nfbus::host {
namespace {

std::uint32_t refuse(nfbus_error* error, std::string_view text) noexcept {
  if (error != nullptr) append_error(*error, text);
  return NFBUS_REFUSED;
}

// Runs what may throw, for want of memory above all.
template <typename Function>
std::uint32_t contained(nfbus_error* error, Function function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return refuse(error, "memory is short");
  } catch (const std::exception& thrown) {
    return refuse(error, thrown.what());
  }
}

}  // namespace

MatchWords::MatchWords(const KnownFields& fields) : fields_(fields), names_(key_names()) {
  for (const std::string& field : fields.names) {
    if (std::find(names_.begin(), names_.end(), field) == names_.end()) names_.push_back(field);
  }
  for (const std::string& name : names_) keys_.push_back(to_text(name));
  abi_ = {.struct_size = sizeof abi_,
          .key_count = static_cast<std::uint32_t>(keys_.size()),
          .keys = keys_.data(),
          .context = this,
          .table = table,
          .check = check};
}

std::uint32_t MatchWords::table(const void* context, nfbus_text words, void (*take)(void* taker, nfbus_text table),
                                void* taker, nfbus_error* error) noexcept {
  return contained(error, [&]() -> std::uint32_t {
    auto table = match_table_of_text(plugin_view(words), static_cast<const MatchWords*>(context)->fields_);
    if (!table) return refuse(error, table.error().text);
    const std::string json = table->dump();
    take(taker, to_text(json));
    return NFBUS_OK;
  });
}

std::uint32_t MatchWords::check(const void* context, nfbus_text tables, nfbus_error* error) noexcept {
  return contained(error, [&]() -> std::uint32_t {
    const auto& self = *static_cast<const MatchWords*>(context);
    if (auto good = compile_match_json(plugin_view(tables), self.fields_, kClientMatch); !good) {
      return refuse(error, good.error().text);
    }
    return NFBUS_OK;
  });
}

}  // namespace nfbus::host
