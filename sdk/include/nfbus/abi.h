/* nfbus plugin ABI, version 1: the whole boundary between the host and a plugin.
 *
 * A library is a shared object that exports one symbol, `nfbus_library_v1`, of type nfbus_library: plain constant data,
 * which names one or more plugins: sinks, filters and sources. The host accepts a library of the same major version
 * whose minor version, which is the one that it needs, is not newer than its own.
 *
 * Rules that hold everywhere:
 *   - Structs that cross carry struct_size first (the library: after its versions) and only ever grow at the end. A
 *     reader looks at a field only when struct_size covers it. Arrays are arrays of pointers. The three without a size
 *     (nfbus_text, nfbus_bytes and nfbus_field), which stand inside others, never change within a major version. No
 *     struct ends in padding, on any target.
 *   - Strings are pointer and length, UTF-8 unless said otherwise, not terminated. data may be NULL when size is 0.
 *   - Nothing that one side allocated is freed by the other. No exception and no C++ type crosses.
 *   - [control] the host's main thread, at start, reload and stop. [worker] the one thread that serves this instance;
 *     calls to one instance never overlap, whatever their tag, but for nfbus_source.stop. [any] any thread, at any time
 *     in the instance's life.
 *   - Where the host wants an event from a plugin, it is one that the host handed over in this call, or a copy that the
 *     instance holds; never a struct of the plugin's own.
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
#define NFBUS_ABI_MINOR 0

/* The minor version that a plugin needs from its host: what came later is not used. Defined before this header is
 * included, it lets a newer SDK build plugins for older hosts. */
#ifndef NFBUS_ABI_TARGET_MINOR
#define NFBUS_ABI_TARGET_MINOR NFBUS_ABI_MINOR
#endif
#if NFBUS_ABI_TARGET_MINOR > NFBUS_ABI_MINOR
#error "NFBUS_ABI_TARGET_MINOR is newer than this SDK: lower it, or build against a newer SDK"
#endif

/* Checks that a struct ends with its last field, on this target. */
#ifdef __cplusplus
#define NFBUS_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define NFBUS_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define NFBUS_ENDS_WITH(type, field)                                                     \
  NFBUS_STATIC_ASSERT(sizeof(type) == offsetof(type, field) + sizeof(((type*)0)->field), \
                      "nfbus: " #type " ends in padding")

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

/* Kinds of events; a bit mask in nfbus_plugin.event_kinds. */
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

/* Types of values: of fields and of options. */
#define NFBUS_VALUE_TEXT 1u
#define NFBUS_VALUE_INTEGER 2u
#define NFBUS_VALUE_NUMBER 3u
#define NFBUS_VALUE_BOOLEAN 4u
#define NFBUS_VALUE_ARRAY 5u   /* options only */
#define NFBUS_VALUE_TABLE 6u   /* options only */
#define NFBUS_VALUE_ADDRESS 7u /* fields only: "192.0.2.1", "2001:db8::1" */
#define NFBUS_VALUE_JSON 8u    /* fields only: any JSON, shown as it is */

/* A named value that a filter added to an event. `value` is its text whatever the type: "42", "-1.5", "true"; the type
 * says how it is shown (a text in quotes, a number without). */
typedef struct nfbus_field {
  nfbus_text name;
  nfbus_text value;
  uint32_t type; /* NFBUS_VALUE_* */
  uint32_t reserved;
} nfbus_field;
NFBUS_ENDS_WITH(nfbus_field, reserved);

/* Few packets pass a bridge, so that these names stand beside the event. */
typedef struct nfbus_ports {
  uint32_t struct_size;
  uint32_t reserved;
  nfbus_text in_name; /* empty: none or unknown */
  nfbus_text out_name;
} nfbus_ports;
NFBUS_ENDS_WITH(nfbus_ports, out_name);

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
  nfbus_text decode_error;   /* empty: all layers are whole; else what is wrong with the first broken one */
  nfbus_bytes payload;       /* packet: from the network header, as far as captured. message: its text */
  nfbus_bytes hw_header;     /* link-layer header as captured; empty: none */
  nfbus_bytes hw_address;    /* the sender's link-layer address as its driver reads it (NFULA_HWADDR); empty: none */
  nfbus_bytes record;        /* nfgenmsg and netlink attributes, linux/netfilter/nfnetlink_log.h: the DLT_NFLOG body */
  const nfbus_field* fields; /* what filters added */
  const nfbus_ports* ports;  /* names of the bridge ports that the packet passed; NULL: none is known */
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
} nfbus_event;
NFBUS_ENDS_WITH(nfbus_event, reserved);

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
NFBUS_ENDS_WITH(nfbus_dns_record, target);

typedef struct nfbus_dns {
  uint32_t struct_size;
  uint16_t id;
  uint16_t flags; /* the second word of the header: QR, opcode, AA, TC, RD, RA, Z, RCODE */
  uint32_t record_count;
  uint32_t reserved;
  const nfbus_dns_record* const* records; /* in the order of the message */
} nfbus_dns;
NFBUS_ENDS_WITH(nfbus_dns, records);

/* ---- Results --------------------------------------------------------------------------------------------------- */

#define NFBUS_OK 1u
#define NFBUS_RETRY 2u    /* write: what has no outcome comes again, after a backoff that the host keeps */
#define NFBUS_FATAL 3u    /* this instance cannot go on; it is closed, and what is queued counts as rejected */
#define NFBUS_FAILED 4u   /* write: something unforeseen, as an exception: as RETRY; ten without progress close it */
#define NFBUS_REFUSED 5u  /* a function of the host: the argument is not allowed; nothing has changed */
#define NFBUS_FULL 6u     /* nfbus_feed: not all was taken */
#define NFBUS_STOPPING 7u /* nfbus_feed: run() is to return */

/* Where the one that is called says what went wrong. Of a plugin's function: owned by the host, cleared by it before
 * each call. Of a function of the host (match_compile, event_of): the plugin's own, with its struct_size set. */
typedef struct nfbus_error {
  uint32_t struct_size;
  uint32_t size;        /* bytes used in text */
  uint32_t option_size; /* bytes used in option */
  uint32_t reserved;
  char text[1024];
  char option[256]; /* create: the option that is wrong, as JSON pointer ("/drop/0/dst"): the host names its place */
} nfbus_error;
NFBUS_ENDS_WITH(nfbus_error, option);

/* ---- What the host offers to an instance ----------------------------------------------------------------------- */

/* A compiled match: one or more tables of keys (sdk/README.md). Owned by the instance that compiled it. */
typedef struct nfbus_match nfbus_match;

#define NFBUS_LOG_ERROR 1u
#define NFBUS_LOG_WARNING 2u
#define NFBUS_LOG_INFO 3u
#define NFBUS_LOG_DEBUG 4u

/* Of a request to a privileged part, and of its answer. */
#define NFBUS_MAX_REQUEST 1048576u /* bytes */

/* Lives from create() until destroy() has returned. */
typedef struct nfbus_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* context;            /* first argument of every function here */
  nfbus_text instance_name; /* as in the configuration: "archive" for [sink.archive]; of a command: its name */

  /* [any] One line in the host's log. */
  void (*log)(void* context, uint32_t level, nfbus_text line);
  /* [any] Publishes a message event. topic must not lie under the topic root or `nfbus:`. Both texts are copied.
   * NFBUS_OK, or NFBUS_REFUSED. */
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
  /* [any] Compiles a match from JSON text: a table ({"dst":["192.0.2.0/24"],"!proto":"udp"}), or an array of tables,
   * any of which may hold. NULL when it is wrong: then *error says what and where. */
  const nfbus_match* (*match_compile)(void* context, nfbus_text tables, nfbus_error* error);
  /* [worker] Which table holds for the event: the first one's number, counted from 1; 0: none. */
  uint32_t (*match_test)(void* context, const nfbus_match* match, const nfbus_event* event);
  /* [any] Gives a match back; no match_test() with it may be running. match may be NULL. */
  void (*match_release)(void* context, const nfbus_match* match);
  /* [worker] The DNS message that a packet carries (UDP and TCP port 53, mDNS), valid until the next dns() of this
   * instance and not beyond the call that handed the event over. NULL: there is none, or it is broken.
   * Where snaplen cut it, the records that were captured whole are there. */
  const nfbus_dns* (*dns)(void* context, const nfbus_event* event);
  /* [control] In a filter's create() only: messages whose topic starts with `topic_prefix` come to nfbus_filter.hear.
   * NFBUS_REFUSED for others (a sink's `topics` say what it gets) and outside of create(). */
  uint32_t (*listen)(void* context, nfbus_text topic_prefix);
  /* [any] Has the worker call tick() as soon as it can, whatever tick_ms says. Several before that tick are one. Of a
   * filter under [[capture]]: in the next round of the capture. Nothing happens to what has no tick(). */
  void (*wake)(void* context);
  /* [worker] The event as bytes (host/record/README.md): to keep, and to read by event_of() of this or a later nfbus.
   * Valid until the next record() of this instance and not beyond the call that handed the event over. Empty when
   * memory is short. */
  nfbus_bytes (*record)(void* context, const nfbus_event* event);
  /* [worker] The event that record() wrote: a copy as event_copy() gives it, to render, match and give back. NULL when
   * it is no such record: then *error says why. */
  const nfbus_event* (*event_of)(void* context, nfbus_bytes record, nfbus_error* error);
  /* [any] What came after this version without changing it: a struct that the id's header describes, valid as long as
   * the instance. NULL: this host does not know the id. */
  const void* (*extension)(void* context, nfbus_text id);
  /* [worker] And in open(), close() and diagnose(); of a command's instances. Asks the instance's privileged part
   * (nfbus_privileged), and waits at most timeout_ms for its *answer, which is valid until the instance's next
   * request(). Filters of one name share one part, and wait for one another. NFBUS_OK; else *error says why:
   * NFBUS_REFUSED: there is none here, or the request is longer than NFBUS_MAX_REQUEST; NFBUS_RETRY: no answer in time
   * (one that comes later is dropped); NFBUS_FAILED: it answered with an error; NFBUS_FATAL: it has ended. */
  uint32_t (*request)(void* context, nfbus_bytes request, uint32_t timeout_ms, nfbus_bytes* answer, nfbus_error* error);
} nfbus_host;
NFBUS_ENDS_WITH(nfbus_host, request);

typedef struct nfbus_value {
  uint32_t struct_size;
  uint32_t type;   /* NFBUS_VALUE_* */
  nfbus_text text; /* of an array and a table: its JSON */
  int64_t integer; /* also 0 or 1 for a boolean */
  double number;   /* also set for an integer */
  uint32_t count;  /* elements of an array or a table */
  uint32_t reserved;
} nfbus_value;
NFBUS_ENDS_WITH(nfbus_value, reserved);

/* The instance's configuration, already checked against the schema, with defaults filled in. Valid during the call that
 * it is given to. */
typedef struct nfbus_options {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  nfbus_text json; /* the whole table as JSON */
  /* [control] Finds a value by JSON pointer (RFC 6901): "/file", "/drop/0/dst". Fills *value, whose struct_size the
   * caller has set, and returns NFBUS_OK, or returns NFBUS_REFUSED and leaves *value alone when there is none. */
  uint32_t (*get)(void* context, nfbus_text pointer, nfbus_value* value);
} nfbus_options;
NFBUS_ENDS_WITH(nfbus_options, get);

/* How an instance wants to be called. */
typedef struct nfbus_shape {
  uint32_t struct_size;
  uint32_t batch_events; /* sinks: at most so many events a call; 0: 1,024 */
  uint64_t
      batch_bytes; /* sinks: at most so many bytes of records and texts, but a larger event comes alone; 0: 1 MiB */
  uint32_t batch_age_ms; /* sinks: a call may wait so long for half of batch_events; 0: never wait */
  uint32_t tick_ms;      /* call tick() about so often, also when nothing arrives; 0: only after wake() */
} nfbus_shape;
NFBUS_ENDS_WITH(nfbus_shape, tick_ms);

typedef struct nfbus_events {
  uint32_t struct_size;
  uint32_t count;                  /* at least 1 */
  const nfbus_event* const* items; /* all of one kind */
  const void* reserved_pointer;
  uint64_t size_bytes; /* sum of their records or texts */
} nfbus_events;
NFBUS_ENDS_WITH(nfbus_events, size_bytes);

/* Where an instance says what is wrong around it; owned by the host, valid during diagnose(). */
typedef struct nfbus_findings {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* [control] level: NFBUS_LOG_ERROR, _WARNING or _INFO (nothing is wrong). fix: what the user can do; may be empty. */
  void (*found)(void* context, uint32_t level, nfbus_text text, nfbus_text fix);
} nfbus_findings;
NFBUS_ENDS_WITH(nfbus_findings, found);

/* ---- Sinks ----------------------------------------------------------------------------------------------------- */

/* Outcomes of one event. */
#define NFBUS_DELIVERED 1u /* it is where it should be, not merely buffered */
#define NFBUS_AGAIN 2u     /* it comes again, before what came after it */
#define NFBUS_REJECTED 3u  /* it can never be delivered: counted, logged with its reason unless that is empty */

/* What a sink says of a batch besides its return value; owned by the host, valid during write(). */
typedef struct nfbus_report {
  uint32_t struct_size;
  uint32_t retry_after_ms; /* set by the sink, when something comes again: a hint for the backoff; 0: none */
  void* context;
  /* [worker] What became of `count` events from index `first` on: NFBUS_DELIVERED, _AGAIN or _REJECTED. Said once of an
   * event; any order; the return value says it of the others. reason may be empty. */
  void (*outcome)(void* context, uint32_t first, uint32_t count, uint32_t outcome, nfbus_text reason);
  /* [any] How long this write() may still take; 0: its time is over, and it should return at once with what it has. A
   * stop of the host shortens it while write() runs. */
  uint32_t (*time_left_ms)(void* context);
} nfbus_report;
NFBUS_ENDS_WITH(nfbus_report, time_left_ms);

typedef struct nfbus_sink {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] Makes an instance, or says what is wrong with the options, to whoever wrote them. Opens nothing and waits
   * for nobody: `nfbus check` calls it, too, and a reload while an instance of the same name still works. On failure
   * *instance stays as it was and nothing is left behind. */
  uint32_t (*create)(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error);
  /* [control] Opens outputs; must not wait for a peer. *shape comes with the plugin's values and may be changed. After
   * a failure the host calls destroy() without close(). */
  uint32_t (*open)(void* instance, nfbus_shape* shape, nfbus_error* error);
  /* [worker] Takes a batch. What report->outcome() did not name has this outcome: with NFBUS_OK it is delivered; with
   * NFBUS_RETRY and NFBUS_FAILED it comes again; with NFBUS_FATAL the instance is closed, and it is rejected with all
   * that waits. */
  uint32_t (*write)(void* instance, const nfbus_events* events, nfbus_report* report, nfbus_error* error);
  /* [worker] Reopens files after an outside rotation (SIGHUP). May be NULL. A failure is logged; writing goes on. */
  uint32_t (*reopen)(void* instance, nfbus_error* error);
  /* [worker] Brings everything written so far to its destination; before close, at least, and again where something was
   * written since. At a stop the other sinks still get what is published here. May be NULL. */
  uint32_t (*flush)(void* instance, nfbus_error* error);
  /* [worker] About each tick_ms, and after wake(). May be NULL when tick_ms is 0. A failure is logged. */
  uint32_t (*tick)(void* instance, nfbus_error* error);
  /* [worker] The counterpart of a successful open(). */
  void (*close)(void* instance);
  /* [control] The counterpart of create(). */
  void (*destroy)(void* instance);
  /* [control] For `nfbus doctor`: what is wrong around this instance, which is created and not open. May wait for a
   * peer, some seconds long. May be NULL. */
  void (*diagnose)(void* instance, const nfbus_findings* findings);
} nfbus_sink;
NFBUS_ENDS_WITH(nfbus_sink, diagnose);

/* ---- Filters --------------------------------------------------------------------------------------------------- */

#define NFBUS_KEEP 1u
#define NFBUS_DROP 2u

/* Limits of annotate() and set_topic(). */
#define NFBUS_MAX_FIELD_NAME 64u    /* bytes */
#define NFBUS_MAX_FIELD_VALUE 4096u /* bytes */
#define NFBUS_MAX_FIELDS 64u        /* of one event */
#define NFBUS_MAX_TOPIC 255u        /* bytes */

/* Parts of a packet that rewrite() changes. */
#define NFBUS_PART_PAYLOAD 1u    /* nfbus_event.payload */
#define NFBUS_PART_HW_HEADER 2u  /* nfbus_event.hw_header */
#define NFBUS_PART_HW_ADDRESS 3u /* nfbus_event.hw_address */

/* Owned by the host, valid during apply(). What a filter changes is seen by the filters behind it and by the sink; of a
 * filter under [[capture]] by everybody. After a change items[index] is the changed event. */
typedef struct nfbus_filter_call {
  uint32_t struct_size;
  uint32_t count;            /* at least 1 */
  const nfbus_event** items; /* all of one kind; the host's own array: read it anew after a change */
  uint8_t* verdicts;         /* one an event, NFBUS_KEEP at first */
  void* context;
  /* [worker] Adds a field to an event; its texts are copied. A name that the event already has is replaced.
   * NFBUS_REFUSED: beyond the limits above, of an unknown type, no value of that type, or no memory. */
  uint32_t (*annotate)(void* context, uint32_t index, const nfbus_field* field);
  /* [worker] Gives an event another topic, which sinks and their filters see; who gets it was decided before, but for a
   * filter under [[capture]]. NFBUS_REFUSED: empty, too long, no UTF-8, with control characters, or under `nfbus:`. */
  uint32_t (*set_topic)(void* context, uint32_t index, nfbus_text topic);
  /* [worker] Writes other bytes over a part of a packet, from `offset` on. The checksums of IP, TCP, UDP,
   * ICMP and ICMPv6 follow (one that was wrong stays wrong), and what was decoded is decoded anew: a mask for
   * addresses, for one. NFBUS_REFUSED: not within that part, a message, or no memory. */
  uint32_t (*rewrite)(void* context, uint32_t index, uint32_t part, uint32_t offset, nfbus_bytes bytes);
  /* [worker] Keeps the first `size_bytes` of a packet's payload, or all when it has no more; packet_size stays.
   * NFBUS_REFUSED: a message, or no memory. */
  uint32_t (*cut)(void* context, uint32_t index, uint32_t size_bytes);
} nfbus_filter_call;
NFBUS_ENDS_WITH(nfbus_filter_call, cut);

typedef struct nfbus_filter {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] As nfbus_sink.create. */
  uint32_t (*create)(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error);
  /* [control] As nfbus_sink.open; of the shape only tick_ms counts. May be NULL. */
  uint32_t (*open)(void* instance, nfbus_shape* shape, nfbus_error* error);
  /* [worker] Judges a batch ([worker] is the capture thread for a filter named under [[capture]]). On anything but
   * NFBUS_OK the verdicts are ignored, every event is kept (with what was changed of it by then), and the failure is
   * logged and counted. */
  uint32_t (*apply)(void* instance, nfbus_filter_call* call, nfbus_error* error);
  /* [worker] As nfbus_sink.reopen. May be NULL. */
  uint32_t (*reopen)(void* instance, nfbus_error* error);
  /* [worker] About each tick_ms, also when nothing arrives, and after wake(). May be NULL when tick_ms is 0. A failure
   * is logged. */
  uint32_t (*tick)(void* instance, nfbus_error* error);
  /* [worker] Messages that nfbus_host.listen asked for, before the next apply() and at each tick(). They wait in a
   * bounded queue, from which the oldest are dropped and counted. May be NULL. A failure is logged. */
  uint32_t (*hear)(void* instance, const nfbus_events* messages, nfbus_error* error);
  /* [worker] Once, when no event will come any more; what is published here is still delivered. May be NULL. A failure
   * is logged. */
  uint32_t (*finish)(void* instance, nfbus_error* error);
  /* [control] The counterpart of create(), and of open(). */
  void (*destroy)(void* instance);
  /* [control] As nfbus_sink.diagnose. May be NULL. */
  void (*diagnose)(void* instance, const nfbus_findings* findings);
} nfbus_filter;
NFBUS_ENDS_WITH(nfbus_filter, diagnose);

/* ---- Sources --------------------------------------------------------------------------------------------------- */

/* A packet as the kernel would log it. */
typedef struct nfbus_record {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t time_ns;  /* ns since 1970-01-01 UTC, where the record has none; 0: now */
  nfbus_bytes data; /* nfgenmsg and netlink attributes (linux/netfilter/nfnetlink_log.h): the DLT_NFLOG body */
} nfbus_record;
NFBUS_ENDS_WITH(nfbus_record, data);

typedef struct nfbus_message {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t time_ns;  /* ns since 1970-01-01 UTC; 0: now */
  nfbus_text topic; /* not under the topic root or `nfbus:` */
  nfbus_text text;
} nfbus_message;
NFBUS_ENDS_WITH(nfbus_message, text);

/* Where a source hands over what it has; owned by the host, valid during run(). All functions: on run()'s thread. */
typedef struct nfbus_feed {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* Publishes `count` packets, or messages; what they point to is copied. *taken (may be NULL): the first so many are
   * accounted for and must not come again; one that is malformed or refused is counted as that. NFBUS_OK: all of them.
   * NFBUS_FULL: of a lossless source, there was no room for the rest, also after some milliseconds of waiting: hand it
   * over again; of another, all were taken, and some subscriber had to drop events: slow down if you can.
   * NFBUS_STOPPING: as OK, and run() is to return. */
  uint32_t (*records)(void* context, const nfbus_record* const* items, uint32_t count, uint32_t* taken);
  uint32_t (*messages)(void* context, const nfbus_message* const* items, uint32_t count, uint32_t* taken);
  /* Waits until run() is to return, at most so long: NFBUS_STOPPING, or NFBUS_OK when the time is over. */
  uint32_t (*wait)(void* context, uint32_t timeout_ms);
} nfbus_feed;
NFBUS_ENDS_WITH(nfbus_feed, wait);

typedef struct nfbus_source {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] As nfbus_sink.create. */
  uint32_t (*create)(const nfbus_host* host, const nfbus_options* options, void** instance, nfbus_error* error);
  /* [control] Opens inputs; must not wait for a peer. After a failure the host calls destroy() without close(). May be
   * NULL. */
  uint32_t (*open)(void* instance, nfbus_error* error);
  /* [worker] Hands over what comes until the input ends or a stop is asked for. NFBUS_OK: it has ended. NFBUS_FATAL: it
   * cannot go on; the host goes on without it, and says so. */
  uint32_t (*run)(void* instance, const nfbus_feed* feed, nfbus_error* error);
  /* [any] While run() runs, from another thread: run() is to return soon; what feed->wait() cannot interrupt is
   * interrupted here. May be NULL. */
  void (*stop)(void* instance);
  /* [worker] The counterpart of a successful open(). May be NULL. */
  void (*close)(void* instance);
  /* [control] The counterpart of create(). */
  void (*destroy)(void* instance);
  /* [control] As nfbus_sink.diagnose. May be NULL. */
  void (*diagnose)(void* instance, const nfbus_findings* findings);
} nfbus_source;
NFBUS_ENDS_WITH(nfbus_source, diagnose);

/* ---- Commands -------------------------------------------------------------------------------------------------- */

/* An instance of the library's plugins in the configuration. */
typedef struct nfbus_configured {
  uint32_t struct_size;
  uint32_t plugin_kind; /* NFBUS_PLUGIN_* */
  nfbus_text plugin;
  nfbus_text name;              /* "archive" for [sink.archive] */
  const nfbus_options* options; /* checked, with defaults */
  const nfbus_host* host;       /* of it log, extension, match_compile, match_release and request work: that one asks
                                   the instance's privileged part, which runs beside the command as beside a host */
} nfbus_configured;
NFBUS_ENDS_WITH(nfbus_configured, host);

/* Owned by the host, valid during the call. */
typedef struct nfbus_command_call {
  uint32_t struct_size;
  uint32_t argument_count;      /* at least 1 */
  const char* const* arguments; /* ended by NUL; arguments[0] is the command's name */
  const nfbus_configured* const* instances;
  uint32_t instance_count; /* 0 without a configuration */
  uint32_t reserved;
} nfbus_command_call;
NFBUS_ENDS_WITH(nfbus_command_call, reserved);

/* A command that a plugin brings: `nfbus [-c FILE] NAME ...`. */
typedef struct nfbus_command {
  uint32_t struct_size;
  uint32_t reserved;
  nfbus_text name; /* [a-z0-9_-]+, none of the host's own */
  nfbus_text summary;
  /* [control] Prints to standard output, and returns the exit status. Nothing of host but log, extension, match_compile
   * and match_release works here. */
  int32_t (*run)(const nfbus_host* host, const nfbus_command_call* call);
} nfbus_command;
NFBUS_ENDS_WITH(nfbus_command, run);

/* ---- The library ----------------------------------------------------------------------------------------------- */

#define NFBUS_PLUGIN_SINK 1u
#define NFBUS_PLUGIN_FILTER 2u
#define NFBUS_PLUGIN_SOURCE 3u

/* nfbus_plugin.flags */
#define NFBUS_LOSSLESS (1u << 0)            /* a source that can wait: nothing of it is dropped for a full queue */
#define NFBUS_HAS_PRIVILEGED_PART (1u << 1) /* NAME.privileged.so lies beside the library */

typedef struct nfbus_plugin {
  uint32_t struct_size;
  uint32_t plugin_kind; /* NFBUS_PLUGIN_* */
  uint32_t event_kinds; /* NFBUS_EVENT_* that it takes (a source: gives), ORed; 0: packets */
  uint32_t flags;
  nfbus_text name; /* as `plugin = "NAME"` in the configuration: [a-z0-9_-]+ */
  nfbus_text version;
  nfbus_text summary;       /* one line */
  nfbus_text schema;        /* JSON schema of the options; the subset in sdk/README.md. Empty: no options */
  const nfbus_shape* shape; /* sinks; of a filter only tick_ms. May be NULL: all 0 */
  const nfbus_sink* sink;   /* of these three the one that plugin_kind names */
  const nfbus_filter* filter;
  const nfbus_source* source;
  const nfbus_command* const* commands;
  const nfbus_text* annotates; /* filters: the names of all fields that it may add, so that matches on them are known */
  uint32_t command_count;
  uint32_t annotates_count; /* 0 with NULL: it does not say, and may add any */
} nfbus_plugin;
NFBUS_ENDS_WITH(nfbus_plugin, annotates_count);

typedef struct nfbus_library {
  uint16_t abi_major; /* NFBUS_ABI_MAJOR and NFBUS_ABI_TARGET_MINOR; these three never move */
  uint16_t abi_minor;
  uint32_t struct_size;
  uint32_t plugin_count; /* at least 1 */
  uint32_t reserved;
  const nfbus_plugin* const* plugins;
  /* [control] What came after this version without changing it: a struct that the id's header describes, valid as long
   * as the library. NULL: unknown. May be NULL itself. */
  const void* (*extension)(nfbus_text id);
} nfbus_library;
NFBUS_ENDS_WITH(nfbus_library, extension);

#define NFBUS_LIBRARY_SYMBOL "nfbus_library_v1"
#define NFBUS_EXPORT __attribute__((visibility("default")))

/* ---- The privileged part of a plugin --------------------------------------------------------------------------- */

/* Where a part puts its answer; owned by the host, valid during request(). */
typedef struct nfbus_answer {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* The answer, copied; a second call replaces it. NFBUS_REFUSED: longer than NFBUS_MAX_REQUEST. */
  uint32_t (*set)(void* context, nfbus_bytes answer);
} nfbus_answer;
NFBUS_ENDS_WITH(nfbus_answer, set);

/* What needs CAP_NET_ADMIN of a plugin NAME, in a library of its own, NAME.privileged.so in the same folder, which
 * exports `nfbus_privileged_v1`. For each configured instance the host runs one in a process of its own, as the host's
 * user, with that capability and no other. It is started with the host, as root, where root alone can change the
 * configuration and the library; not by a reload, by `check` or for a replay. All functions: on that process's one
 * thread. It ends with the host. */
typedef struct nfbus_privileged {
  uint16_t abi_major; /* NFBUS_ABI_MAJOR and NFBUS_ABI_TARGET_MINOR; these three never move */
  uint16_t abi_minor;
  uint32_t struct_size;
  /* Once, before the plugin's create(): takes the options that this part goes by until its end, whatever the rest of
   * the host asks for. A failure is one of the configuration. */
  uint32_t (*open)(const nfbus_options* options, void** part, nfbus_error* error);
  /* Does what the plugin asks for, as far as the options allow it. Trust nothing in it: the process that asks may have
   * been taken over. Anything but NFBUS_OK is an error, of which the plugin gets the text. */
  uint32_t (*request)(void* part, nfbus_bytes request, const nfbus_answer* answer, nfbus_error* error);
  /* When the host has ended, or its plugin is gone; it has a second. */
  void (*close)(void* part);
} nfbus_privileged;
NFBUS_ENDS_WITH(nfbus_privileged, close);

#define NFBUS_PRIVILEGED_SYMBOL "nfbus_privileged_v1"

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NFBUS_ABI_H */
