/* origin.h - what a capture says beside its packets: of its section, its interfaces, and secrets to decrypt them with.
 * A packet refers to its origin, so that it can be written into another file with what belongs to it.
 *
 * An origin only grows, while its file is read; what it has said stays as it is. Any thread, no lock needed. */
#ifndef WISHPY_ORIGIN_H
#define WISHPY_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_buffer.h"

typedef struct wp_origin wp_origin;

typedef enum {
    WP_ORIGIN_SECTION = 1,   /* options (see record_bytes.h) */
    WP_ORIGIN_INTERFACE,     /* a wp_interface, then options */
    WP_ORIGIN_SECRETS,       /* their type, a uint32_t, then they themselves */
} wp_origin_kind;

typedef struct {
    uint64_t units;          /* of time, in a second */
    int32_t encapsulation;   /* libwiretap's number */
    int32_t precision;       /* of times: decimal digits behind the second, as libwiretap counts them */
    uint32_t snaplen, spare;
} wp_interface;

typedef struct {
    uint32_t kind, size;
    uint8_t bytes[];
} wp_origin_item;

wp_origin *wp_origin_new(void);   /* NULL without memory */
wp_origin *wp_origin_hold(wp_origin *origin);
void wp_origin_release(wp_origin *origin);   /* NULL is fine */

uint32_t wp_origin_count(wp_origin *origin);
/* Borrowed from the origin, and valid as long as that. */
const wp_origin_item *wp_origin_item_at(wp_origin *origin, uint32_t i);
/* False: no memory, or not an item's bytes. */
bool wp_origin_add(wp_origin *origin, uint32_t kind, const void *bytes, size_t size);

/* An interface of which no file tells, as the bytes of an item. `name` and `filter` (in libpcap's language) may be NULL. */
void wp_interface_append(wp_text *out, int encapsulation, int precision, uint32_t snaplen, const char *name,
                         const char *filter);

/* What was taken over of an open file (a wtap). The pointers are borrowed from it. */
typedef struct {
    const void *interfaces, *secrets;   /* GArrays of blocks; NULL where the format has none */
    unsigned interfaces_seen, secrets_seen;
} wp_origin_file;

/* At the opening, then after each record: what is new goes to the origin. Without memory it is left out. */
void wp_origin_open_file(wp_origin_file *file, wp_origin *origin, void *wtap);
void wp_origin_follow(wp_origin_file *file, wp_origin *origin);

#endif
