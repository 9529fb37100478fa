// What each process of nfbus may still ask of the kernel: seccomp filters, which nothing takes back.
#pragma once

#include <nfbus/result.hpp>

namespace nfbus::host {

// All four: [control]; no_new_privs is set with them. On an error nothing is refused that was not before.

// The host once all is open: on all of its threads, on those that come, and in the programs that plugins execute, what
// no plugin needs is refused with EPERM, and so is every call of another architecture. Files, sockets, threads, fork
// and execve stay. No process of the same user may look into this one any more. A kernel that cannot do it is logged,
// and the host goes on. Errors: io.
Result<void> confine_host();

// The process of a plugin's privileged part: as confine_host(), but for netlink, of which all is left. Errors: io.
Result<void> confine_part();

// The next two have the errors unsupported (this kernel has no seccomp) and io.

// For the helper until it is sealed: allows what binding groups and naming their holders takes, and sealing; answers
// EPERM to the rest.
Result<void> allow_binding();

// For the helper once it is sealed: allows to receive requests, to send on the sockets that are there, to close them,
// to use memory and to end. Anything else ends the process.
Result<void> allow_serving();

}  // namespace nfbus::host
