/* table.c - TablePlan, the columns of a table, and TableReader, an iterator of its batches; wishpy/tables.py makes
 * Scan of them. A batch is read without the GIL; signals and progress are looked at about every 50 ms. */
#include "state.h"

#include <fnmatch.h>

#include "../engine/library.h"
#include "../engine/registry.h"
#include "settings_python.h"
#include "table_capsules.h"

typedef struct {
    PyObject_HEAD
    wp_plan *plan;          /* owned reference */
} TablePlan;

typedef struct {
    PyObject_HEAD
    PyObject *plan_object;  /* owned: the TablePlan */
    PyObject *keywords;     /* owned: dict; NULL once cleared */
    PyObject *progress;     /* owned: callable or None; NULL once cleared */
    wp_table *table;        /* owned; NULL once closed */
    bool busy;              /* a thread is in next(), perhaps without the GIL */
    bool closed;            /* by close(): a thread in next() then ends the reading itself */
} TableReader;

wp_plan *
table_plan_of(module_state *state, PyObject *plan)
{
    if (!PyObject_TypeCheck(plan, state->TablePlanType)) {
        PyErr_Format(PyExc_TypeError, "a TablePlan is wanted, not %.100s", Py_TYPE(plan)->tp_name);
        return NULL;
    }
    return ((TablePlan *)plan)->plan;
}

/* ---- names and patterns ---- */

typedef struct {
    const char *pattern;   /* borrowed */
    const char **names;    /* owned array of names borrowed for good */
    size_t count, room;
    bool no_memory;
} matches;

static bool
collect_name(const char *name, uint32_t Py_UNUSED(id), void *matches_)
{
    matches *found = matches_;
    if (fnmatch(found->pattern, name, 0) != 0) {
        return true;
    }
    if (found->count == found->room) {
        const size_t room = found->room == 0 ? 64 : 2 * found->room;
        const char **names = realloc(found->names, room * sizeof *names);
        if (names == NULL) {
            found->no_memory = true;
            return false;
        }
        found->names = names;
        found->room = room;
    }
    found->names[found->count++] = name;
    return true;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends the sorted names that match, each once: several fields may share one. */
static int
append_matches(const matches *found, PyObject *list)
{
    for (size_t i = 0; i < found->count; i++) {
        if (i > 0 && strcmp(found->names[i], found->names[i - 1]) == 0) {
            continue;
        }
        PyObject *name = PyUnicode_FromString(found->names[i]);
        const int status = name == NULL ? -1 : PyList_Append(list, name);
        Py_XDECREF(name);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static int
expand_pattern(module_state *state, PyObject *pattern, const char *text, PyObject *list)
{
    matches found = {.pattern = text};
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    const char *const *summaries = wp_summary_names();
    while (*summaries != NULL && collect_name(*summaries, 0, &found)) {
        summaries++;
    }
    if (!wp_is_summary_name(text)) {
        wp_registry_each_locked(collect_name, &found);
    }
    wp_epan_unlock();
    if (found.count > 0) {   /* qsort does not take NULL, not even for nothing */
        qsort(found.names, found.count, sizeof *found.names, compare_names);
    }
    Py_END_ALLOW_THREADS
    int result = -1;
    if (found.no_memory) {
        PyErr_NoMemory();
    } else if (found.count == 0) {
        field_names_raise_unknown(state, pattern);
    } else {
        result = append_matches(&found, list);
    }
    free(found.names);
    return result;
}

/* Steals a list; a new one with each item once, at its first place. */
static PyObject *
once_each(PyObject *list)
{
    PyObject *dict = list == NULL ? NULL : PyDict_New();
    for (Py_ssize_t i = 0; dict != NULL && i < PyList_GET_SIZE(list); i++) {
        if (PyDict_SetItem(dict, PyList_GET_ITEM(list, i), Py_None) < 0) {
            Py_CLEAR(dict);
        }
    }
    PyObject *result = dict == NULL ? NULL : PyDict_Keys(dict);
    Py_XDECREF(list);
    Py_XDECREF(dict);
    return result;
}

/* The columns' names in order: names as they are, a pattern's matches sorted; each once, as two columns of one name
 * are none that a data frame can have. */
static PyObject *
expand_names(module_state *state, PyObject *given)
{
    if (PyUnicode_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "fields must be an iterable of names, not one str: write [name]");
        return NULL;
    }
    PyObject *names = PySequence_List(given);
    PyObject *expanded = names == NULL ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; expanded != NULL && i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        if (!PyUnicode_Check(name)) {
            PyErr_Format(PyExc_TypeError, "a field name must be str, not %.100s", Py_TYPE(name)->tp_name);
            Py_CLEAR(expanded);
            break;
        }
        const char *text = PyUnicode_AsUTF8(name);
        const bool pattern = text != NULL && strpbrk(text, "*?[") != NULL;
        if (text == NULL || (pattern ? expand_pattern(state, name, text, expanded) : PyList_Append(expanded, name)) < 0) {
            Py_CLEAR(expanded);
        }
    }
    Py_XDECREF(names);
    return once_each(expanded);
}

/* ---- TablePlan ---- */

typedef struct {
    PyObject *text;       /* borrowed: a set of names */
    PyObject *encode;     /* borrowed: dict of name to encoding */
} column_wishes;

static int
get_encoding(PyObject *encode, PyObject *name, wp_encoding *encoding)
{
    static const char *const encodings[] = {
        [WP_ENCODE_DICTIONARY] = "dictionary", [WP_ENCODE_INT] = "int", [WP_ENCODE_BYTES] = "bytes",
    };
    PyObject *wanted = PyDict_GetItemWithError(encode, name);   /* borrowed */
    *encoding = WP_ENCODE_NONE;
    if (wanted == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    for (int i = WP_ENCODE_DICTIONARY; i <= WP_ENCODE_BYTES; i++) {
        if (PyUnicode_Check(wanted) && PyUnicode_CompareWithASCIIString(wanted, encodings[i]) == 0) {
            *encoding = (wp_encoding)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "encode: %R is not one of 'dictionary', 'int', 'bytes'", wanted);
    return -1;
}

static int
add_column(module_state *state, wp_plan *plan, PyObject *name, const column_wishes *wishes)
{
    wp_encoding encoding;
    const char *text = PyUnicode_AsUTF8(name);
    const int label = text == NULL ? -1 : PySet_Contains(wishes->text, name);
    if (label < 0 || get_encoding(wishes->encode, name, &encoding) < 0) {
        return -1;
    }
    field_ids ids = {0};
    if (!wp_is_summary_name(text) && field_names_find(state, name, &ids) < 0) {
        return -1;
    }
    wp_error error;
    epan_lock();
    const wp_status status = wp_is_summary_name(text)
                                 ? wp_plan_add_summary_locked(plan, text, encoding, &error)
                                 : wp_plan_add_field_locked(plan, text, ids.ids, (uint32_t)ids.count, label != 0,
                                                            encoding, &error);
    wp_epan_unlock();
    if (status != WP_OK) {
        raise_status(state, status, &error, name);
    }
    return status == WP_OK ? 0 : -1;
}

static int
add_file_column(module_state *state, wp_plan *plan, PyObject *names, PyObject *name, PyObject *encode)
{
    wp_encoding encoding;
    wp_error error;
    const char *text = PyUnicode_AsUTF8(name);
    const int taken = text == NULL ? -1 : PySequence_Contains(names, name);
    if (taken > 0) {
        PyErr_Format(PyExc_ValueError, "file: there is a column %R already", name);
    }
    if (taken != 0 || get_encoding(encode, name, &encoding) < 0) {
        return -1;
    }
    const wp_status status = wp_plan_add_path(plan, text, encoding, &error);
    if (status != WP_OK) {
        raise_status(state, status, &error, name);
    }
    return status == WP_OK ? 0 : -1;
}

static int
add_metadata(module_state *state, wp_plan *plan, PyObject *metadata)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(metadata, &at, &key, &value)) {
        wp_error error;
        const char *key_text = PyUnicode_AsUTF8(key), *value_text = PyUnicode_AsUTF8(value);
        if (key_text == NULL || value_text == NULL) {
            return -1;
        }
        const wp_status status = wp_plan_add_metadata(plan, key_text, value_text, &error);
        if (status != WP_OK) {
            raise_status(state, status, &error, NULL);
            return -1;
        }
    }
    return 0;
}

static int
get_occurrence(PyObject *given, wp_occurrence *occurrence)
{
    static const char *const names[] = {[WP_FIRST] = "first", [WP_LAST] = "last", [WP_ALL] = "all"};
    for (int i = WP_FIRST; i <= WP_ALL; i++) {
        if (PyUnicode_Check(given) && PyUnicode_CompareWithASCIIString(given, names[i]) == 0) {
            *occurrence = (wp_occurrence)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "occurrence: %R is not one of 'first', 'last', 'all'", given);
    return -1;
}

static wp_plan *
make_plan(module_state *state, PyObject *names, wp_occurrence occurrence, const column_wishes *wishes, PyObject *file,
          PyObject *metadata)
{
    const Py_ssize_t count = PyList_GET_SIZE(names);
    wp_plan *plan = wp_plan_new((uint32_t)count + (file != Py_None), occurrence);
    if (plan == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    int result = file == Py_None ? 0 : add_file_column(state, plan, names, file, wishes->encode);
    for (Py_ssize_t i = 0; result == 0 && i < count; i++) {
        result = add_column(state, plan, PyList_GET_ITEM(names, i), wishes);
    }
    if (result == 0) {
        result = add_metadata(state, plan, metadata);
    }
    if (result < 0) {
        wp_plan_release(plan);
        plan = NULL;
    }
    return plan;
}

static PyObject *
TablePlan_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"fields", "occurrence", "text", "encode", "file", "metadata", NULL};
    module_state *state = state_of_type(type);
    PyObject *fields, *given, *file, *metadata;
    column_wishes wishes;
    wp_occurrence occurrence;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO!O!OO!:TablePlan", keywords, &fields, &given, &PyFrozenSet_Type,
                                     &wishes.text, &PyDict_Type, &wishes.encode, &file, &PyDict_Type, &metadata)
        || get_occurrence(given, &occurrence) < 0 || epan_start(state) < 0) {
        return NULL;
    }
    PyObject *names = expand_names(state, fields);
    if (names == NULL) {
        return NULL;
    }
    wp_plan *plan = make_plan(state, names, occurrence, &wishes, file, metadata);
    Py_DECREF(names);
    TablePlan *self = plan == NULL ? NULL : (TablePlan *)type->tp_alloc(type, 0);
    if (self == NULL) {
        wp_plan_release(plan);
        return NULL;
    }
    self->plan = plan;
    return (PyObject *)self;
}

static PyObject *
TablePlan_columns(PyObject *op, void *Py_UNUSED(closure))
{
    const wp_plan *plan = ((TablePlan *)op)->plan;
    PyObject *columns = PyTuple_New(wp_plan_count(plan));
    for (uint32_t i = 0; columns != NULL && i < wp_plan_count(plan); i++) {
        const wp_column *column = wp_plan_column(plan, i);
        char format[WP_FORMAT_SIZE];
        wp_column_format(column, format);
        PyObject *item = Py_BuildValue("(ssOO)", column->name, format, column->list ? Py_True : Py_False,
                                       column->dictionary ? Py_True : Py_False);
        if (item == NULL) {
            Py_CLEAR(columns);
        } else {
            PyTuple_SET_ITEM(columns, i, item);
        }
    }
    return columns;
}

PyDoc_STRVAR(TablePlan_schema__doc__, "schema($self, /)\n--\n\nReturn the schema as an Arrow PyCapsule.");

static PyObject *
TablePlan_schema(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return table_schema_capsule(((TablePlan *)op)->plan);
}

/* ---- readings ---- */

typedef struct {
    const char **paths;   /* owned array; the texts are the list's */
    wp_table_options options;
} reading_wishes;

static int
get_paths(PyObject *list, reading_wishes *wishes)
{
    const Py_ssize_t count = PyList_GET_SIZE(list);
    wishes->paths = calloc((size_t)count + 1, sizeof *wishes->paths);
    if (wishes->paths == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        char *path;
        if (PyBytes_AsStringAndSize(PyList_GET_ITEM(list, i), &path, NULL) < 0) {   /* refuses NULs in it */
            return -1;
        }
        wishes->paths[i] = path;
    }
    wishes->options.paths = wishes->paths;
    wishes->options.path_count = (uint32_t)count;
    return 0;
}

/* A table that has opened nothing yet. Raises: NULL. */
static wp_table *
make_table(module_state *state, wp_plan *plan, PyObject *paths, PyObject *keywords, Py_ssize_t rows, Py_ssize_t limit)
{
    reading_wishes wishes = {.paths = NULL};
    python_settings settings = {0};
    wp_table *table = NULL;
    if (rows < 1 || limit < 1 || limit > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a batch has at least 1 row");
        return NULL;
    }
    if (dissector_table_options(state, keywords, &settings, &wishes.options.session, &wishes.options.limit) == 0
        && get_paths(paths, &wishes) == 0) {
        wishes.options.batch_rows = rows;
        wishes.options.offset_limit = limit;
        table = wp_table_new(plan, &wishes.options);
        if (table == NULL) {
            PyErr_NoMemory();
        }
    }
    free(wishes.paths);
    python_settings_release(&settings);
    return table;
}

PyDoc_STRVAR(TablePlan_stream__doc__,
"stream($self, paths, keywords, rows, progress, main_thread, requested_schema, /)\n--\n\n"
"Return an Arrow PyCapsule of a stream that reads the files when it is asked for its batches.");

static PyObject *
TablePlan_stream(PyObject *op, PyObject *args)
{
    module_state *state = state_of_type(Py_TYPE(op));
    PyObject *paths, *keywords, *progress, *requested;
    Py_ssize_t rows;
    unsigned long main_thread;
    if (!PyArg_ParseTuple(args, "O!O!nOkO:stream", &PyList_Type, &paths, &PyDict_Type, &keywords, &rows, &progress,
                          &main_thread, &requested)) {
        return NULL;
    }
    table_sweep();
    wp_plan *plan = table_adapted_plan(state, ((TablePlan *)op)->plan, requested);
    if (plan == NULL) {
        return NULL;
    }
    wp_table *table = make_table(state, plan, paths, keywords, rows, INT32_MAX);
    PyObject *capsule = table == NULL ? NULL : table_reading_capsule(plan, table, progress, main_thread);
    wp_plan_release(plan);
    return capsule;
}

PyDoc_STRVAR(TablePlan_stream_of__doc__,
"stream_of($self, batches, requested_schema, /)\n--\n\n"
"Return an Arrow PyCapsule of a stream of a list of TableBatches.");

static PyObject *
TablePlan_stream_of(PyObject *op, PyObject *args)
{
    module_state *state = state_of_type(Py_TYPE(op));
    wp_plan *plan = ((TablePlan *)op)->plan;
    PyObject *batches, *requested;
    if (!PyArg_ParseTuple(args, "O!O:stream_of", &PyList_Type, &batches, &requested)) {
        return NULL;
    }
    wp_plan *adapted = table_adapted_plan(state, plan, requested);   /* only to see whether the columns are the same */
    if (adapted == NULL) {
        return NULL;
    }
    wp_plan_release(adapted);
    return table_batches_capsule(state, plan, batches);
}

static void
TablePlan_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    wp_plan_release(((TablePlan *)op)->plan);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- TableReader ---- */

static PyObject *
TableReader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"plan", "paths", "keywords", "rows", "progress", "offset_limit", NULL};
    module_state *state = state_of_type(type);
    PyObject *plan, *paths, *keywords, *progress = Py_None;
    Py_ssize_t rows, limit = INT32_MAX;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!n|On:TableReader", names, state->TablePlanType, &plan,
                                     &PyList_Type, &paths, &PyDict_Type, &keywords, &rows, &progress, &limit)) {
        return NULL;
    }
    table_sweep();
    wp_table *table = make_table(state, ((TablePlan *)plan)->plan, paths, keywords, rows, limit);
    TableReader *self = table == NULL ? NULL : (TableReader *)type->tp_alloc(type, 0);
    if (self == NULL) {
        wp_table_free(table);
        return NULL;
    }
    Py_INCREF(plan);
    Py_INCREF(keywords);
    Py_INCREF(progress);
    self->plan_object = plan;
    self->keywords = keywords;
    self->progress = progress;
    self->table = table;
    return (PyObject *)self;
}

/* Lets go of the session, so that the place is free when this returns. */
static void
end_reading(TableReader *self)
{
    wp_table *table = self->table;
    self->table = NULL;
    if (table == NULL) {
        return;
    }
    Py_BEGIN_ALLOW_THREADS
    wp_table_close(table);
    wp_table_free(table);
    Py_END_ALLOW_THREADS
}

static void
raise_reading(TableReader *self, wp_status status, wp_error *error)
{
    module_state *state = state_of_type(Py_TYPE(self));
    const char *path = wp_table_path(self->table);
    PyObject *name = path == NULL ? NULL : PyUnicode_DecodeFSDefault(path);
    if ((path == NULL || name != NULL) && self->keywords != NULL) {
        dissector_raise_table(state, self->keywords, status, error, name);
    }
    Py_XDECREF(name);
}

static int
tell_progress(TableReader *self)
{
    return self->progress == NULL || self->progress == Py_None ? 0 : table_call_progress(self->progress, self->table);
}

/* A batch; NULL with an exception, or without at the end. Nobody else is in here. */
static PyObject *
read_batch(TableReader *self)
{
    wp_batch *batch = NULL;
    wp_error error;
    wp_status status;
    do {
        if (PyErr_CheckSignals() < 0 || self->closed) {
            return NULL;
        }
        Py_BEGIN_ALLOW_THREADS
        status = wp_table_next(self->table, &batch, &error);
        Py_END_ALLOW_THREADS
        if (status <= WP_AGAIN && tell_progress(self) < 0) {
            wp_batch_release(batch);
            return NULL;
        }
    } while (status == WP_AGAIN);
    if (status == WP_OK) {
        return table_batch_new(state_of_type(Py_TYPE(self)), self->plan_object, batch);
    }
    if (status != WP_END) {
        raise_reading(self, status, &error);
    }
    return NULL;
}

static PyObject *
TableReader_next(PyObject *op)
{
    TableReader *self = (TableReader *)op;
    if (self->busy) {
        PyErr_SetString(PyExc_ValueError, "another thread is reading these batches");
        return NULL;
    }
    if (self->table == NULL) {
        return NULL;
    }
    self->busy = true;
    PyObject *batch = read_batch(self);
    if (batch == NULL) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        end_reading(self);
        PyErr_Restore(type, value, traceback);
    }
    self->busy = false;
    epan_drain_log(state_of_type(Py_TYPE(op)));
    return batch;
}

PyDoc_STRVAR(TableReader_close__doc__,
"close($self, /)\n--\n\n"
"End the reading and let the next one begin. May be called again; from another thread, the one that reads ends it.");

static PyObject *
TableReader_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    TableReader *self = (TableReader *)op;
    self->closed = true;
    if (!self->busy) {
        end_reading(self);
    }
    Py_RETURN_NONE;
}

static int
TableReader_traverse(PyObject *op, visitproc visit, void *arg)
{
    TableReader *self = (TableReader *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->plan_object);
    Py_VISIT(self->keywords);
    Py_VISIT(self->progress);
    return 0;
}

static int
TableReader_clear(PyObject *op)
{
    TableReader *self = (TableReader *)op;
    Py_CLEAR(self->keywords);
    Py_CLEAR(self->progress);
    return 0;
}

/* Runs inside any allocation, so it must not wait for the lock: see wp_table_free. */
static void
TableReader_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    wp_table_free(((TableReader *)op)->table);
    TableReader_clear(op);
    Py_XDECREF(((TableReader *)op)->plan_object);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- the types ---- */

static PyMethodDef TablePlan_methods[] = {
    {"schema", TablePlan_schema, METH_NOARGS, TablePlan_schema__doc__},
    {"stream", TablePlan_stream, METH_VARARGS, TablePlan_stream__doc__},
    {"stream_of", TablePlan_stream_of, METH_VARARGS, TablePlan_stream_of__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef TablePlan_getset[] = {
    {"columns", TablePlan_columns, NULL,
     "The columns: tuples of name, Arrow's format of a value, is it a list of them, is it a dictionary.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(TablePlan__doc__,
"TablePlan(fields, occurrence, text, encode, file, metadata)\n--\n\n"
"The columns of a table and their types, from arguments alone. wishpy.scan() makes it.");

static PyType_Slot TablePlan_slots[] = {
    {Py_tp_doc, (void *)TablePlan__doc__},
    {Py_tp_new, TablePlan_new},
    {Py_tp_dealloc, TablePlan_dealloc},
    {Py_tp_methods, TablePlan_methods},
    {Py_tp_getset, TablePlan_getset},
    {0, NULL},
};

static PyType_Spec TablePlan_spec = {
    .name = "wishpy._epan.TablePlan",
    .basicsize = sizeof(TablePlan),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = TablePlan_slots,
};

static PyMethodDef TableReader_methods[] = {
    {"close", TableReader_close, METH_NOARGS, TableReader_close__doc__},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(TableReader__doc__,
"TableReader(plan, paths, keywords, rows, progress=None, offset_limit=2147483647)\n--\n\n"
"An iterator of the TableBatches of capture files. Scan.batches() makes it.\n\n"
"keywords  a dict of Dissector's keywords\n"
"rows      at most, in one batch");

static PyType_Slot TableReader_slots[] = {
    {Py_tp_doc, (void *)TableReader__doc__},
    {Py_tp_new, TableReader_new},
    {Py_tp_dealloc, TableReader_dealloc},
    {Py_tp_traverse, TableReader_traverse},
    {Py_tp_clear, TableReader_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, TableReader_next},
    {Py_tp_methods, TableReader_methods},
    {0, NULL},
};

static PyType_Spec TableReader_spec = {
    .name = "wishpy._epan.TableReader",
    .basicsize = sizeof(TableReader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = TableReader_slots,
};

int
table_add_types(PyObject *module)
{
    module_state *state = state_of(module);
    PyObject *plan = PyType_FromModuleAndSpec(module, &TablePlan_spec, NULL);
    if (plan == NULL) {
        return -1;
    }
    state->TablePlanType = (PyTypeObject *)plan;   /* the state owns it */
    PyObject *reader = PyType_FromModuleAndSpec(module, &TableReader_spec, NULL);
    if (reader == NULL) {
        return -1;
    }
    state->TableReaderType = (PyTypeObject *)reader;   /* the state owns it */
    return PyModule_AddObjectRef(module, "TablePlan", plan) < 0
                   || PyModule_AddObjectRef(module, "TableReader", reader) < 0
               ? -1
               : table_batch_add_type(module);
}
