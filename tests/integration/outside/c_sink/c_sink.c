/* A sink in C11: a line for each event, its JSON, to the file that it is told. */
#include <nfbus/abi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct c_sink {
  const nfbus_host* host;
  uint32_t format;
  FILE* out;
  char file[4096];
} c_sink;

static void say(nfbus_error* error, const char* text) {
  error->size = (uint32_t)strlen(text);
  memcpy(error->text, text, error->size);
}

static uint32_t create(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error) {
  const nfbus_text file_key = NFBUS_TEXT("/file");
  const nfbus_text format_name = NFBUS_TEXT("ulogd");
  nfbus_value file = {.struct_size = sizeof file};
  c_sink* sink = NULL;
  if (options->get(options->context, file_key, &file) != NFBUS_OK || file.text.size >= sizeof sink->file) {
    say(error, "file: too long");
    return NFBUS_FATAL;
  }
  sink = calloc(1, sizeof *sink);
  if (sink == NULL) {
    say(error, "memory is short");
    return NFBUS_FATAL;
  }
  sink->host = host;
  sink->format = host->format(host->context, format_name);
  memcpy(sink->file, file.text.data, file.text.size);
  *instance = sink;
  return NFBUS_OK;
}

static uint32_t open_sink(void* instance, nfbus_shape* shape, nfbus_error* error) {
  c_sink* sink = instance;
  (void)shape;
  sink->out = fopen(sink->file, "a");
  if (sink->out != NULL) return NFBUS_OK;
  say(error, "cannot open the file");
  return NFBUS_FATAL;
}

static uint32_t write_sink(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error) {
  c_sink* sink = instance;
  uint32_t i;
  (void)report;
  for (i = 0; i < events->count; ++i) {
    const nfbus_text json = sink->host->render(sink->host->context, events->items[i], sink->format);
    fprintf(sink->out, "%.*s\n", (int)json.size, json.data);
  }
  if (fflush(sink->out) == 0) return NFBUS_OK;
  say(error, "cannot write to the file");
  return NFBUS_FATAL;
}

static void close_sink(void* instance) { fclose(((c_sink*)instance)->out); }

static void destroy(void* instance) { free(instance); }

static const nfbus_sink kSink = {
    .struct_size = sizeof(nfbus_sink),
    .create = create,
    .open = open_sink,
    .write = write_sink,
    .close = close_sink,
    .destroy = destroy,
};

static const nfbus_plugin kPlugin = {
    .struct_size = sizeof(nfbus_plugin),
    .plugin_kind = NFBUS_PLUGIN_SINK,
    .event_kinds = NFBUS_EVENT_PACKET,
    .name = NFBUS_TEXT("c_sink"),
    .version = NFBUS_TEXT(C_SINK_VERSION),
    .summary = NFBUS_TEXT("a sink in C"),
    .schema =
        NFBUS_TEXT("{\"type\":\"object\",\"required\":[\"file\"],\"properties\":{\"file\":{\"type\":\"string\"}}}"),
    .sink = &kSink,
};
static const nfbus_plugin* const kPlugins[] = {&kPlugin};

extern NFBUS_EXPORT const nfbus_library nfbus_library_v1;
const nfbus_library nfbus_library_v1 = {
    .abi_major = NFBUS_ABI_MAJOR,
    .abi_minor = NFBUS_ABI_TARGET_MINOR,
    .struct_size = sizeof(nfbus_library),
    .plugin_count = 1,
    .plugins = kPlugins,
};
