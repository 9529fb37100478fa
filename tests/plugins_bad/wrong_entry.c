/* A sink, or with KIND a filter, that does nothing, with one
 * thing wrong: the one that CMakeLists.txt defines. */
#include <nfbus/abi.h>

#ifndef MAJOR
#define MAJOR NFBUS_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR NFBUS_ABI_MINOR
#endif
#ifndef PLUGIN_BYTES
#define PLUGIN_BYTES sizeof(nfbus_plugin)
#endif
#ifndef LIBRARY_BYTES
#define LIBRARY_BYTES sizeof(nfbus_library)
#endif
#ifndef SINK_BYTES
#define SINK_BYTES sizeof(nfbus_sink)
#endif
#ifndef SINK
#define SINK &sink
#endif
#ifndef WRITE
#define WRITE write_events
#endif
#ifndef TICK_MS
#define TICK_MS 0
#endif
#ifndef KIND
#define KIND NFBUS_PLUGIN_SINK
#endif
#ifndef FILTER_BYTES
#define FILTER_BYTES sizeof(nfbus_filter)
#endif
#ifndef TICK
#define TICK NULL
#endif
#ifndef ANNOTATES
#define ANNOTATES 0
#endif
#ifndef EVENTS
#define EVENTS NFBUS_EVENT_PACKET
#endif
#ifndef SCHEMA
#define SCHEMA ""
#endif
#ifndef ENTRY
#define ENTRY nfbus_library_v1
#endif
#ifndef SHAPE_BYTES
#define SHAPE_BYTES sizeof(nfbus_shape)
#endif
#ifndef PLUGINS
#define PLUGINS &plugin
#endif
#ifndef COMMANDS
#define COMMANDS 0
#endif

#ifdef MISSING
void nfbus_test_function_that_nobody_defines(void);
#endif

static uint32_t create(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error) {
  (void)host, (void)options, (void)instance, (void)error;
  return NFBUS_OK;
}

static uint32_t open_output(void* instance, nfbus_shape* shape, nfbus_error* error) {
  (void)instance, (void)shape, (void)error;
#ifdef MISSING
  nfbus_test_function_that_nobody_defines();
#endif
  return NFBUS_OK;
}

__attribute__((unused)) static uint32_t write_events(void* instance, const nfbus_events* events, nfbus_report* report,
                                                     nfbus_error* error) {
  (void)instance, (void)events, (void)report, (void)error;
  return NFBUS_OK;
}

static void end(void* instance) { (void)instance; }

__attribute__((unused)) static const nfbus_sink sink = {
    .struct_size = SINK_BYTES, .create = create, .open = open_output, .write = WRITE, .close = end, .destroy = end};

static uint32_t apply(void* instance, nfbus_filter_call* call, nfbus_error* error) {
  (void)instance, (void)call, (void)error;
  return NFBUS_OK;
}

__attribute__((unused)) static uint32_t tick(void* instance, nfbus_error* error) {
  (void)instance, (void)error;
  return NFBUS_OK;
}

__attribute__((unused)) static const nfbus_filter filter = {
    .struct_size = FILTER_BYTES, .create = create, .apply = apply, .destroy = end, .tick = TICK};

#if ANNOTATES == 1
static const nfbus_text annotated[] = {{NULL, 0}};
#else
#define annotated NULL
#endif

#if COMMANDS == 1
static const nfbus_command runs_nothing = {.struct_size = sizeof(nfbus_command),
                                           .name = NFBUS_TEXT("runs-nothing"),
                                           .summary = NFBUS_TEXT("a command without run()")};
static const nfbus_command* const command_list[] = {&runs_nothing};
#else
#define command_list NULL
#endif

static const nfbus_shape shape = {.struct_size = SHAPE_BYTES, .tick_ms = TICK_MS};

__attribute__((unused)) static const nfbus_plugin plugin = {
    .struct_size = PLUGIN_BYTES,
    .plugin_kind = KIND,
    .event_kinds = EVENTS,
    .name = NFBUS_TEXT(NAME),
    .version = NFBUS_TEXT("1"),
    .summary = NFBUS_TEXT("a plugin that must be refused"),
    .schema = NFBUS_TEXT(SCHEMA),
    .shape = &shape,
    .sink = SINK,
    .filter = &filter,
    .commands = command_list,
    .command_count = COMMANDS,
    .annotates = annotated,
    .annotates_count = ANNOTATES,
};
static const nfbus_plugin* const plugins[] = {PLUGINS};

NFBUS_EXPORT const nfbus_library ENTRY = {
    .abi_major = MAJOR,
    .abi_minor = MINOR,
    .struct_size = LIBRARY_BYTES,
    .plugin_count = sizeof plugins / sizeof plugins[0],
    .plugins = plugins,
};
