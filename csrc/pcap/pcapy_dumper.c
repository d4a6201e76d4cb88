/* pcapy_dumper.c - Dumper: writes packets to a pcap file. */
#include "state.h"

#include <errno.h>

typedef struct {
    PyObject_HEAD
    pcap_dumper_t *dumper;   /* owned; NULL once closed */
} Dumper;

PyObject *
dumper_new(pcap_state *state, pcap_dumper_t *dumper)
{
    Dumper *self = PyObject_New(Dumper, state->DumperType);
    if (self == NULL) {
        pcap_dump_close(dumper);
        return NULL;
    }
    self->dumper = dumper;
    return (PyObject *)self;
}

static void
Dumper_dealloc(PyObject *op)
{
    Dumper *self = (Dumper *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->dumper != NULL) {
        pcap_dump_close(self->dumper);
    }
    PyObject_Free(op);
    Py_DECREF(type);
}

static PyObject *
raise_text(PyObject *op, const char *text)
{
    pcap_state *state = state_of_type(Py_TYPE(op));
    if (state != NULL) {
        PyErr_SetString(state->PcapError, text);
    }
    return NULL;
}

PyDoc_STRVAR(Dumper_dump__doc__,
"dump($self, header, data, /)\n--\n\n"
"Write one packet: a Pkthdr and its bytes. Raises PcapError when the file is closed or can't be written.");

static PyObject *
Dumper_dump(PyObject *op, PyObject *args)
{
    Dumper *self = (Dumper *)op;
    PyObject *object;
    Py_buffer data;
    struct pcap_pkthdr header;
    PyObject *result = NULL;
    pcap_state *state = state_of_type(Py_TYPE(op));
    if (state == NULL || !PyArg_ParseTuple(args, "Oy*:dump", &object, &data)) {
        return NULL;
    }
    if (pkthdr_get(state, object, &header) < 0) {
        goto done;
    }
    if (self->dumper == NULL) {
        raise_text(op, "Dumper is already closed.");
        goto done;
    }
    if ((size_t)data.len < header.caplen) {
        PyErr_Format(PyExc_ValueError, "the header says %u bytes, the data has %zd", header.caplen, data.len);
        goto done;
    }
    errno = 0;
    pcap_dump((u_char *)self->dumper, &header, data.buf);
    if (ferror(pcap_dump_file(self->dumper))) {
        raise_text(op, strerror(errno != 0 ? errno : EIO));
        goto done;
    }
    result = Py_NewRef(Py_None);

done:
    PyBuffer_Release(&data);
    return result;
}

PyDoc_STRVAR(Dumper_close__doc__,
"close($self, /)\n--\n\n"
"Write out what is buffered and close the file. May be called again. Raises PcapError when it can't be written.");

static PyObject *
Dumper_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Dumper *self = (Dumper *)op;
    pcap_dumper_t *dumper = self->dumper;
    int failed = 0, number = 0;
    self->dumper = NULL;
    if (dumper != NULL) {
        Py_BEGIN_ALLOW_THREADS
        failed = pcap_dump_flush(dumper) != 0;
        number = errno;
        pcap_dump_close(dumper);
        Py_END_ALLOW_THREADS
    }
    if (failed) {
        return raise_text(op, strerror(number));
    }
    Py_RETURN_NONE;
}

static PyObject *
Dumper_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(op);
}

static PyObject *
Dumper_exit(PyObject *op, PyObject *Py_UNUSED(args))
{
    return Dumper_close(op, NULL);
}

PyDoc_STRVAR(Dumper__doc__, "A pcap file that is being written; Reader.dump_open() makes one.");

static PyMethodDef Dumper_methods[] = {
    {"dump", Dumper_dump, METH_VARARGS, Dumper_dump__doc__},
    {"close", Dumper_close, METH_NOARGS, Dumper_close__doc__},
    {"__enter__", Dumper_enter, METH_NOARGS, NULL},
    {"__exit__", Dumper_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Dumper_slots[] = {
    {Py_tp_doc, (void *)Dumper__doc__},
    {Py_tp_dealloc, Dumper_dealloc},
    {Py_tp_methods, Dumper_methods},
    {0, NULL},
};

static PyType_Spec Dumper_spec = {
    .name = "wishpy.pcapy.Dumper",
    .basicsize = sizeof(Dumper),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Dumper_slots,
};

int
pcapy_dumper_add(PyObject *module)
{
    return add_type(module, &Dumper_spec, &state_of_module(module)->DumperType);
}
