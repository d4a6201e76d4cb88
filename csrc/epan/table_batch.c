/* table_batch.c - TableBatch: some rows of a table as an Arrow array, and as Python values for who has no Arrow.
 * It never changes; what it exports shares its buffers and outlives it. */
#include "state.h"

#include "table_capsules.h"

typedef struct {
    PyObject_HEAD
    PyObject *plan_object;   /* owned: the TablePlan */
    wp_plan *plan;           /* borrowed from it */
    wp_batch *batch;         /* owned reference */
} TableBatch;

PyObject *
table_batch_new(module_state *state, PyObject *plan, wp_batch *batch)
{
    TableBatch *self = (TableBatch *)state->TableBatchType->tp_alloc(state->TableBatchType, 0);
    if (self == NULL) {
        wp_batch_release(batch);
        return NULL;
    }
    Py_INCREF(plan);
    self->plan_object = plan;
    self->plan = table_plan_of(state, plan);
    self->batch = batch;
    return (PyObject *)self;
}

wp_batch *
table_batch_of(module_state *state, PyObject *batch)
{
    if (!PyObject_TypeCheck(batch, state->TableBatchType)) {
        PyErr_Format(PyExc_TypeError, "a TableBatch is wanted, not %.100s", Py_TYPE(batch)->tp_name);
        return NULL;
    }
    return ((TableBatch *)batch)->batch;
}

/* ---- values ---- */

static bool
bit_at(const void *bits, int64_t i)
{
    return bits == NULL || (((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1);
}

static int64_t
floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static PyObject *
time_value(const wp_column *column, int64_t number)
{
    const int64_t per_second = 1000000000 / column->divisor;
    if (column->type == WP_TYPE_DURATION) {
        return PyFloat_FromDouble((double)number / (double)per_second);
    }
    const int64_t seconds = floor_divide(number, per_second);
    return time_to_python(seconds, (int32_t)((number - seconds * per_second) * column->divisor));
}

static PyObject *
span_value(const wp_array *array, int64_t i, bool text)
{
    const int32_t *offsets = array->buffers[1];
    const char *data = (const char *)array->buffers[2] + offsets[i];
    const Py_ssize_t size = offsets[i + 1] - offsets[i];
    return text ? PyUnicode_DecodeUTF8(data, size, NULL) : PyBytes_FromStringAndSize(data, size);
}

static PyObject *
integer_value(wp_column_type type, const void *data, int64_t i)
{
    switch (type) {
    case WP_TYPE_UINT8:
        return PyLong_FromLong(((const uint8_t *)data)[i]);
    case WP_TYPE_UINT16:
        return PyLong_FromLong(((const uint16_t *)data)[i]);
    case WP_TYPE_UINT32:
        return PyLong_FromUnsignedLong(((const uint32_t *)data)[i]);
    case WP_TYPE_UINT64:
        return PyLong_FromUnsignedLongLong(((const uint64_t *)data)[i]);
    case WP_TYPE_INT8:
        return PyLong_FromLong(((const int8_t *)data)[i]);
    case WP_TYPE_INT16:
        return PyLong_FromLong(((const int16_t *)data)[i]);
    case WP_TYPE_INT32:
        return PyLong_FromLong(((const int32_t *)data)[i]);
    default:
        return PyLong_FromLongLong(((const int64_t *)data)[i]);
    }
}

static PyObject *
value_at(const wp_column *column, const wp_array *array, int64_t i, bool raw)
{
    if (!bit_at(array->buffers[0], i)) {
        Py_RETURN_NONE;
    }
    if (column->dictionary) {
        return span_value(array->dictionary, ((const int32_t *)array->buffers[1])[i], true);
    }
    switch (column->type) {
    case WP_TYPE_BOOL:
        return PyBool_FromLong(bit_at(array->buffers[1], i));
    case WP_TYPE_FLOAT32:
        return PyFloat_FromDouble(((const float *)array->buffers[1])[i]);
    case WP_TYPE_FLOAT64:
        return PyFloat_FromDouble(((const double *)array->buffers[1])[i]);
    case WP_TYPE_TIMESTAMP:
    case WP_TYPE_DURATION:
        return raw ? PyLong_FromLongLong(((const int64_t *)array->buffers[1])[i])
                   : time_value(column, ((const int64_t *)array->buffers[1])[i]);
    case WP_TYPE_UTF8:
    case WP_TYPE_BINARY:
        return span_value(array, i, column->type == WP_TYPE_UTF8);
    default:
        return integer_value(column->type, array->buffers[1], i);
    }
}

/* A list of the values from..to. */
static PyObject *
values_between(const wp_column *column, const wp_array *array, int64_t from, int64_t to, bool raw)
{
    PyObject *list = PyList_New(to - from);
    for (int64_t i = from; list != NULL && i < to; i++) {
        PyObject *value = value_at(column, array, i, raw);
        if (value == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i - from, value);
        }
    }
    return list;
}

static PyObject *
list_at(const wp_column *column, const wp_array *array, int64_t i, bool raw)
{
    if (!bit_at(array->buffers[0], i)) {
        Py_RETURN_NONE;
    }
    const int32_t *offsets = array->buffers[1];
    return values_between(column, array->children, offsets[i], offsets[i + 1], raw);
}

PyDoc_STRVAR(TableBatch_column__doc__,
"column($self, index, /, *, raw=False)\n--\n\n"
"Return the values of one column as a list: the Python types of a Packet's values, None where a field is absent.\n\n"
"raw  times as the integers that Arrow has, which keeps their nanoseconds.");

static PyObject *
TableBatch_column(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "raw", NULL};
    TableBatch *self = (TableBatch *)op;
    Py_ssize_t index;
    int raw = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|$p:column", names, &index, &raw)) {
        return NULL;
    }
    const wp_array *root = wp_batch_root(self->batch);
    if (index < 0 || index >= (Py_ssize_t)root->child_count) {
        PyErr_Format(PyExc_IndexError, "the table has %u columns", root->child_count);
        return NULL;
    }
    const wp_column *column = wp_plan_column(self->plan, (uint32_t)index);
    const wp_array *array = &root->children[index];
    if (!column->list) {
        return values_between(column, array, 0, array->length, raw);
    }
    PyObject *list = PyList_New(array->length);
    for (int64_t i = 0; list != NULL && i < array->length; i++) {
        PyObject *value = list_at(column, array, i, raw);
        if (value == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, value);
        }
    }
    return list;
}

PyDoc_STRVAR(TableBatch_buffers__doc__,
"buffers($self, index, /)\n--\n\n"
"Return (validity, data) of a column of numbers, booleans or times as bytes in Arrow's layout; validity is None where\n"
"nothing is null. None for other columns.");

static PyObject *
TableBatch_buffers(PyObject *op, PyObject *given)
{
    TableBatch *self = (TableBatch *)op;
    const Py_ssize_t index = PyLong_AsSsize_t(given);
    const wp_array *root = wp_batch_root(self->batch);
    if (index < 0 || index >= (Py_ssize_t)root->child_count) {
        if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_IndexError, "the table has %u columns", root->child_count);
        }
        return NULL;
    }
    static const uint8_t bits[] = {
        [WP_TYPE_BOOL] = 1, [WP_TYPE_UINT8] = 8, [WP_TYPE_UINT16] = 16, [WP_TYPE_UINT32] = 32, [WP_TYPE_UINT64] = 64,
        [WP_TYPE_INT8] = 8, [WP_TYPE_INT16] = 16, [WP_TYPE_INT32] = 32, [WP_TYPE_INT64] = 64, [WP_TYPE_FLOAT32] = 32,
        [WP_TYPE_FLOAT64] = 64, [WP_TYPE_TIMESTAMP] = 64, [WP_TYPE_DURATION] = 64, [WP_TYPE_UTF8] = 0,
        [WP_TYPE_BINARY] = 0,
    };
    const wp_column *column = wp_plan_column(self->plan, (uint32_t)index);
    const wp_array *array = &root->children[index];
    if (column->list || column->dictionary || bits[column->type] == 0) {
        Py_RETURN_NONE;
    }
    PyObject *data = PyBytes_FromStringAndSize(array->buffers[1], (array->length * bits[column->type] + 7) / 8);
    if (data == NULL || array->buffers[0] == NULL) {
        return data == NULL ? NULL : Py_BuildValue("(ON)", Py_None, data);
    }
    return Py_BuildValue("(y#N)", (const char *)array->buffers[0], (Py_ssize_t)((array->length + 7) / 8), data);
}

/* ---- Arrow ---- */

PyDoc_STRVAR(TableBatch_schema__doc__, "__arrow_c_schema__($self, /)\n--\n\nReturn the schema as an Arrow PyCapsule.");

static PyObject *
TableBatch_schema(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return table_schema_capsule(((TableBatch *)op)->plan);
}

PyDoc_STRVAR(TableBatch_array__doc__,
"__arrow_c_array__($self, /, requested_schema=None)\n--\n\n"
"Return (schema, array) as Arrow PyCapsules. The rows are there already, so that their types stay as they are,\n"
"whatever is requested; ValueError where the columns that are requested are others altogether.");

static PyObject *
TableBatch_array(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"requested_schema", NULL};
    TableBatch *self = (TableBatch *)op;
    module_state *state = state_of_type(Py_TYPE(op));
    PyObject *requested = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:__arrow_c_array__", names, &requested)) {
        return NULL;
    }
    wp_plan *adapted = table_adapted_plan(state, self->plan, requested);
    if (adapted == NULL) {
        return NULL;
    }
    wp_plan_release(adapted);
    PyObject *schema = table_schema_capsule(self->plan);
    PyObject *array = schema == NULL ? NULL : table_array_capsule(self->batch);
    if (array == NULL) {
        Py_XDECREF(schema);
        return NULL;
    }
    return Py_BuildValue("(NN)", schema, array);
}

/* ---- the type ---- */

static PyObject *
TableBatch_num_rows(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(wp_batch_root(((TableBatch *)op)->batch)->length);
}

static PyObject *
TableBatch_num_columns(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(wp_batch_root(((TableBatch *)op)->batch)->child_count);
}

static PyObject *
TableBatch_plan(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *plan = ((TableBatch *)op)->plan_object;
    Py_INCREF(plan);
    return plan;
}

static Py_ssize_t
TableBatch_length(PyObject *op)
{
    return (Py_ssize_t)wp_batch_root(((TableBatch *)op)->batch)->length;
}

static int
TableBatch_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((TableBatch *)op)->plan_object);
    return 0;
}

/* The plan stays until the end: everything above relies on it, and it is in no cycle. */
static void
TableBatch_dealloc(PyObject *op)
{
    TableBatch *self = (TableBatch *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    wp_batch_release(self->batch);
    Py_XDECREF(self->plan_object);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef TableBatch_methods[] = {
    {"column", (PyCFunction)(void (*)(void))TableBatch_column, METH_VARARGS | METH_KEYWORDS, TableBatch_column__doc__},
    {"buffers", TableBatch_buffers, METH_O, TableBatch_buffers__doc__},
    {"__arrow_c_schema__", TableBatch_schema, METH_NOARGS, TableBatch_schema__doc__},
    {"__arrow_c_array__", (PyCFunction)(void (*)(void))TableBatch_array, METH_VARARGS | METH_KEYWORDS,
     TableBatch_array__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef TableBatch_getset[] = {
    {"num_rows", TableBatch_num_rows, NULL, "Rows in this batch.", NULL},
    {"num_columns", TableBatch_num_columns, NULL, "Columns of the table.", NULL},
    {"plan", TableBatch_plan, NULL, "The TablePlan that it was made by.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(TableBatch__doc__,
"Some rows of a table. Anything that speaks Arrow takes it as it is; column() gives Python values.");

static PyType_Slot TableBatch_slots[] = {
    {Py_tp_doc, (void *)TableBatch__doc__},
    {Py_tp_dealloc, TableBatch_dealloc},
    {Py_tp_traverse, TableBatch_traverse},
    {Py_tp_methods, TableBatch_methods},
    {Py_tp_getset, TableBatch_getset},
    {Py_sq_length, TableBatch_length},
    {0, NULL},
};

static PyType_Spec TableBatch_spec = {
    .name = "wishpy._epan.TableBatch",
    .basicsize = sizeof(TableBatch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = TableBatch_slots,
};

int
table_batch_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &TableBatch_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->TableBatchType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "TableBatch", type);
}
