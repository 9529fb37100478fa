// The sink in C, called through its entry without a host: its options are what the host will check.
#include <nfbus/abi.h>

#include <stdio.h>
#include <string.h>

extern const nfbus_library nfbus_library_v1;

int main(void) {
  const nfbus_plugin* const plugin = nfbus_library_v1.plugins[0];
  if (nfbus_library_v1.plugin_count != 1 || strcmp(plugin->name.data, "c_sink") != 0) return 1;
  if (plugin->sink->create == NULL || strstr(plugin->schema.data, "\"required\":[\"file\"]") == NULL) return 2;
  printf("c_sink %.*s is well\n", (int)plugin->version.size, plugin->version.data);
  return 0;
}
