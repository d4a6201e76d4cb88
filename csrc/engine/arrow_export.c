/* arrow_export.c - the Arrow C data and stream interface, with plain malloc and atomic reference counts.
 * Every exported array holds a reference to its batch of its own, since a consumer may move a child out of its parent
 * and release the parent first. */
#include "arrow_export.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- batches ---- */

struct wp_batch {
    atomic_size_t references;
    wp_array root;
};

wp_batch *
wp_batch_new(uint32_t columns)
{
    wp_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->root.children = calloc(columns == 0 ? 1 : columns, sizeof *batch->root.children);
    if (batch->root.children == NULL) {
        free(batch);
        return NULL;
    }
    atomic_init(&batch->references, 1);
    batch->root.buffer_count = 1;
    batch->root.child_count = columns;
    return batch;
}

wp_array *
wp_batch_root(wp_batch *batch)
{
    return &batch->root;
}

void
wp_batch_hold(wp_batch *batch)
{
    atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
}

/* Frees what is in an array, not the array itself. As deep as a list of a dictionary, no deeper. */
static void
free_array(wp_array *array)
{
    for (unsigned i = 0; i < WP_ARRAY_BUFFERS; i++) {
        free(array->buffers[i]);
    }
    for (uint32_t i = 0; i < array->child_count; i++) {
        free_array(&array->children[i]);
    }
    free(array->children);
    if (array->dictionary != NULL) {
        free_array(array->dictionary);
        free(array->dictionary);
    }
}

void
wp_batch_release(wp_batch *batch)
{
    if (batch != NULL && atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) == 1) {
        free_array(&batch->root);
        free(batch);
    }
}

/* ---- exported arrays ---- */

/* What an exported array owns: this, and its children's structs. */
typedef struct {
    wp_batch *batch;                        /* owned reference */
    const void *buffers[WP_ARRAY_BUFFERS];  /* borrowed from the batch */
} exported;

static void
release_array(struct ArrowArray *array)
{
    exported *own = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++) {
        struct ArrowArray *child = array->children[i];
        if (child != NULL && child->release != NULL) {   /* else it was moved away, and is its new owner's */
            child->release(child);
        }
        free(child);
    }
    free(array->children);
    if (array->dictionary != NULL) {
        if (array->dictionary->release != NULL) {
            array->dictionary->release(array->dictionary);
        }
        free(array->dictionary);
    }
    wp_batch_release(own->batch);
    free(own);
    array->release = NULL;
}

static bool export_array(wp_batch *batch, const wp_array *from, struct ArrowArray *out);

static bool
export_children(wp_batch *batch, const wp_array *from, struct ArrowArray *out)
{
    if (from->child_count > 0) {
        out->children = calloc(from->child_count, sizeof *out->children);
        if (out->children == NULL) {
            return false;
        }
        out->n_children = from->child_count;
    }
    for (uint32_t i = 0; i < from->child_count; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        if (out->children[i] == NULL || !export_array(batch, &from->children[i], out->children[i])) {
            return false;
        }
    }
    if (from->dictionary != NULL) {
        out->dictionary = calloc(1, sizeof *out->dictionary);
        return out->dictionary != NULL && export_array(batch, from->dictionary, out->dictionary);
    }
    return true;
}

/* On failure *out is released. */
static bool
export_array(wp_batch *batch, const wp_array *from, struct ArrowArray *out)
{
    exported *own = malloc(sizeof *own);
    memset(out, 0, sizeof *out);
    if (own == NULL) {
        return false;
    }
    own->batch = batch;
    wp_batch_hold(batch);
    for (unsigned i = 0; i < WP_ARRAY_BUFFERS; i++) {
        own->buffers[i] = from->buffers[i];
    }
    out->length = from->length;
    out->null_count = from->null_count;
    out->n_buffers = from->buffer_count;
    out->buffers = own->buffers;
    out->private_data = own;
    out->release = release_array;
    if (!export_children(batch, from, out)) {
        release_array(out);
        return false;
    }
    return true;
}

wp_status
wp_batch_export(wp_batch *batch, struct ArrowArray *out)
{
    return export_array(batch, &batch->root, out) ? WP_OK : WP_EMEMORY;
}

/* ---- schemas ---- */

static void
release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct ArrowSchema *child = schema->children[i];
        if (child != NULL && child->release != NULL) {
            child->release(child);
        }
        free(child);
    }
    free(schema->children);
    if (schema->dictionary != NULL) {
        if (schema->dictionary->release != NULL) {
            schema->dictionary->release(schema->dictionary);
        }
        free(schema->dictionary);
    }
    free((void *)schema->format);
    free((void *)schema->name);
    free((void *)schema->metadata);
    schema->release = NULL;
}

static char *
put_int32(char *at, int32_t number)
{
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static char *
put_text(char *at, const char *text)
{
    const size_t length = strlen(text);
    at = put_int32(at, (int32_t)length);
    memcpy(at, text, length);
    return at + length;
}

/* How many pairs, then each key and value with its length in front, in this machine's byte order. */
static char *
encode_metadata(const wp_metadata *metadata, uint32_t count)
{
    size_t size = sizeof(int32_t);
    for (uint32_t i = 0; i < count; i++) {
        size += 2 * sizeof(int32_t) + strlen(metadata[i].key) + strlen(metadata[i].value);
    }
    char *encoded = malloc(size);
    if (encoded == NULL) {
        return NULL;
    }
    char *at = put_int32(encoded, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_text(at, metadata[i].key);
        at = put_text(at, metadata[i].value);
    }
    return encoded;
}

wp_status
wp_schema_make(struct ArrowSchema *out, const char *format, const char *name, int64_t flags,
               const wp_metadata *metadata, uint32_t metadata_count, uint32_t children)
{
    memset(out, 0, sizeof *out);
    out->release = release_schema;
    out->flags = flags;
    out->format = strdup(format);
    out->name = strdup(name);
    bool complete = out->format != NULL && out->name != NULL;
    if (metadata_count > 0) {
        out->metadata = encode_metadata(metadata, metadata_count);
        complete = complete && out->metadata != NULL;
    }
    if (children > 0) {
        out->children = calloc(children, sizeof *out->children);
        complete = complete && out->children != NULL;
    }
    for (uint32_t i = 0; complete && i < children; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        complete = out->children[i] != NULL;
        out->n_children += complete;
    }
    if (!complete) {
        release_schema(out);
    }
    return complete ? WP_OK : WP_EMEMORY;
}

wp_status
wp_schema_add_dictionary(struct ArrowSchema *schema, const char *format)
{
    schema->dictionary = calloc(1, sizeof *schema->dictionary);
    if (schema->dictionary == NULL) {
        return WP_EMEMORY;
    }
    return wp_schema_make(schema->dictionary, format, "", ARROW_FLAG_NULLABLE, NULL, 0, 0);
}

/* ---- streams ---- */

typedef struct {
    const wp_stream_vtable *vtable;   /* static */
    void *self;                       /* owned */
    wp_error error;                   /* the last one; its text is what get_last_error lends */
    bool failed;                      /* error holds one */
    bool ended;                       /* after the end nothing more comes; after an error, the same error again */
    int code;                         /* what get_next returned when it ended */
} stream;

static int
errno_of(stream *s, wp_status status)
{
    s->failed = status != WP_OK;
    switch (status) {
    case WP_OK:
        return 0;
    case WP_EMEMORY:
        snprintf(s->error.message, sizeof s->error.message, "out of memory");
        return ENOMEM;
    case WP_EFILE:
        return s->error.error_number != 0 ? s->error.error_number : EIO;
    case WP_EBUSY:
    case WP_EKEYS:
        return EBUSY;
    case WP_AGAIN:
        return EINTR;
    default:
        return EINVAL;
    }
}

static int
stream_get_schema(struct ArrowArrayStream *out, struct ArrowSchema *schema)
{
    stream *s = out->private_data;
    return errno_of(s, s->vtable->schema(s->self, schema));
}

static int
stream_get_next(struct ArrowArrayStream *out, struct ArrowArray *array)
{
    stream *s = out->private_data;
    wp_batch *batch = NULL;
    memset(array, 0, sizeof *array);
    if (s->ended) {
        return s->code;   /* with 0, a released array is the end */
    }
    wp_status status = s->vtable->next(s->self, &batch, &s->error);
    if (status == WP_OK) {
        status = wp_batch_export(batch, array);
        wp_batch_release(batch);
    }
    s->ended = status != WP_OK;
    s->code = status == WP_END ? 0 : errno_of(s, status);
    return s->code;
}

static const char *
stream_get_last_error(struct ArrowArrayStream *out)
{
    const stream *s = out->private_data;
    return s->failed ? s->error.message : NULL;
}

static void
stream_release(struct ArrowArrayStream *out)
{
    stream *s = out->private_data;
    s->vtable->free(s->self);
    free(s);
    out->release = NULL;
}

wp_status
wp_stream_export(const wp_stream_vtable *vtable, void *self, struct ArrowArrayStream *out)
{
    stream *s = calloc(1, sizeof *s);
    memset(out, 0, sizeof *out);
    if (s == NULL) {
        vtable->free(self);
        return WP_EMEMORY;
    }
    s->vtable = vtable;
    s->self = self;
    out->get_schema = stream_get_schema;
    out->get_next = stream_get_next;
    out->get_last_error = stream_get_last_error;
    out->release = stream_release;
    out->private_data = s;
    return WP_OK;
}
