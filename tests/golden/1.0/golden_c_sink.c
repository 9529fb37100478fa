/* A sink of ABI 1.0 in C: the first event of a batch is rejected, the second comes again, and the rest is delivered.
 * Its library has an extension. */
#include <nfbus/abi.h>

#include <stdlib.h>
#include <string.h>

typedef struct c_sink {
  const nfbus_host* host;
  uint32_t events;
  uint32_t padding;
} c_sink;

static uint32_t fail(nfbus_error* error, const char* text) {
  error->size = (uint32_t)strlen(text);
  memcpy(error->text, text, error->size);
  return NFBUS_FATAL;
}

static uint32_t create(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error) {
  const nfbus_text pointer = NFBUS_TEXT("/name");
  const nfbus_text counter = NFBUS_TEXT("events");
  const nfbus_text unknown = NFBUS_TEXT("golden.nobody");
  nfbus_value name = {.struct_size = sizeof name};
  c_sink* sink = NULL;
  if (host->extension(host->context, unknown) != NULL) return fail(error, "this host knows everything");
  if (options->get(options->context, pointer, &name) != NFBUS_OK || name.text.size != 4) {
    error->option_size = (uint32_t)pointer.size;
    memcpy(error->option, pointer.data, pointer.size);
    return fail(error, "a name has four letters");
  }
  sink = calloc(1, sizeof *sink);
  if (sink == NULL) return fail(error, "memory is short");
  sink->host = host;
  sink->events = host->counter(host->context, counter);
  *instance = sink;
  return NFBUS_OK;
}

static uint32_t open_sink(void* instance, nfbus_shape* shape, nfbus_error* error) {
  (void)instance, (void)error;
  shape->batch_age_ms = 5;
  return NFBUS_OK;
}

static uint32_t write_sink(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error) {
  const c_sink* sink = instance;
  const nfbus_text reason = NFBUS_TEXT("it was the first");
  const nfbus_text none = {NULL, 0};
  (void)error;
  if (report->time_left_ms(report->context) == 0) return fail(error, "there is no time");
  sink->host->counter_add(sink->host->context, sink->events, events->count);
  report->outcome(report->context, 0, 1, NFBUS_REJECTED, reason);
  if (events->count > 1) report->outcome(report->context, 1, 1, NFBUS_AGAIN, none);
  report->retry_after_ms = 30;
  return NFBUS_OK;
}

static void close_sink(void* instance) {
  const c_sink* sink = instance;
  const nfbus_text line = NFBUS_TEXT("golden c sink closed");
  sink->host->log(sink->host->context, NFBUS_LOG_INFO, line);
}

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
    .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
    .name = NFBUS_TEXT("golden_c_sink"),
    .version = NFBUS_TEXT("1.0"),
    .summary = NFBUS_TEXT("a sink of ABI 1.0 in C"),
    .schema = NFBUS_TEXT("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"default\":\"gold\"}}}"),
    .sink = &kSink,
};
static const nfbus_plugin* const kPlugins[] = {&kPlugin};

static const void* extension(nfbus_text id) {
  static const uint32_t answer = 42;
  const nfbus_text known = NFBUS_TEXT("golden.answer");
  return id.size == known.size && memcmp(id.data, known.data, known.size) == 0 ? &answer : NULL;
}

extern NFBUS_EXPORT const nfbus_library nfbus_library_v1;
const nfbus_library nfbus_library_v1 = {
    .abi_major = NFBUS_ABI_MAJOR,
    .abi_minor = NFBUS_ABI_TARGET_MINOR,
    .struct_size = sizeof(nfbus_library),
    .plugin_count = 1,
    .plugins = kPlugins,
    .extension = extension,
};
