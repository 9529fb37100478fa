/* The extension "nfbus.match_words/1" of nfbus_host: matches as people type them (`src=10.0.0.0/8 !proto=udp`), which
 * keys there are, and whether a match is one that a stranger may ask for. */
#ifndef NFBUS_MATCH_WORDS_H
#define NFBUS_MATCH_WORDS_H

#include <nfbus/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NFBUS_MATCH_WORDS "nfbus.match_words/1"

/* Owned by the host, valid as long as the instance. All functions: any thread. */
typedef struct nfbus_match_words {
  uint32_t struct_size;
  uint32_t key_count;
  const nfbus_text* keys; /* of matches, the fields that the configured filters declare among them */
  const void* context;
  /* Calls take(taker, TABLE) with the table that the words stand for, as JSON for match_compile. NFBUS_OK, or
   * NFBUS_REFUSED: *error (its struct_size set) says what is wrong, and in which column. */
  uint32_t (*table)(const void* context, nfbus_text words, void (*take)(void* taker, nfbus_text table), void* taker,
                    nfbus_error* error);
  /* Whether match_compile would take this table, or array of tables, and within the time that whoever may connect may
   * cost: tcpdump expressions of 64 words in all. NFBUS_OK, or NFBUS_REFUSED: as above. */
  uint32_t (*check)(const void* context, nfbus_text tables, nfbus_error* error);
} nfbus_match_words;

#ifdef __cplusplus
}
#endif

#endif
