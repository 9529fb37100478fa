// The way down of the processes that keep CAP_NET_ADMIN.
#pragma once

#include <nfbus/result.hpp>

#include <sys/types.h>

namespace nfbus::host {

// [helper] Ends this process when `host` does, which is its parent; must be called again after a change of ids.
void end_with(pid_t host) noexcept;

// [helper] Keeps CAP_NET_ADMIN, and until seal_helper() what naming a group's holder and becoming the user take, as far
// as they were there; may never gain any other. No process of the same user may look into this one.
void keep_binding_rights() noexcept;

// [helper] Becomes the user with CAP_NET_ADMIN alone (if it was there). Errors: refused.
Result<void> keep_serving_rights(uid_t uid, gid_t gid, pid_t host);

// [part] The same at once, for a process that a plugin's privileged part runs in. Errors: refused.
Result<void> keep_part_rights(uid_t uid, gid_t gid, pid_t host);

}  // namespace nfbus::host
