/* A privileged part of ABI 1.0: answers with its option `name` and the request, and refuses "no". */
#include <nfbus/abi.h>

#include <stdlib.h>
#include <string.h>

typedef struct Part {
  size_t size;
  char name[64];
} Part;

static uint32_t fail(nfbus_error* error, const char* why) {
  error->size = (uint32_t)strlen(why);
  memcpy(error->text, why, error->size);
  return NFBUS_FATAL;
}

static uint32_t open_part(const nfbus_options* options, void** part, nfbus_error* error) {
  const nfbus_text pointer = NFBUS_TEXT("/name");
  nfbus_value value = {.struct_size = sizeof value};
  if (options->get(options->context, pointer, &value) != NFBUS_OK || value.text.size > 64)
    return fail(error, "no name");
  Part* made = malloc(sizeof *made);
  if (made == NULL) return fail(error, "no memory");
  made->size = value.text.size;
  memcpy(made->name, value.text.data, value.text.size);
  *part = made;
  return NFBUS_OK;
}

static uint32_t request(void* part, nfbus_bytes asked, const nfbus_answer* answer, nfbus_error* error) {
  const Part* own = part;
  uint8_t text[256];
  if (asked.size == 2 && memcmp(asked.data, "no", 2) == 0) return fail(error, "as it asked");
  if (own->size + asked.size > sizeof text) return fail(error, "too long");
  memcpy(text, own->name, own->size);
  memcpy(text + own->size, asked.data, asked.size);
  const nfbus_bytes bytes = {text, own->size + asked.size};
  return answer->set(answer->context, bytes);
}

static void close_part(void* part) { free(part); }

extern NFBUS_EXPORT const nfbus_privileged nfbus_privileged_v1;
const nfbus_privileged nfbus_privileged_v1 = {
    .abi_major = NFBUS_ABI_MAJOR,
    .abi_minor = NFBUS_ABI_TARGET_MINOR,
    .struct_size = sizeof(nfbus_privileged),
    .open = open_part,
    .request = request,
    .close = close_part,
};
