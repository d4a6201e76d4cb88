/* column_writer.h - values from a live tree straight into Arrow buffers: one row per frame, no copy of the tree. */
#ifndef WISHPY_COLUMN_WRITER_H
#define WISHPY_COLUMN_WRITER_H

#include "arrow_export.h"
#include "column_plan.h"
#include "field_value.h"

typedef struct wp_writer wp_writer;

/* `offset_limit` is what 32-bit offsets may reach; INT32_MAX but in tests. Holds the plan. NULL: no memory. */
wp_writer *wp_writer_new(wp_plan *plan, int64_t offset_limit, wp_resolution resolution);
void wp_writer_free(wp_writer *writer);   /* NULL is fine */

/* To be called for each session, whose settings may bring columns of the packet list of their own. Lock held. */
wp_status wp_writer_session_opened_locked(wp_writer *writer, wp_error *error);

/* Rows written since the last take. */
int64_t wp_writer_rows(const wp_writer *writer);

/* Appends the row of a dissected frame. `path` is for columns that hold it. Lock held.
 * WP_AGAIN: an offset would overflow, and the row is not there: take the batch, then add the row again. */
wp_status wp_writer_add_locked(wp_writer *writer, void *edt, const char *path, wp_error *error);

/* Hands the rows over as a batch with one reference, and begins anew. */
wp_status wp_writer_take(wp_writer *writer, wp_batch **batch, wp_error *error);

#endif
