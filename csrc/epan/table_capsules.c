/* table_capsules.c - Arrow's structs in the PyCapsules of its protocol.
 *
 * A stream outlives whoever made it, and is read and released by threads that know nothing of Python. So it holds no
 * Python object, but for a progress callable, and that is given back to whoever has the GIL next (table_sweep). */
#include "table_capsules.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- capsules ---- */

static void
drop_schema(PyObject *capsule)
{
    struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
    if (schema->release != NULL) {
        schema->release(schema);
    }
    free(schema);
}

static void
drop_array(PyObject *capsule)
{
    struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array->release != NULL) {
        array->release(array);
    }
    free(array);
}

static void
drop_stream(PyObject *capsule)
{
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream->release != NULL) {
        stream->release(stream);
    }
    free(stream);
}

PyObject *
table_schema_capsule(const wp_plan *plan)
{
    struct ArrowSchema *schema = calloc(1, sizeof *schema);
    if (schema == NULL || wp_plan_schema(plan, schema) != WP_OK) {
        free(schema);
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(schema, "arrow_schema", drop_schema);
    if (capsule == NULL) {
        schema->release(schema);
        free(schema);
    }
    return capsule;
}

PyObject *
table_array_capsule(wp_batch *batch)
{
    struct ArrowArray *array = calloc(1, sizeof *array);
    if (array == NULL || wp_batch_export(batch, array) != WP_OK) {
        free(array);
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(array, "arrow_array", drop_array);
    if (capsule == NULL) {
        array->release(array);
        free(array);
    }
    return capsule;
}

static PyObject *
stream_capsule(const wp_stream_vtable *vtable, void *self)
{
    struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        vtable->free(self);
        return PyErr_NoMemory();
    }
    if (wp_stream_export(vtable, self, stream) != WP_OK) {
        free(stream);
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(stream, "arrow_array_stream", drop_stream);
    if (capsule == NULL) {
        stream->release(stream);
        free(stream);
    }
    return capsule;
}

wp_plan *
table_adapted_plan(module_state *state, wp_plan *plan, PyObject *requested)
{
    if (requested == Py_None) {
        wp_plan_hold(plan);
        return plan;
    }
    const struct ArrowSchema *wanted = PyCapsule_GetPointer(requested, "arrow_schema");
    if (wanted == NULL) {
        return NULL;
    }
    if (wanted->release == NULL) {
        PyErr_SetString(PyExc_ValueError, "the requested schema was released already");
        return NULL;
    }
    wp_plan *adapted;
    wp_error error;
    const wp_status status = wp_plan_adapt(plan, wanted, &adapted, &error);
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
    }
    return adapted;
}

/* ---- progress ---- */

/* A callable in a stream; `next` once it is in the list of those to drop. */
typedef struct callable {
    PyObject *object;        /* owned; touched with the GIL only */
    struct callable *next;   /* owned by the list */
} callable;

static _Atomic(callable *) unwanted;

void
table_sweep(void)
{
    callable *item = atomic_exchange(&unwanted, NULL);
    while (item != NULL) {
        callable *next = item->next;
        Py_DECREF(item->object);
        free(item);
        item = next;
    }
}

static void
give_up(callable *item)   /* without the GIL */
{
    if (item != NULL) {
        item->next = atomic_load(&unwanted);
        while (!atomic_compare_exchange_weak(&unwanted, &item->next, item)) {
        }
    }
}

int
table_call_progress(PyObject *progress, const wp_table *table)
{
    int64_t done, all;
    wp_table_progress(table, &done, &all);
    PyObject *result = PyObject_CallFunction(progress, "LL", (long long)done, (long long)all);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* ---- a stream that reads ---- */

typedef struct {
    wp_plan *plan;               /* owned reference */
    wp_table *table;             /* owned */
    callable *progress;          /* owned; NULL: none */
    unsigned long main_thread;
} reading;

static wp_status
reading_schema(void *self, struct ArrowSchema *out)
{
    return wp_plan_schema(((reading *)self)->plan, out);
}

/* A consumer's own error will be raised for ours. A KeyboardInterrupt is asked for anew, so that it follows. */
static wp_status
interrupted(wp_error *error)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        PyErr_SetInterrupt();
    } else {
        PyErr_WriteUnraisable(NULL);
    }
    return wp_fail(error, WP_AGAIN, "interrupted");
}

/* Signals, in the main thread, and progress, in any. WP_OK: go on. */
static wp_status
look_around(reading *self, wp_error *error)
{
    const bool main_thread = PyThread_get_thread_ident() == self->main_thread;
    if (!Py_IsInitialized() || (!main_thread && self->progress == NULL)) {
        return WP_OK;
    }
    wp_status status = WP_OK;
    PyGILState_STATE state = PyGILState_Ensure();
    if (PyErr_CheckSignals() < 0
        || (self->progress != NULL && table_call_progress(self->progress->object, self->table) < 0)) {
        status = interrupted(error);
    }
    PyGILState_Release(state);
    return status;
}

/* Some consumers keep the GIL, others let go of it or never had it. */
static wp_status
reading_next(void *self_, wp_batch **batch, wp_error *error)
{
    reading *self = self_;
    PyThreadState *held = Py_IsInitialized() && PyGILState_Check() ? PyEval_SaveThread() : NULL;
    wp_status status;
    do {
        status = wp_table_next(self->table, batch, error);
    } while (status == WP_AGAIN && look_around(self, error) == WP_OK);
    if (self->progress != NULL && (status == WP_OK || status == WP_END)) {
        const wp_status seen = look_around(self, error);
        if (seen != WP_OK) {
            wp_batch_release(*batch);
            status = seen;
        }
    }
    if (held != NULL) {
        PyEval_RestoreThread(held);
    }
    return status;
}

static void
reading_free(void *self_)
{
    reading *self = self_;
    wp_table_free(self->table);
    wp_plan_release(self->plan);
    give_up(self->progress);
    free(self);
}

static const wp_stream_vtable reading_vtable = {reading_schema, reading_next, reading_free};

PyObject *
table_reading_capsule(wp_plan *plan, wp_table *table, PyObject *progress, unsigned long main_thread)
{
    reading *self = calloc(1, sizeof *self);
    callable *holder = progress == Py_None ? NULL : calloc(1, sizeof *holder);
    if (self == NULL || (holder == NULL && progress != Py_None)) {
        free(self);
        free(holder);
        wp_table_free(table);
        return PyErr_NoMemory();
    }
    if (holder != NULL) {
        Py_INCREF(progress);
        holder->object = progress;
    }
    wp_plan_hold(plan);
    *self = (reading){.plan = plan, .table = table, .progress = holder, .main_thread = main_thread};
    return stream_capsule(&reading_vtable, self);
}

/* ---- a stream of batches that are there ---- */

typedef struct {
    wp_plan *plan;        /* owned reference */
    wp_batch **batches;   /* owned references */
    Py_ssize_t count, at;
} collected;

static wp_status
collected_schema(void *self, struct ArrowSchema *out)
{
    return wp_plan_schema(((collected *)self)->plan, out);
}

static wp_status
collected_next(void *self_, wp_batch **batch, wp_error *Py_UNUSED(error))
{
    collected *self = self_;
    if (self->at == self->count) {
        return WP_END;
    }
    *batch = self->batches[self->at++];
    wp_batch_hold(*batch);
    return WP_OK;
}

static void
collected_free(void *self_)
{
    collected *self = self_;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        wp_batch_release(self->batches[i]);
    }
    free(self->batches);
    wp_plan_release(self->plan);
    free(self);
}

static const wp_stream_vtable collected_vtable = {collected_schema, collected_next, collected_free};

PyObject *
table_batches_capsule(module_state *state, wp_plan *plan, PyObject *batches)
{
    const Py_ssize_t count = PyList_GET_SIZE(batches);
    collected *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->batches = calloc((size_t)count + 1, sizeof *self->batches);
    }
    if (self == NULL || self->batches == NULL) {
        free(self);
        return PyErr_NoMemory();
    }
    wp_plan_hold(plan);
    self->plan = plan;
    for (Py_ssize_t i = 0; i < count; i++) {
        wp_batch *batch = table_batch_of(state, PyList_GET_ITEM(batches, i));
        if (batch == NULL) {
            collected_free(self);
            return NULL;
        }
        wp_batch_hold(batch);
        self->batches[self->count++] = batch;
    }
    return stream_capsule(&collected_vtable, self);
}
