/* table_reader.h - captures, one after the other, as batches of columns. No Python: a whole batch is read without the
 * GIL, and whoever has the last hold may let go of it in any thread. */
#ifndef WISHPY_TABLE_READER_H
#define WISHPY_TABLE_READER_H

#include <stdint.h>

#include "arrow_export.h"
#include "column_plan.h"
#include "session.h"

typedef struct wp_table wp_table;

typedef struct {
    const char *const *paths;      /* borrowed during the call */
    uint32_t path_count;
    wp_session_options session;    /* its texts are copied; fields, tree and columns follow from the plan */
    uint64_t limit;                /* rows in all; UINT64_MAX: no limit */
    int64_t batch_rows;            /* at most, in one batch */
    int64_t offset_limit;          /* INT32_MAX but in tests */
} wp_table_options;

/* Opens nothing yet. Holds the plan. NULL: no memory. */
wp_table *wp_table_new(wp_plan *plan, const wp_table_options *options);

/* The next batch, with one reference; never an empty one. WP_AGAIN about every 50 ms, so that the caller can look at
 * signals. WP_END; or an error, after the rows that could be read. Lock not held. */
wp_status wp_table_next(wp_table *table, wp_batch **batch, wp_error *error);

/* Ends the reading: the place for a session is free again. */
void wp_table_close(wp_table *table);

/* The file that is being read, or that an error is about; borrowed. */
const char *wp_table_path(const wp_table *table);

/* Bytes read so far of all files, and in all (0 where that is not known). Only while next() does not run. */
void wp_table_progress(const wp_table *table, int64_t *done, int64_t *all);

void wp_table_free(wp_table *table);   /* any thread; does not wait for the lock. NULL is fine */

/* In the child of a fork: a reading that was open cannot go on here. Lock not held. */
void wp_table_after_fork(void);

#endif
