/* source.h - where records come from. A session reads any source through this table.
 * next() is called without the GIL unless needs_gil says otherwise, and never with the epan lock held:
 * it may wait for a network, a pipe or a Python object. */
#ifndef WISHPY_SOURCE_H
#define WISHPY_SOURCE_H

#include <stdbool.h>

#include "record.h"
#include "status.h"

typedef struct wp_source wp_source;

typedef struct {
    const char *kind;      /* "file", "live", "python" */
    bool needs_gil;        /* next() calls Python */
    /* WP_OK with *record filled; WP_END; WP_AGAIN when nothing came within about 100 ms or a signal interrupted
     * the wait; else an error. */
    wp_status (*next)(wp_source *self, wp_record *record, wp_error *error);
    void (*wake)(wp_source *self);    /* any thread: a next() that waits returns soon; NULL where it never waits */
    void (*free)(wp_source *self);    /* releases all; self is gone */
} wp_source_vtable;

struct wp_source {
    const wp_source_vtable *vtable;   /* static */
};

/* The name of the capsule in which a source goes from one extension module to the other. */
#define WP_SOURCE_CAPSULE "wishpy.source"

#endif
