/* display_filter.c - DisplayFilter: a display filter compiled once, asked of any Packet; and Packet.matches(). */
#include "state.h"

#include "../engine/display_filter.h"
#include "../engine/library.h"

typedef struct {
    PyObject_HEAD
    wp_filter *filter;   /* owned */
    PyObject *text;      /* owned: str */
} DisplayFilter;

/* ---- the filter itself ---- */

static wp_filter *
compile(module_state *state, PyObject *text)
{
    Py_ssize_t length;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &length);
    if (bytes == NULL || epan_start(state) < 0) {
        return NULL;
    }
    if (strlen(bytes) != (size_t)length) {
        PyErr_SetString(PyExc_ValueError, "a display filter has a NUL character in it");
        return NULL;
    }
    wp_filter *filter = NULL;
    wp_error error;
    epan_lock();
    wp_status status = wp_filter_compile_locked(bytes, &filter, &error);
    wp_epan_unlock();
    if (status == WP_EFILTER) {
        raise_filter(state, text, &error);
    } else if (status != WP_OK) {
        raise_status(state, status, &error, text);
    }
    return filter;
}

static PyObject *
DisplayFilter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"text", NULL};
    PyObject *text;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:DisplayFilter", names, &text)) {
        return NULL;
    }
    DisplayFilter *self = (DisplayFilter *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    Py_INCREF(text);
    self->text = text;
    self->filter = compile(state_of_type(type), text);
    if (self->filter == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void
DisplayFilter_dealloc(PyObject *op)
{
    DisplayFilter *self = (DisplayFilter *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->filter != NULL) {
        wp_epan_retire(self->filter, wp_filter_free_locked);   /* must not wait for the lock here */
    }
    Py_XDECREF(self->text);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- matching ---- */

static int
ask(module_state *state, const wp_filter *filter, Packet *packet)
{
    bool matches = false;
    wp_error error;
    if (packet_need_rest(packet) < 0) {
        return -1;
    }
    epan_lock();
    wp_status status = wp_filter_matches_locked(filter, packet->block, &matches, &error);
    wp_epan_unlock();
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
        return -1;
    }
    return matches;
}

static PyObject *
answer(int matches)
{
    return matches < 0 ? NULL : PyBool_FromLong(matches);
}

PyDoc_STRVAR(DisplayFilter_matches__doc__,
"matches($self, packet, /)\n--\n\n"
"Does the packet match? It is asked of the packet as it was dissected; of one that was dissected with fields=, only\n"
"those fields are there.");

static PyObject *
DisplayFilter_matches(PyObject *op, PyObject *packet)
{
    module_state *state = state_of_type(Py_TYPE(op));
    if (!PyObject_TypeCheck(packet, state->PacketType)) {
        return PyErr_Format(PyExc_TypeError, "matches() is asked of a Packet, not of %.100s", Py_TYPE(packet)->tp_name);
    }
    return answer(ask(state, ((DisplayFilter *)op)->filter, (Packet *)packet));
}

const char packet_matches__doc__[] =
    "matches($self, display_filter, /)\n--\n\n"
    "Does the packet match the display filter, a str or a DisplayFilter? FilterError for a mistake in it.";

PyObject *
packet_matches(PyObject *packet, PyObject *given)
{
    module_state *state = state_of_type(Py_TYPE(packet));
    if (Py_IS_TYPE(given, state->DisplayFilterType)) {
        return answer(ask(state, ((DisplayFilter *)given)->filter, (Packet *)packet));
    }
    if (!PyUnicode_Check(given)) {
        return PyErr_Format(PyExc_TypeError, "a display filter is str or DisplayFilter, not %.100s",
                            Py_TYPE(given)->tp_name);
    }
    wp_filter *filter = compile(state, given);
    if (filter == NULL) {
        return NULL;
    }
    PyObject *result = answer(ask(state, filter, (Packet *)packet));
    epan_lock();
    wp_filter_free_locked(filter);
    wp_epan_unlock();
    return result;
}

/* ---- what it is ---- */

static void
append(const char *text, void *list_)
{
    PyObject **list = list_;
    PyObject *item = *list == NULL ? NULL : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (*list != NULL && (item == NULL || PyList_Append(*list, item) < 0)) {
        Py_CLEAR(*list);
    }
    Py_XDECREF(item);
}

static PyObject *
DisplayFilter_fields(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *list = PyList_New(0), *result = NULL;
    epan_lock();
    wp_filter_fields_locked(((DisplayFilter *)op)->filter, append, &list);
    wp_epan_unlock();
    PyObject *once = list == NULL ? NULL : PySet_New(list);   /* several fields may share a name */
    if (once != NULL) {
        result = PySequence_List(once);
    }
    if (result != NULL && PyList_Sort(result) < 0) {
        Py_CLEAR(result);
    }
    Py_XDECREF(list);
    Py_XDECREF(once);
    return result;
}

static PyObject *
DisplayFilter_warnings(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *list = PyList_New(0);
    epan_lock();
    wp_filter_warnings_locked(((DisplayFilter *)op)->filter, append, &list);
    wp_epan_unlock();
    return list;
}

static PyObject *
DisplayFilter_text(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *text = ((DisplayFilter *)op)->text;
    Py_INCREF(text);
    return text;
}

static PyObject *
DisplayFilter_repr(PyObject *op)
{
    return PyUnicode_FromFormat("DisplayFilter(%R)", ((DisplayFilter *)op)->text);
}

PyDoc_STRVAR(DisplayFilter_reduce__doc__, "__reduce__($self, /)\n--\n\nFor pickle.");

static PyObject *
DisplayFilter_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("O(O)", Py_TYPE(op), ((DisplayFilter *)op)->text);
}

static PyMethodDef DisplayFilter_methods[] = {
    {"matches", DisplayFilter_matches, METH_O, DisplayFilter_matches__doc__},
    {"__reduce__", DisplayFilter_reduce, METH_NOARGS, DisplayFilter_reduce__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef DisplayFilter_getset[] = {
    {"text", DisplayFilter_text, NULL, "The filter as it was given.", NULL},
    {"fields", DisplayFilter_fields, NULL, "The names of the fields it looks at: a sorted list of str.", NULL},
    {"warnings", DisplayFilter_warnings, NULL, "What Wireshark has to say against it: a list of str, mostly empty.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(DisplayFilter__doc__,
"DisplayFilter(text)\n--\n\n"
"A display filter, compiled once. FilterError, with the position, for a mistake in it.");

static PyType_Slot DisplayFilter_slots[] = {
    {Py_tp_doc, (void *)DisplayFilter__doc__},
    {Py_tp_new, DisplayFilter_new},
    {Py_tp_dealloc, DisplayFilter_dealloc},
    {Py_tp_repr, DisplayFilter_repr},
    {Py_tp_methods, DisplayFilter_methods},
    {Py_tp_getset, DisplayFilter_getset},
    {0, NULL},
};

/* Not a container: its only reference is to a str. */
static PyType_Spec DisplayFilter_spec = {
    .name = "wishpy._epan.DisplayFilter",
    .basicsize = sizeof(DisplayFilter),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = DisplayFilter_slots,
};

int
display_filter_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &DisplayFilter_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->DisplayFilterType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "DisplayFilter", type);
}
