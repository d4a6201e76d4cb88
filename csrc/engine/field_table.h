/* field_table.h - the registered fields that were met so far, by Wireshark's field id. */
#ifndef WISHPY_FIELD_TABLE_H
#define WISHPY_FIELD_TABLE_H

#include "field.h"

enum { WP_FIELD_CHUNK = 1024, WP_FIELD_CHUNKS = 4096 };

/* Chunks are made on demand, of the system's zeroed pages, and stay for the life of the process; most of a chunk's pages
 * are never touched. */
extern wp_field_def *wp_field_chunks[WP_FIELD_CHUNKS];

/* The field of an id that is known to be in the table: from a tree or from wp_field_define. No lock. */
static inline wp_field_def *
wp_field_by_id(uint32_t id)
{
    return &wp_field_chunks[id / WP_FIELD_CHUNK][id % WP_FIELD_CHUNK];
}

/* The same field's other facts lie behind the chunk's definitions. */
static inline wp_field_more *
wp_field_more_of(const wp_field_def *def)
{
    return (wp_field_more *)(void *)(wp_field_chunks[def->id / WP_FIELD_CHUNK] + WP_FIELD_CHUNK)
           + def->id % WP_FIELD_CHUNK;
}

/* The entry for a registered field (a header_field_info), made where it is missing. Lock held. NULL: no memory. */
wp_field_def *wp_field_define_locked(const void *registered);

/* "Source Address"; borrowed for good. No lock. */
const char *wp_field_title(const wp_field_def *def);

#endif
