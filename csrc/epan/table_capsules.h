/* table_capsules.h - Arrow's structs in the PyCapsules of its protocol, and streams that may be read in any thread. */
#ifndef WISHPY_EPAN_TABLE_CAPSULES_H
#define WISHPY_EPAN_TABLE_CAPSULES_H

#include "state.h"

#include "../engine/table_reader.h"

/* New references, NULL with an exception. */
PyObject *table_schema_capsule(const wp_plan *plan);
PyObject *table_array_capsule(wp_batch *batch);
/* Reads the table, which it takes over, in whatever thread asks. `progress` is None or a callable; `main_thread` is
 * the thread in which signals are looked at. */
PyObject *table_reading_capsule(wp_plan *plan, wp_table *table, PyObject *progress, unsigned long main_thread);
/* Batches that are there already: a list of TableBatch. */
PyObject *table_batches_capsule(module_state *state, wp_plan *plan, PyObject *batches);

/* The plan, held once more, as near to a requested schema (a capsule, or None) as can be. Raises: NULL. */
wp_plan *table_adapted_plan(module_state *state, wp_plan *plan, PyObject *requested);

/* Calls progress(done, all). Raises: -1. */
int table_call_progress(PyObject *progress, const wp_table *table);

/* Drops callables of streams that were released without the GIL. */
void table_sweep(void);

#endif
