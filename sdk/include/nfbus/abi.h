/* nfbus plugin ABI, version 1: the whole boundary between the host and a plugin.
 *
 * A plugin is a shared object that exports one symbol, `nfbus_plugin_entry`, of type nfbus_entry: plain constant
 * data. The host accepts a plugin of the same major version whose minor version is not newer than its own.
 *
 * Rules that hold everywhere:
 *   - Structs that cross carry struct_size first (the entry: after its versions) and only ever grow at the end. A
 *     reader looks at a field only when struct_size covers it. The few without one (nfbus_text, _bytes, _field, _shape
 *     and _command), which stand inside others or in arrays, never change within a major version.
 *   - Strings are pointer and length, UTF-8 unless said otherwise, not terminated. data may be NULL when size is 0.
 *   - Nothing that one side allocated is freed by the other. No exception and no C++ type crosses.
 *   - [control] the host's main thread, at start, reload and stop. [worker] the one thread that serves this instance;
 *     calls to one instance never overlap, whatever their tag. [any] any thread, at any time in the instance's life.
 *   - A plugin's code stays mapped until the process ends.
 */
#ifndef NFBUS_ABI_H
#define NFBUS_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NFBUS_ABI_MAJOR 1
#define NFBUS_ABI_MINOR 1

typedef struct nfbus_text {
  const char* data;
  size_t size;
} nfbus_text;

typedef struct nfbus_bytes {
  const uint8_t* data;
  size_t size;
} nfbus_bytes;

/* An nfbus_text of a string literal, for constant data. */
#define NFBUS_TEXT(literal) \
  { literal, sizeof(literal) - 1 }

/* ---- Events ---------------------------------------------------------------------------------------------------- */

/* Kinds of events; a bit mask in nfbus_entry.event_kinds. */
#define NFBUS_EVENT_PACKET 1u  /* a packet that the kernel logged */
#define NFBUS_EVENT_MESSAGE 2u /* a text that a client, a plugin or the host published */

#define NFBUS_ACTION_ALLOWED 1u
#define NFBUS_ACTION_BLOCKED 2u

/* nfbus_event.present: which of the optional values the kernel (or the replayed file) gave. */
#define NFBUS_HAS_KERNEL_TIME (1u << 0) /* time_ns is the kernel's; else the time of receipt */
#define NFBUS_HAS_MARK (1u << 1)
#define NFBUS_HAS_UID (1u << 2)
#define NFBUS_HAS_GID (1u << 3)
#define NFBUS_HAS_SEQUENCE (1u << 4)
#define NFBUS_HAS_IN (1u << 5)  /* in_index (and in_name, as far as known) */
#define NFBUS_HAS_OUT (1u << 6) /* out_index */
#define NFBUS_HAS_HW_TYPE (1u << 7)
#define NFBUS_HAS_PORTS (1u << 8) /* source_port and destination_port (TCP, UDP, SCTP; not in later fragments) */
#define NFBUS_HAS_PHYS_IN (1u << 9)
#define NFBUS_HAS_PHYS_OUT (1u << 10)

/* nfbus_event.layers: what was decoded whole. */
#define NFBUS_LAYER_ETHERNET (1u << 0) /* hw_header is an Ethernet header of 14 bytes or more */
#define NFBUS_LAYER_VLAN (1u << 1)     /* vlan_tci, vlan_protocol are valid */
#define NFBUS_LAYER_ARP (1u << 2)
#define NFBUS_LAYER_IPV4 (1u << 3)
#define NFBUS_LAYER_IPV6 (1u << 4)
#define NFBUS_LAYER_FRAGMENT (1u << 5) /* a fragment other than the first: no transport header in it */
#define NFBUS_LAYER_TCP (1u << 6)
#define NFBUS_LAYER_UDP (1u << 7)
#define NFBUS_LAYER_ICMP (1u << 8)
#define NFBUS_LAYER_ICMPV6 (1u << 9)
#define NFBUS_LAYER_SCTP (1u << 10)
#define NFBUS_LAYER_AH (1u << 11)
#define NFBUS_LAYER_ESP (1u << 12)

/* A named text that a filter added to an event. */
typedef struct nfbus_field {
  nfbus_text name;
  nfbus_text value;
} nfbus_field;

#define NFBUS_NO_OFFSET 0xffffu

/* One event, owned by the host. Events cross as an array of pointers, so the struct may grow. Everything that it
 * points to lives as long as the event: until the call that handed it over returns (see nfbus_host.event_copy). */
typedef struct nfbus_event {
  uint32_t struct_size;
  uint8_t kind;       /* NFBUS_EVENT_* */
  uint8_t action;     /* NFBUS_ACTION_*; packets */
  uint8_t hook;       /* netfilter hook as the kernel numbers it (linux/netfilter.h) */
  uint8_t family;     /* NFPROTO_* of the table that logged it */
  int64_t time_ns;    /* ns since 1970-01-01 UTC */
  uint32_t present;   /* NFBUS_HAS_* */
  uint32_t layers;    /* NFBUS_LAYER_* */
  nfbus_text topic;   /* topic_root + lower(trim(prefix)); a message's topic as published */
  nfbus_text prefix;  /* the rule's log prefix, raw: any bytes but NUL */
  nfbus_text in_name; /* interface names; empty: none or unknown */
  nfbus_text out_name;
  nfbus_bytes payload;       /* packet: from the network header, as far as captured. message: its text */
  nfbus_bytes hw_header;     /* link-layer header as captured; empty: none */
  nfbus_bytes record;        /* nfgenmsg and netlink attributes, linux/netfilter/nfnetlink_log.h: the DLT_NFLOG body */
  const nfbus_field* fields; /* what filters added */
  uint32_t field_count;
  uint32_t packet_size; /* the packet's length on the wire from the network header; payload.size or more */
  uint32_t in_index;
  uint32_t out_index;
  uint32_t phys_in_index; /* bridge port */
  uint32_t phys_out_index;
  uint32_t mark;
  uint32_t uid; /* packet: of the socket's owner; message: of the publishing peer */
  uint32_t gid;
  uint32_t sequence;
  uint32_t lost_before; /* packets of this group that the kernel lost just before this one */
  uint16_t group;
  uint16_t ether_type; /* EtherType of the network header, host order */
  uint16_t hw_type;    /* ARPHRD_* */
  uint16_t vlan_tci;
  uint16_t vlan_protocol;
  uint16_t transport_offset; /* from payload.data; NFBUS_NO_OFFSET: none */
  uint16_t data_offset;      /* of what the transport header carries; NFBUS_NO_OFFSET: none */
  uint16_t source_port;      /* host order */
  uint16_t destination_port;
  uint8_t ip_protocol; /* the last header's protocol after IPv6 extension headers; valid with LAYER_IPV4 or _IPV6 */
  uint8_t reserved;
  nfbus_text decode_error; /* empty: all layers are whole; else what is wrong with the first broken one */
  /* Since minor 1. */
  nfbus_bytes hw_address; /* the sender's link-layer address as its driver reads it (NFULA_HWADDR); empty: none */
} nfbus_event;

/* ---- DNS messages ---------------------------------------------------------------------------------------------- */

#define NFBUS_DNS_QUESTION 1u
#define NFBUS_DNS_ANSWER 2u
#define NFBUS_DNS_AUTHORITY 3u
#define NFBUS_DNS_ADDITIONAL 4u

/* One question or resource record (RFC 1035, sections 4.1.2 and 4.1.3). Names are dotted, without the trailing dot, in
 * the case and with the bytes of the message: not always UTF-8. */
typedef struct nfbus_dns_record {
  uint32_t struct_size;
  uint16_t section; /* NFBUS_DNS_* */
  uint16_t type;    /* as on the wire: 1 A, 5 CNAME, 28 AAAA */
  uint16_t dns_class;
  uint16_t reserved;
  uint32_t ttl_s; /* 0 for a question */
  nfbus_text name;
  nfbus_bytes data;  /* RDATA as it stands in the message; empty for a question */
  nfbus_text target; /* the name in the data of CNAME, NS, PTR, MX and SRV; else empty */
} nfbus_dns_record;

typedef struct nfbus_dns {
  uint32_t struct_size;
  uint16_t id;
  uint16_t flags; /* the second word of the header: QR, opcode, AA, TC, RD, RA, Z, RCODE */
  uint32_t record_count;
  uint32_t reserved;
  const nfbus_dns_record* const* records; /* in the order of the message */
} nfbus_dns;

/* ---- Results --------------------------------------------------------------------------------------------------- */

#define NFBUS_OK 1u
#define NFBUS_RETRY 2u /* write only: the rest of the events comes again, after a backoff that the host keeps */
#define NFBUS_FATAL 3u /* this instance cannot go on; it is closed, and what is queued counts as rejected */

/* Where a plugin says what went wrong: owned by the host, cleared by it before each call. */
typedef struct nfbus_error {
  uint32_t struct_size;
  uint32_t size; /* bytes used in text */
  char text[1016];
} nfbus_error;

/* ---- What the host offers to an instance ----------------------------------------------------------------------- */

/* A compiled match: one or more tables of keys (sdk/README.md). Owned by the instance that compiled it. */
typedef struct nfbus_match nfbus_match;

#define NFBUS_LOG_ERROR 1u
#define NFBUS_LOG_WARNING 2u
#define NFBUS_LOG_INFO 3u
#define NFBUS_LOG_DEBUG 4u

/* Lives from create() until destroy() has returned. */
typedef struct nfbus_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* context;            /* first argument of every function here */
  nfbus_text instance_name; /* as in the configuration: "archive" for [sink.archive] */

  /* [any] One line in the host's log. */
  void (*log)(void* context, uint32_t level, nfbus_text line);
  /* [any] Publishes a message event. topic must not lie under the topic root or `nfbus:`. Both texts are copied.
   * Returns NFBUS_OK, or NFBUS_FATAL when the topic is refused. */
  uint32_t (*publish)(void* context, nfbus_text topic, nfbus_text text);
  /* [control] The number of a text format ("ulogd"), 0 when this host does not know it. */
  uint32_t (*format)(void* context, nfbus_text name);
  /* [worker] The event as one line of JSON without the newline, valid until the call that handed the event over
   * returns. format comes from format(). Empty when the format cannot show this kind of event. */
  nfbus_text (*render)(void* context, const nfbus_event* event, uint32_t format);
  /* [worker] A self-contained copy that outlives the call; counted per instance. NULL when memory is short. */
  const nfbus_event* (*event_copy)(void* context, const nfbus_event* event);
  /* [any] Gives a copy back. event may be NULL. */
  void (*event_release)(void* context, const nfbus_event* event);
  /* [control] Registers a counter, shown as NAME under this instance. Returns its number, 0 when there are too many. */
  uint32_t (*counter)(void* context, nfbus_text name);
  /* [any] Adds to a counter. Number 0 is ignored. */
  void (*counter_add)(void* context, uint32_t counter, uint64_t amount);
  /* Since minor 1. */
  /* [any] Compiles a match from JSON text: a table ({"dst":["192.0.2.0/24"],"!proto":"udp"}), or an array of tables,
   * any of which may hold. NULL when it is wrong: then *error says what and where. */
  const nfbus_match* (*match_compile)(void* context, nfbus_text tables, nfbus_error* error);
  /* [worker] Which table holds for the event: the first one's number, counted from 1; 0: none. */
  uint32_t (*match_test)(void* context, const nfbus_match* match, const nfbus_event* event);
  /* [any] Gives a match back; no match_test() with it may be running. match may be NULL. */
  void (*match_release)(void* context, const nfbus_match* match);
  /* [worker] The DNS message that a packet carries (UDP and TCP port 53, mDNS), valid until the next dns() of this
   * instance and not beyond the call that handed the event over. NULL: there is none, or it is broken. */
  const nfbus_dns* (*dns)(void* context, const nfbus_event* event);
  /* [control] In a filter's create() only: messages whose topic starts with `topic_prefix` come to nfbus_filter.hear.
   * NFBUS_FATAL for a sink (its `topics` say what it gets) and outside of create(). */
  uint32_t (*listen)(void* context, nfbus_text topic_prefix);
} nfbus_host;

/* The instance's configuration, already checked against the schema, with defaults filled in. Valid during create(). */
#define NFBUS_VALUE_TEXT 1u
#define NFBUS_VALUE_INTEGER 2u
#define NFBUS_VALUE_NUMBER 3u
#define NFBUS_VALUE_BOOLEAN 4u
#define NFBUS_VALUE_ARRAY 5u
#define NFBUS_VALUE_TABLE 6u

typedef struct nfbus_value {
  uint32_t struct_size;
  uint32_t type;   /* NFBUS_VALUE_* */
  nfbus_text text; /* of an array and a table: its JSON (since minor 1) */
  int64_t integer; /* also 0 or 1 for a boolean */
  double number;   /* also set for an integer */
  size_t count;    /* elements of an array or a table */
} nfbus_value;

typedef struct nfbus_options {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  nfbus_text json; /* the whole table as JSON */
  /* [control] Finds a value by JSON pointer (RFC 6901): "/file", "/drop/0/dst". Fills *value and returns NFBUS_OK, or
   * returns NFBUS_FATAL and leaves *value alone when there is none. */
  uint32_t (*get)(void* context, nfbus_text pointer, nfbus_value* value);
} nfbus_options;

/* ---- Sinks ----------------------------------------------------------------------------------------------------- */

/* How a sink wants its batches. */
typedef struct nfbus_shape {
  uint64_t batch_bytes;  /* at most so many bytes of records and texts, but a larger event comes alone; 0: 1 MiB */
  uint32_t batch_events; /* at most so many events a call; 0: 1,024 */
  uint32_t batch_age_ms; /* a call may wait so long for half of batch_events; 0: never wait */
  uint32_t tick_ms;      /* call tick() about so often, also when nothing arrives; 0: never */
  uint32_t reserved;
} nfbus_shape;

typedef struct nfbus_events {
  uint32_t struct_size;
  uint32_t count;                  /* at least 1 */
  const nfbus_event* const* items; /* all of one kind */
  uint64_t size_bytes;             /* sum of their records or texts */
} nfbus_events;

/* What a sink says of a batch besides its return value; owned by the host. */
typedef struct nfbus_report {
  uint32_t struct_size;
  uint32_t done;           /* with RETRY: the first `done` events are delivered (or rejected) and do not come again */
  uint32_t retry_after_ms; /* with RETRY: a hint for the backoff; 0: none */
  uint32_t reserved;
  void* context;
  /* [worker] This event can never be delivered. Counted, logged with its reason unless that is empty; the others go on.
   */
  void (*rejected)(void* context, uint32_t index, nfbus_text reason);
} nfbus_report;

typedef struct nfbus_sink {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] Makes an instance, or says what is wrong with the options, to whoever wrote them. Opens nothing and waits
   * for nobody: `nfbus check` calls it, too, and a reload while an instance of the same name still works. On failure
   * *instance stays as it was and nothing is left behind. */
  uint32_t (*create)(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error);
  /* [control] Opens outputs; must not wait for a peer. *shape comes with the entry's values and may be changed. After
   * a failure the host calls destroy() without close(). */
  uint32_t (*open)(void* instance, nfbus_shape* shape, nfbus_error* error);
  /* [worker] Takes a batch. NFBUS_OK: every event not rejected is delivered, not merely buffered. NFBUS_RETRY: see
   * nfbus_report. NFBUS_FATAL: the instance is closed. */
  uint32_t (*write)(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error);
  /* [worker] Reopens files after an outside rotation (SIGHUP). May be NULL. A failure is logged; writing goes on. */
  uint32_t (*reopen)(void* instance, nfbus_error* error);
  /* [worker] Brings everything written so far to its destination; before close, at least. May be NULL. */
  uint32_t (*flush)(void* instance, nfbus_error* error);
  /* [worker] About each tick_ms. May be NULL when tick_ms is 0. A failure is logged. */
  uint32_t (*tick)(void* instance, nfbus_error* error);
  /* [worker] The counterpart of a successful open(). */
  void (*close)(void* instance);
  /* [control] The counterpart of create(). */
  void (*destroy)(void* instance);
} nfbus_sink;

/* ---- Filters --------------------------------------------------------------------------------------------------- */

#define NFBUS_KEEP 1u
#define NFBUS_DROP 2u

typedef struct nfbus_filter_call {
  uint32_t struct_size;
  uint32_t count;                  /* at least 1 */
  const nfbus_event* const* items; /* all of one kind */
  uint8_t* verdicts;               /* one an event, NFBUS_KEEP at first */
  void* context;
  /* [worker] Adds a field to an event for those downstream; both texts are copied. A name that the event already has
   * is replaced. */
  void (*annotate)(void* context, uint32_t index, nfbus_text name, nfbus_text value);
} nfbus_filter_call;

typedef struct nfbus_filter {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] As nfbus_sink.create. */
  uint32_t (*create)(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error);
  /* [worker] Judges a batch ([worker] is the capture thread for a filter named under [[capture]]). On anything but
   * NFBUS_OK the verdicts are ignored, every event is kept, and the failure is logged and counted. */
  uint32_t (*apply)(void* instance, nfbus_filter_call* call, nfbus_error* error);
  /* [control] The counterpart of create(). */
  void (*destroy)(void* instance);
  /* Since minor 1. */
  /* [worker] About each shape.tick_ms of the entry, also when nothing arrives. May be NULL when tick_ms is 0. A failure
   * is logged. */
  uint32_t (*tick)(void* instance, nfbus_error* error);
  /* [worker] Messages that nfbus_host.listen asked for, before the next apply() and at each tick(). They wait in a
   * bounded queue, from which the oldest are dropped and counted. May be NULL. A failure is logged. */
  uint32_t (*hear)(void* instance, const nfbus_events* messages, nfbus_error* error);
  /* [worker] Once, when no event will come any more; what is published here is still delivered. May be NULL. A failure
   * is logged. */
  uint32_t (*finish)(void* instance, nfbus_error* error);
} nfbus_filter;

/* ---- The entry ------------------------------------------------------------------------------------------------- */

#define NFBUS_PLUGIN_SINK 1u
#define NFBUS_PLUGIN_FILTER 2u

/* A command that a plugin brings: `nfbus NAME ...`. argv[0] is NAME; strings end with NUL. Returns the exit status. */
typedef struct nfbus_command {
  nfbus_text name;
  nfbus_text summary;
  int (*run)(const nfbus_host* host, int argc, const char* const* argv); /* [control] */
} nfbus_command;

/* Called once for each finding of diagnose(): level is NFBUS_LOG_*, fix may be empty. */
typedef void (*nfbus_finding)(void* context, uint32_t level, nfbus_text text, nfbus_text fix);

typedef struct nfbus_entry {
  uint16_t abi_major; /* NFBUS_ABI_MAJOR that the plugin was built against; these three never move */
  uint16_t abi_minor;
  uint32_t struct_size;
  uint32_t plugin_kind; /* NFBUS_PLUGIN_* */
  uint32_t event_kinds; /* NFBUS_EVENT_* it takes, ORed; 0: packets */
  nfbus_text name;      /* as `plugin = "NAME"` in the configuration: [a-z0-9_-]+ */
  nfbus_text version;
  nfbus_text summary;         /* one line */
  nfbus_text schema;          /* JSON schema of the options; the subset in sdk/README.md. Empty: no options */
  nfbus_shape shape;          /* sinks; of a filter only tick_ms */
  const nfbus_sink* sink;     /* when plugin_kind is NFBUS_PLUGIN_SINK */
  const nfbus_filter* filter; /* when plugin_kind is NFBUS_PLUGIN_FILTER */
  const nfbus_command* commands;
  size_t command_count;
  /* [control] For `nfbus doctor`: what is wrong with this machine. May be NULL. */
  void (*diagnose)(const nfbus_host* host, nfbus_finding found, void* context);
  /* Since minor 1. */
  const nfbus_text* annotates; /* filters: the names of all fields that it may add, so that matches on them are known */
  size_t annotates_count;      /* 0 with NULL: it does not say, and may add any */
} nfbus_entry;

#define NFBUS_ENTRY_SYMBOL "nfbus_plugin_entry"
#define NFBUS_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NFBUS_ABI_H */
