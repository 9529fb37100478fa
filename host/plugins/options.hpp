// An instance's options, as its plugin reads them.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <string_view>

namespace nfbus::host {

using CreateFunction = uint32_t (*)(const nfbus_host* host, const nfbus_options* options, void** instance,
                                    nfbus_error* error);

// [control] Calls a plugin's create() behind the barrier, with options that live as long as the call; gives the
// instance, which may be null. Code::invalid: options_json is no JSON object, or the plugin refuses.
[[nodiscard]] Result<void*> create_instance(CreateFunction create, const nfbus_host& host,
                                            std::string_view options_json);

}  // namespace nfbus::host
