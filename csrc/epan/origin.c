/* origin.c - Origin: what a packet's capture says beside its packets, as a Python object, so that the packets of one
 * capture share it and a pickle holds it once. Private: it is what a Writer needs to know. */
#include "state.h"

typedef struct {
    PyObject_HEAD
    wp_origin *origin;   /* held */
} Origin;

PyObject *
origin_new(module_state *state, wp_origin *origin)
{
    Origin *self = PyObject_New(Origin, state->OriginType);
    if (self == NULL) {
        return NULL;
    }
    self->origin = origin == NULL ? wp_origin_new() : wp_origin_hold(origin);
    if (self->origin == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

wp_origin *
origin_of(PyObject *op)
{
    return ((Origin *)op)->origin;
}

bool
origin_learn(PyObject *op, const uint8_t *bytes, size_t size)
{
    wp_origin_item head;
    if (size < sizeof head) {
        return false;
    }
    memcpy(&head, bytes, sizeof head);
    return head.size == size - sizeof head && wp_origin_add(origin_of(op), head.kind, bytes + sizeof head, head.size);
}

static void
Origin_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    wp_origin_release(origin_of(op));
    PyObject_Free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(Origin_reduce__doc__, "__reduce__($self, /)\n--\n\nHelper for pickle: the items as bytes.");

static PyObject *
Origin_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    wp_origin *origin = origin_of(op);
    const uint32_t count = wp_origin_count(origin);
    PyObject *items = PyTuple_New(count);
    PyObject *module = items == NULL ? NULL : PyImport_ImportModule("wishpy._epan");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, "_origin_from_items");
    PyObject *result = NULL;
    for (uint32_t i = 0; function != NULL && i < count; i++) {
        const wp_origin_item *item = wp_origin_item_at(origin, i);
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)item, (Py_ssize_t)(sizeof *item + item->size));
        if (bytes == NULL) {
            goto done;
        }
        PyTuple_SET_ITEM(items, i, bytes);
    }
    if (function != NULL) {
        result = Py_BuildValue("O(O)", function, items);
    }

done:
    Py_XDECREF(items);
    Py_XDECREF(module);
    Py_XDECREF(function);
    return result;
}

const char origin_unpickle__doc__[] =
"_origin_from_items($module, items, /)\n--\n\n"
"Make the Origin of a pickle. ValueError for bytes that are none of an origin's.";

PyObject *
origin_unpickle(PyObject *module, PyObject *items)
{
    if (!PyTuple_Check(items)) {
        PyErr_SetString(PyExc_TypeError, "a tuple is wanted");
        return NULL;
    }
    PyObject *self = origin_new(state_of(module), NULL);
    for (Py_ssize_t i = 0; self != NULL && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        if (!PyBytes_Check(item)
            || !origin_learn(self, (const uint8_t *)PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item))) {
            PyErr_SetString(PyExc_ValueError, "not the bytes of a packet's origin");
            Py_CLEAR(self);
        }
    }
    return self;
}

static PyMethodDef Origin_methods[] = {
    {"__reduce__", Origin_reduce, METH_NOARGS, Origin_reduce__doc__},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Origin_slots[] = {
    {Py_tp_doc, "What a packet's capture says beside its packets."},
    {Py_tp_dealloc, Origin_dealloc},
    {Py_tp_methods, Origin_methods},
    {0, NULL},
};

/* Not a container for the garbage collector: it refers to no Python object but its type. */
static PyType_Spec Origin_spec = {
    .name = "wishpy._epan._Origin",
    .basicsize = sizeof(Origin),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Origin_slots,
};

int
origin_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Origin_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->OriginType = (PyTypeObject *)type;   /* the state owns it */
    return 0;
}
