/* packet_tree.h - the kept copy of a dissected packet: one relocatable block, offsets and no pointers.
 * Keeping, pickling, sending to another process and freeing it are one memcpy, write or free each.
 *
 *   wp_block | wp_node[node_count], in the order of the tree | heap: labels, strings, bytes | rest
 *
 * The tree comes first, when somebody asks for it; the rest (the frame's bytes and the other data sources, columns,
 * comment) follows when the packet outlives the dissection. Inside a process a block is trusted; one that comes
 * from outside (pickle) goes through wp_block_check. */
#ifndef WISHPY_PACKET_TREE_H
#define WISHPY_PACKET_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "field.h"
#include "field_table.h"
#include "field_value.h"
#include "status.h"
#include "text_buffer.h"

/* What is known of a frame without its tree. */
typedef struct {
    int64_t seconds;         /* since the epoch; valid where has_time */
    int32_t nanoseconds;
    uint32_t number;
    uint32_t length, captured_length;
    int32_t encapsulation;   /* libwiretap's number */
    uint32_t interface_index;    /* among all of its origin */
    uint8_t has_time, has_interface;
    uint8_t flat;            /* only the fields asked for, without nesting */
    uint8_t left_out;        /* not dissected, see wp_session_leave_out */
    uint8_t record_type;     /* libwiretap's number; 0: a packet */
    int8_t precision;        /* of the time: decimal digits behind the second, as libwiretap counts them */
} wp_frame;

typedef struct {
    uint32_t field;          /* field id, see field_table.h */
    uint32_t end;            /* index of the first node after this one's descendants */
    int32_t start, length;
    uint32_t flags_source;   /* FI_* flags in the low 16 bits (what follows is expert's), data source in the high 16 */
    uint32_t label;          /* heap offset + 1 of the line's own text; 0: none */
    union {
        uint64_t number;
        double real;
        struct {
            uint32_t at, size;     /* in the heap; a time is 12 bytes there */
        };
    };
} wp_node;

typedef struct {
    uint32_t magic;
    uint32_t size;           /* of the whole block, in bytes */
    uint32_t node_count;
    uint32_t heap_size;
    uint32_t rest;           /* offset of the wp_rest; 0: not there yet */
    wp_resolution resolution;
    wp_frame frame;
} wp_block;

enum { WP_BLOCK_MAGIC = 0x32705057 };   /* "WPp2", in this machine's byte order */

/* Texts are NUL-terminated, at offsets from the block's start; 0: none. */
typedef struct {
    uint32_t source_count, sources;      /* wp_block_source[] */
    uint32_t column_count, columns;      /* wp_block_column[] */
    uint32_t expert_count, experts;      /* wp_block_expert[] */
    uint32_t follow_count, follows;      /* wp_block_follow[] */
    uint32_t comment, interface_name, protocols;
    uint32_t extra, extra_size;          /* see record_bytes.h; for a file to be written */
} wp_rest;

/* The first one is the frame: behind its `length` may lie the rest of frame.captured_length. */
typedef struct {
    uint32_t name, bytes, length;
} wp_block_source;

typedef struct {
    uint32_t title, text;
} wp_block_column;

typedef struct {
    uint32_t severity, group, summary, protocol;
} wp_block_expert;

/* A stream that the frame belongs to: named by a filter, or by as many numbers as `numbers` says. */
typedef struct {
    uint32_t name, filter;
    uint32_t numbers, stream, sub_stream;
} wp_block_follow;

static inline const wp_node *
wp_block_nodes(const wp_block *block)
{
    return (const wp_node *)(block + 1);
}

static inline const uint8_t *
wp_block_heap(const wp_block *block)
{
    return (const uint8_t *)(wp_block_nodes(block) + block->node_count);
}

static inline const wp_rest *
wp_block_rest(const wp_block *block)
{
    return block->rest == 0 ? NULL : (const wp_rest *)((const uint8_t *)block + block->rest);
}

static inline const char *
wp_block_text(const wp_block *block, uint32_t at)
{
    return at == 0 ? NULL : (const char *)block + at;
}

/* Node i as a view; it lives as long as the block. */
static inline void
wp_block_field(const wp_block *block, uint32_t i, wp_field *field)
{
    const wp_node *node = &wp_block_nodes(block)[i];
    const uint8_t *heap = wp_block_heap(block);
    field->def = wp_field_by_id(node->field);
    field->label = node->label == 0 ? NULL : (const char *)heap + (node->label - 1);
    field->start = node->start;
    field->length = node->length;
    field->flags = node->flags_source & 0xffffu;
    field->source = node->flags_source >> 16;
    switch ((wp_kind)field->def->kind) {
    case WP_ABSTIME:
    case WP_RELTIME:
        memcpy(&field->value.time.seconds, heap + node->at, 8);
        memcpy(&field->value.time.nanoseconds, heap + node->at + 8, 4);
        break;
    case WP_STRING:
    case WP_BYTES:
    case WP_IPV6:
    case WP_ETHER:
    case WP_GUID:
        field->value.bytes = heap + node->at;
        field->value.length = node->size;
        break;
    case WP_OTHER:   /* the text lies behind the bytes */
        field->value.bytes = heap + node->at;
        field->value.length = node->size;
        field->value.text = (const char *)heap + node->at + node->size;
        break;
    default:
        field->value.number = node->number;
        break;
    }
}

/* What to copy of a tree. */
typedef struct {
    wp_resolution resolution;
    const uint8_t *wanted;        /* borrowed: bit set of field ids; then only those, and no nesting. NULL: all */
    uint32_t wanted_ids;
} wp_tree_options;

/* Copies a live tree (an epan_dissect_t that has run) into a new block, without its rest. Lock held. *block is
 * malloc'ed. */
wp_status wp_block_copy_locked(const void *edt, const wp_frame *frame, const wp_tree_options *options,
                               wp_block **block, wp_error *error);

/* What the rest is made of, beside what is in the epan_dissect_t. */
typedef struct {
    const char *comment;          /* borrowed; NULL: none */
    const char *interface_name;   /* borrowed; NULL: none */
    const wp_text *extra;         /* borrowed; see record_bytes.h */
    bool columns;                 /* the dissection was run with columns */
    void *experts;                /* borrowed: a GArray of wp_expert, which is put in order */
    void *follows;                /* borrowed: an empty GArray of wp_follow, to be filled */
} wp_rest_facts;

/* Appends the rest to the block, which may move. Lock held; the tree must still be alive. */
wp_status wp_block_finish_locked(void *edt, const wp_rest_facts *facts, wp_block **block, wp_error *error);

/* A finished block in its parts: head, nodes, and the heap with the rest behind it. One after the other they are the
 * block, without the copies that it takes to put them in one place. */
typedef struct {
    wp_block head;
    const wp_node *nodes;         /* borrowed, as is the heap: valid until they are returned */
    const uint8_t *heap;
    uint32_t heap_size;           /* of the heap and the rest */
} wp_lent_block;

/* Copies a live tree and its rest. Lock held, until wp_block_return_locked, which is due after a failure as well. */
wp_status wp_block_lend_locked(void *edt, const wp_frame *frame, const wp_tree_options *options,
                               const wp_rest_facts *facts, wp_lent_block *lent, wp_error *error);
void wp_block_return_locked(void);

/* Is a block from outside whole and consistent? Every offset is checked; the fields' ids are the caller's to check. */
bool wp_block_check(const wp_block *block, size_t size);

#endif
