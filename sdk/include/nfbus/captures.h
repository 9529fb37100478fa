/* The extension "nfbus.captures/1" of nfbus_host: which groups the configuration captures, and which packets its sinks
 * want. Hosts have it beside `nfbus doctor`, for diagnose(); elsewhere nfbus_host.extension answers NULL. */
#ifndef NFBUS_CAPTURES_H
#define NFBUS_CAPTURES_H

#include <nfbus/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NFBUS_CAPTURES "nfbus.captures/1"

/* Owned by the host, valid as long as the instance. Thread safety: any thread. */
typedef struct nfbus_captures {
  uint32_t struct_size;
  uint32_t group_count;
  const uint16_t* groups; /* of each [[capture]], once */
  const void* context;
  /* Whether a sink takes packets that a rule logs with this prefix: 1, or 0. Clients of the bus socket are no sinks. */
  uint32_t (*is_wanted)(const void* context, nfbus_text prefix);
} nfbus_captures;

#ifdef __cplusplus
}
#endif

#endif
