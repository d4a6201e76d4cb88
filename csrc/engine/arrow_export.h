/* arrow_export.h - the Arrow C data and stream interface: batches, schemas and streams for whoever speaks Arrow.
 * The three structs are the ABI of https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html.
 * No release callback here touches Python: each may be called from any thread, at any time. */
#ifndef WISHPY_ARROW_EXPORT_H
#define WISHPY_ARROW_EXPORT_H

#include <stdint.h>

#include "status.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

enum { ARROW_FLAG_NULLABLE = 2 };

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};
#endif

/* ---- batches ---- */

enum { WP_ARRAY_BUFFERS = 3 };

/* One array and what lies below it. Everything is owned by the batch that it is a part of. */
typedef struct wp_array {
    int64_t length, null_count;
    unsigned buffer_count;
    void *buffers[WP_ARRAY_BUFFERS];   /* malloc'ed; [0] is the validity bitmap, NULL where nothing is null */
    uint32_t child_count;
    struct wp_array *children;         /* malloc'ed array, or NULL */
    struct wp_array *dictionary;       /* malloc'ed, or NULL */
} wp_array;

/* A batch of rows: a struct array. Never changes; it lives as long as somebody holds a reference, be it an exported
 * array or one of its children that was moved away. */
typedef struct wp_batch wp_batch;

/* A batch with room for so many columns, all zero, and one reference. NULL: no memory. */
wp_batch *wp_batch_new(uint32_t columns);
wp_array *wp_batch_root(wp_batch *batch);
void wp_batch_hold(wp_batch *batch);
void wp_batch_release(wp_batch *batch);   /* NULL is fine */

/* Fills *out with an array that shares the batch's buffers. WP_EMEMORY leaves it released. */
wp_status wp_batch_export(wp_batch *batch, struct ArrowArray *out);

/* ---- schemas ---- */

typedef struct {
    const char *key, *value;   /* borrowed during the call */
} wp_metadata;

/* Makes *out a schema with so many children (all zero, to be filled by the caller). The texts are copied. */
wp_status wp_schema_make(struct ArrowSchema *out, const char *format, const char *name, int64_t flags,
                         const wp_metadata *metadata, uint32_t metadata_count, uint32_t children);
/* Gives the schema a dictionary of this format. */
wp_status wp_schema_add_dictionary(struct ArrowSchema *schema, const char *format);

/* ---- streams ---- */

/* What a stream reads from. */
typedef struct {
    wp_status (*schema)(void *self, struct ArrowSchema *out);
    /* WP_OK with a new reference in *batch; WP_END; or an error. Never WP_AGAIN. */
    wp_status (*next)(void *self, wp_batch **batch, wp_error *error);
    void (*free)(void *self);   /* any thread, no GIL */
} wp_stream_vtable;

/* Makes *out a stream over `self`, which it owns from now on; on failure self is freed. */
wp_status wp_stream_export(const wp_stream_vtable *vtable, void *self, struct ArrowArrayStream *out);

#endif
