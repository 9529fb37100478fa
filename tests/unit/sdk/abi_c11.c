/* abi.h alone, as C11. */
#include <nfbus/abi.h>

/* What a loader reads of any library, of any version, before it knows the rest: these never move. */
_Static_assert(offsetof(nfbus_library, abi_major) == 0, "abi_major moved");
_Static_assert(offsetof(nfbus_library, abi_minor) == 2, "abi_minor moved");
_Static_assert(offsetof(nfbus_library, struct_size) == 4, "struct_size moved");

static const nfbus_text kName = NFBUS_TEXT("c11");

size_t nfbus_test_c11_name_size(void);
size_t nfbus_test_c11_name_size(void) { return kName.size; }
