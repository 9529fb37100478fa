// An instance's options, as its plugin reads them.
#pragma once

#include "support/call_clock.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <memory>
#include <string_view>

namespace nfbus::host {

// A table of options in the form of the ABI, which lives as long as this.
class GivenOptions {
 public:
  // [control] Code::invalid: options_json is no JSON object.
  [[nodiscard]] static Result<GivenOptions> parse(std::string_view options_json);
  GivenOptions(GivenOptions&& other) noexcept;
  GivenOptions& operator=(GivenOptions&&) = delete;
  GivenOptions(const GivenOptions&) = delete;
  GivenOptions& operator=(const GivenOptions&) = delete;
  ~GivenOptions();

  // [control]
  [[nodiscard]] const nfbus_options& abi() const noexcept;

 private:
  struct State;
  explicit GivenOptions(std::unique_ptr<State> state) noexcept;
  static uint32_t get(void* context, nfbus_text pointer, nfbus_value* value) noexcept;

  std::unique_ptr<State> state_;
};

using CreateFunction = uint32_t (*)(const nfbus_host* host, const nfbus_options* options, void** instance,
                                    nfbus_error* error);

// [control] Calls a plugin's create() behind the barrier, with options that live as long as the call; gives the
// instance, which may be null. name: "sink.archive". clock: of the instance; may be null. Code::invalid: options_json
// is no JSON object, or the plugin refuses.
[[nodiscard]] Result<void*> create_instance(std::string_view name, CreateFunction create, const nfbus_host& host,
                                            std::string_view options_json, CallClock* clock = nullptr);

}  // namespace nfbus::host
