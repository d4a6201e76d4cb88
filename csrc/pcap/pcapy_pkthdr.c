/* pcapy_pkthdr.c - Pkthdr: pcapy's packet header. */
#include "state.h"

typedef struct {
    PyObject_HEAD
    struct pcap_pkthdr header;   /* times in microseconds */
} Pkthdr;

PyObject *
pkthdr_new(pcap_state *state, const struct pcap_pkthdr *header)
{
    Pkthdr *self = PyObject_New(Pkthdr, state->PkthdrType);
    if (self != NULL) {
        self->header = *header;
    }
    return (PyObject *)self;
}

int
pkthdr_get(pcap_state *state, PyObject *object, struct pcap_pkthdr *header)
{
    if (!Py_IS_TYPE(object, state->PkthdrType)) {
        PyErr_Format(PyExc_TypeError, "header must be a Pkthdr, not %.100s", Py_TYPE(object)->tp_name);
        return -1;
    }
    *header = ((Pkthdr *)object)->header;
    return 0;
}

static void
Pkthdr_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_Free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(Pkthdr_getts__doc__,
"getts($self, /)\n--\n\nWhen the packet came: (seconds, microseconds) since the epoch.");

static PyObject *
Pkthdr_getts(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    const struct timeval *ts = &((Pkthdr *)op)->header.ts;
    return Py_BuildValue("(LL)", (long long)ts->tv_sec, (long long)ts->tv_usec);
}

PyDoc_STRVAR(Pkthdr_getlen__doc__, "getlen($self, /)\n--\n\nBytes on the wire.");

static PyObject *
Pkthdr_getlen(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(((Pkthdr *)op)->header.len);
}

PyDoc_STRVAR(Pkthdr_getcaplen__doc__, "getcaplen($self, /)\n--\n\nBytes captured.");

static PyObject *
Pkthdr_getcaplen(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(((Pkthdr *)op)->header.caplen);
}

PyDoc_STRVAR(Pkthdr__doc__, "The header of a packet, as Reader.next() and the callbacks give it.");

static PyMethodDef Pkthdr_methods[] = {
    {"getts", Pkthdr_getts, METH_NOARGS, Pkthdr_getts__doc__},
    {"getlen", Pkthdr_getlen, METH_NOARGS, Pkthdr_getlen__doc__},
    {"getcaplen", Pkthdr_getcaplen, METH_NOARGS, Pkthdr_getcaplen__doc__},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Pkthdr_slots[] = {
    {Py_tp_doc, (void *)Pkthdr__doc__},
    {Py_tp_dealloc, Pkthdr_dealloc},
    {Py_tp_methods, Pkthdr_methods},
    {0, NULL},
};

static PyType_Spec Pkthdr_spec = {
    .name = "wishpy.pcapy.Pkthdr",
    .basicsize = sizeof(Pkthdr),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Pkthdr_slots,
};

int
pcapy_pkthdr_add(PyObject *module)
{
    return add_type(module, &Pkthdr_spec, &state_of_module(module)->PkthdrType);
}
