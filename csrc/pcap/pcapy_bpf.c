/* pcapy_bpf.c - BPFProgram: a compiled capture filter, to be run over packets here. */
#include "state.h"

typedef struct {
    PyObject_HEAD
    struct bpf_program program;   /* owned */
} BPFProgram;

enum { SNAPLEN = 65536 };   /* pcapy's */

PyObject *
bpf_program_new(pcap_state *state, struct bpf_program *program)
{
    BPFProgram *self = PyObject_New(BPFProgram, state->BPFProgramType);
    if (self == NULL) {
        pcap_freecode(program);
        return NULL;
    }
    self->program = *program;
    return (PyObject *)self;
}

/* BPFError with pcapy's text, and libpcap's as its cause. */
static PyObject *
raise_compile(pcap_state *state, const char *detail)
{
    PyObject *cause = PyObject_CallFunction(state->PcapError, "s", detail);
    PyObject *exception = PyObject_CallFunction(state->BPFError, "s", "Couldn't compile BPF program");
    if (cause != NULL && exception != NULL) {
        PyException_SetCause(exception, Py_NewRef(cause));
        PyErr_SetObject(state->BPFError, exception);
    }
    Py_XDECREF(cause);
    Py_XDECREF(exception);
    return NULL;
}

PyDoc_STRVAR(BPFProgram__doc__,
"BPFProgram(filter, linktype=DLT_EN10MB, /)\n--\n\n"
"A compiled capture filter. Raises BPFError for a bad one; the cause of that has libpcap's text.");

static PyObject *
BPFProgram_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const char *text;
    int linktype = DLT_EN10MB;
    pcap_state *state = state_of_type(type);
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "BPFProgram() takes no keyword arguments");
        return NULL;
    }
    if (state == NULL || !PyArg_ParseTuple(args, "s|i:BPFProgram", &text, &linktype)) {
        return NULL;
    }
    struct bpf_program program;
    char detail[PCAP_ERRBUF_SIZE] = "";
    bool made = false;
    Py_BEGIN_ALLOW_THREADS   /* host names in the filter are looked up */
    pcap_t *pcap = pcap_open_dead(linktype, SNAPLEN);
    if (pcap != NULL) {
        made = pcap_compile(pcap, &program, text, 0, 0) == 0;
        snprintf(detail, sizeof detail, "%s", pcap_geterr(pcap));
        pcap_close(pcap);
    }
    Py_END_ALLOW_THREADS
    return made ? bpf_program_new(state, &program) : raise_compile(state, detail);
}

static void
BPFProgram_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    pcap_freecode(&((BPFProgram *)op)->program);
    PyObject_Free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(BPFProgram_filter__doc__,
"filter($self, packet, /)\n--\n\n"
"Run the filter over a packet's bytes: 0 when it doesn't match, else how many bytes of it to keep, an int.");

static PyObject *
BPFProgram_filter(PyObject *op, PyObject *packet)
{
    Py_buffer data;
    if (PyObject_GetBuffer(packet, &data, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    u_int length = data.len > UINT32_MAX ? UINT32_MAX : (u_int)data.len;
    u_int status = bpf_filter(((BPFProgram *)op)->program.bf_insns, data.buf, length, length);
    PyBuffer_Release(&data);
    return PyLong_FromLong((int)status);
}

PyDoc_STRVAR(BPFProgram_get_bpf__doc__,
"get_bpf($self, /)\n--\n\nThe program: a list of (code, jt, jf, k), as tcpdump -ddd prints them.");

static PyObject *
BPFProgram_get_bpf(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    const struct bpf_program *program = &((BPFProgram *)op)->program;
    PyObject *list = PyList_New(program->bf_len);
    for (u_int i = 0; i < program->bf_len && list != NULL; i++) {
        const struct bpf_insn *code = &program->bf_insns[i];
        PyObject *item = Py_BuildValue("(IIII)", code->code, code->jt, code->jf, code->k);
        if (item == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, item);
        }
    }
    return list;
}

static PyMethodDef BPFProgram_methods[] = {
    {"filter", BPFProgram_filter, METH_O, BPFProgram_filter__doc__},
    {"get_bpf", BPFProgram_get_bpf, METH_NOARGS, BPFProgram_get_bpf__doc__},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot BPFProgram_slots[] = {
    {Py_tp_doc, (void *)BPFProgram__doc__},
    {Py_tp_new, BPFProgram_new},
    {Py_tp_dealloc, BPFProgram_dealloc},
    {Py_tp_methods, BPFProgram_methods},
    {0, NULL},
};

static PyType_Spec BPFProgram_spec = {
    .name = "wishpy.pcapy.BPFProgram",
    .basicsize = sizeof(BPFProgram),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = BPFProgram_slots,
};

int
pcapy_bpf_add(PyObject *module)
{
    return add_type(module, &BPFProgram_spec, &state_of_module(module)->BPFProgramType);
}
