/* source_borrowed.c - a thin source around one that somebody else owns: freeing it leaves the other alone. */
#include "source_borrowed.h"

#include <stdlib.h>

typedef struct {
    wp_source base;     /* first, so that a wp_source * is a borrowed * */
    wp_source *inner;   /* borrowed */
} borrowed;

static wp_status
next(wp_source *self, wp_record *record, wp_error *error)
{
    wp_source *inner = ((borrowed *)self)->inner;
    return inner->vtable->next(inner, record, error);
}

static void
wake(wp_source *self)
{
    wp_source *inner = ((borrowed *)self)->inner;
    if (inner->vtable->wake != NULL) {
        inner->vtable->wake(inner);
    }
}

static void
free_shell(wp_source *self)
{
    free(self);
}

static const wp_source_vtable borrowed_vtable = {.kind = "borrowed", .next = next, .wake = wake, .free = free_shell};

wp_source *
wp_source_borrow(wp_source *inner)
{
    borrowed *self = malloc(sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->base.vtable = &borrowed_vtable;
    self->inner = inner;
    return &self->base;
}
