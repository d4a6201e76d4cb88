/* raw_packet.c - RawPacket: a captured packet as it came, and PacketHeader: the same without its bytes. */
#include "state.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    PyObject *data;        /* owned bytes */
    PyObject *interface;   /* owned str or None */
    long long time_ns;
    unsigned int length;
    int linktype;
} RawPacket;

/* Both are leaves (bytes and str refer to nothing), so that the type needs no garbage collection. */
static PyObject *
make(PyTypeObject *type, PyObject *data, PyObject *interface)
{
    RawPacket *self = PyObject_New(RawPacket, type);
    if (self == NULL) {
        Py_DECREF(data);
        return NULL;
    }
    self->data = data;   /* steals it */
    self->interface = Py_NewRef(interface);
    return (PyObject *)self;
}

static long long
time_ns_of(const wp_record *record)
{
    long long time_ns;   /* a pcapng file can say a year that nanoseconds don't reach: the nearest they do, then */
    if (__builtin_mul_overflow(record->seconds, 1000000000LL, &time_ns)
        || __builtin_add_overflow(time_ns, (long long)record->nanoseconds, &time_ns)) {
        return record->seconds < 0 ? LLONG_MIN : LLONG_MAX;
    }
    return time_ns;
}

PyObject *
raw_packet_new(pcap_state *state, const wp_record *record, PyObject *interface)
{
    PyObject *data = PyBytes_FromStringAndSize((const char *)record->data, record->captured_length);
    if (data == NULL) {
        return NULL;
    }
    PyObject *op = make(state->RawPacketType, data, interface);
    if (op != NULL) {
        RawPacket *self = (RawPacket *)op;
        self->time_ns = time_ns_of(record);
        self->length = record->length;
        self->linktype = record->linktype;
    }
    return op;
}

PyDoc_STRVAR(RawPacket__doc__,
"RawPacket(data, *, time_ns=0, length=None, linktype=1, interface=None)\n--\n\n"
"A captured packet as it came from the network or a file.\n\n"
"data       its bytes\n"
"time_ns    nanoseconds since the epoch\n"
"length     bytes on the wire; as many as there are in data when None\n"
"linktype   libpcap's DLT number; 1 is Ethernet\n"
"interface  name of the interface, or None for a packet out of a file");

static PyObject *
RawPacket_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"data", "time_ns", "length", "linktype", "interface", NULL};
    PyObject *data, *interface = Py_None, *length = Py_None;
    long long time_ns = 0;
    int linktype = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "S|$LOiO:RawPacket", names, &data, &time_ns, &length, &linktype,
                                     &interface)) {
        return NULL;
    }
    if (interface != Py_None && !PyUnicode_CheckExact(interface)) {
        return PyErr_Format(PyExc_TypeError, "interface must be str or None, not %.100s", Py_TYPE(interface)->tp_name);
    }
    unsigned long long on_wire = (unsigned long long)PyBytes_GET_SIZE(data);
    if (length != Py_None) {
        on_wire = PyLong_AsUnsignedLongLong(length);
        if (on_wire == (unsigned long long)-1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    if (on_wire > UINT32_MAX) {
        return PyErr_Format(PyExc_ValueError, "a packet of %llu bytes is longer than any link type has", on_wire);
    }
    PyObject *op = make(type, Py_NewRef(data), interface);
    if (op != NULL) {
        RawPacket *self = (RawPacket *)op;
        self->time_ns = time_ns;
        self->length = (unsigned int)on_wire;
        self->linktype = linktype;
    }
    return op;
}

static void
RawPacket_dealloc(PyObject *op)
{
    RawPacket *self = (RawPacket *)op;
    PyTypeObject *type = Py_TYPE(op);
    Py_DECREF(self->data);
    Py_DECREF(self->interface);
    PyObject_Free(op);
    Py_DECREF(type);
}

static PyObject *
RawPacket_get_captured_length(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromSsize_t(PyBytes_GET_SIZE(((RawPacket *)op)->data));
}

/* datetime has microseconds; time_ns has the rest. */
static PyObject *
RawPacket_get_time(PyObject *op, void *Py_UNUSED(closure))
{
    long long ns = ((RawPacket *)op)->time_ns;
    long long seconds = ns / 1000000000 - (ns % 1000000000 < 0);
    long long microseconds = (ns - seconds * 1000000000) / 1000;
    PyObject *result = NULL, *epoch = NULL, *delta = NULL, *utc = NULL, *datetime_class = NULL;
    PyObject *module = PyImport_ImportModule("datetime");
    if (module == NULL) {
        return NULL;
    }
    datetime_class = PyObject_GetAttrString(module, "datetime");
    delta = PyObject_CallMethod(module, "timedelta", "iLL", 0, seconds, microseconds);
    PyObject *timezone = PyObject_GetAttrString(module, "timezone");
    utc = timezone == NULL ? NULL : PyObject_GetAttrString(timezone, "utc");
    Py_XDECREF(timezone);
    if (datetime_class == NULL || delta == NULL || utc == NULL) {
        goto done;
    }
    epoch = PyObject_CallFunction(datetime_class, "iiiiiiiO", 1970, 1, 1, 0, 0, 0, 0, utc);
    result = epoch == NULL ? NULL : PyNumber_Add(epoch, delta);

done:
    Py_DECREF(module);
    Py_XDECREF(datetime_class);
    Py_XDECREF(delta);
    Py_XDECREF(utc);
    Py_XDECREF(epoch);
    return result;
}

static PyObject *
RawPacket_repr(PyObject *op)
{
    RawPacket *self = (RawPacket *)op;
    const char *name = pcap_datalink_val_to_name(self->linktype);
    PyObject *linktype = name != NULL ? PyUnicode_FromString(name) : PyUnicode_FromFormat("%d", self->linktype);
    if (linktype == NULL) {
        return NULL;
    }
    PyObject *result = PyUnicode_FromFormat("<RawPacket %zd of %u bytes, %U, time_ns=%lld>",
                                            PyBytes_GET_SIZE(self->data), self->length, linktype, self->time_ns);
    Py_DECREF(linktype);
    return result;
}

static PyObject *
RawPacket_richcompare(PyObject *op, PyObject *other, int operation)
{
    if (Py_TYPE(op) != Py_TYPE(other) || (operation != Py_EQ && operation != Py_NE)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    const RawPacket *a = (RawPacket *)op, *b = (RawPacket *)other;
    int equal = a->time_ns == b->time_ns && a->length == b->length && a->linktype == b->linktype;
    if (equal) {
        equal = PyObject_RichCompareBool(a->data, b->data, Py_EQ);
    }
    if (equal > 0) {
        equal = PyObject_RichCompareBool(a->interface, b->interface, Py_EQ);
    }
    if (equal < 0) {
        return NULL;
    }
    return PyBool_FromLong(operation == Py_EQ ? equal : !equal);
}

static Py_hash_t
RawPacket_hash(PyObject *op)
{
    const RawPacket *self = (RawPacket *)op;
    Py_hash_t hash = PyObject_Hash(self->data);
    if (hash != -1) {
        hash ^= (Py_hash_t)(self->time_ns * 1000003);
        hash = hash == -1 ? -2 : hash;
    }
    return hash;
}

PyDoc_STRVAR(RawPacket_reduce__doc__, "__reduce__($self, /)\n--\n\nFor pickle.");

/* Its constructor has keyword-only arguments, which pickle's plain form can't say. */
static PyObject *
RawPacket_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    RawPacket *self = (RawPacket *)op;
    PyObject *result = NULL;
    PyObject *copyreg = PyImport_ImportModule("copyreg");
    PyObject *newobj = copyreg == NULL ? NULL : PyObject_GetAttrString(copyreg, "__newobj_ex__");
    if (newobj != NULL) {
        result = Py_BuildValue("N(O(O){s:L,s:I,s:i,s:O})", newobj, (PyObject *)Py_TYPE(op), self->data,
                               "time_ns", self->time_ns, "length", self->length, "linktype", self->linktype,
                               "interface", self->interface);
    }
    Py_XDECREF(copyreg);
    return result;
}

static PyMethodDef RawPacket_methods[] = {
    {"__reduce__", RawPacket_reduce, METH_NOARGS, RawPacket_reduce__doc__},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef RawPacket_members[] = {
    {"data", T_OBJECT, offsetof(RawPacket, data), READONLY, "the packet's bytes, as many as were captured"},
    {"interface", T_OBJECT, offsetof(RawPacket, interface), READONLY, "name of the interface, or None"},
    {"time_ns", T_LONGLONG, offsetof(RawPacket, time_ns), READONLY, "nanoseconds since the epoch"},
    {"length", T_UINT, offsetof(RawPacket, length), READONLY, "bytes on the wire"},
    {"linktype", T_INT, offsetof(RawPacket, linktype), READONLY, "libpcap's DLT number"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef RawPacket_getset[] = {
    {"captured_length", RawPacket_get_captured_length, NULL, "bytes in data", NULL},
    {"time", RawPacket_get_time, NULL, "an aware datetime, UTC, to the microsecond", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot RawPacket_slots[] = {
    {Py_tp_doc, (void *)RawPacket__doc__},
    {Py_tp_new, RawPacket_new},
    {Py_tp_dealloc, RawPacket_dealloc},
    {Py_tp_repr, RawPacket_repr},
    {Py_tp_richcompare, RawPacket_richcompare},
    {Py_tp_hash, RawPacket_hash},
    {Py_tp_methods, RawPacket_methods},
    {Py_tp_members, RawPacket_members},
    {Py_tp_getset, RawPacket_getset},
    {0, NULL},
};

static PyType_Spec RawPacket_spec = {
    .name = "wishpy._pcap.RawPacket",
    .basicsize = sizeof(RawPacket),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = RawPacket_slots,
};

/* The header that goes into a queue beside the bytes: a named tuple, so that it pickles small and unpacks. */
static PyStructSequence_Field PacketHeader_fields[] = {
    {"time_ns", "nanoseconds since the epoch"},
    {"length", "bytes on the wire"},
    {"captured_length", "bytes captured"},
    {"linktype", "libpcap's DLT number"},
    {"interface", "name of the interface, or None"},
    {NULL, NULL},
};

static PyStructSequence_Desc PacketHeader_desc = {
    .name = "wishpy._pcap.PacketHeader",
    .doc = "What a capture says about a packet: all of a RawPacket but its bytes.",
    .fields = PacketHeader_fields,
    .n_in_sequence = 5,
};

PyObject *
packet_header_new(pcap_state *state, const wp_record *record, PyObject *interface)
{
    PyObject *op = PyStructSequence_New(state->PacketHeaderType);
    if (op == NULL) {
        return NULL;
    }
    PyObject *values[] = {
        PyLong_FromLongLong(time_ns_of(record)), PyLong_FromUnsignedLong(record->length),
        PyLong_FromUnsignedLong(record->captured_length), PyLong_FromLong(record->linktype), Py_NewRef(interface),
    };
    bool failed = false;
    for (Py_ssize_t i = 0; i < (Py_ssize_t)Py_ARRAY_LENGTH(values); i++) {
        failed |= values[i] == NULL;
        PyStructSequence_SetItem(op, i, values[i]);   /* steals it; NULL is allowed */
    }
    if (failed) {
        Py_DECREF(op);
        return NULL;
    }
    return op;
}

int
raw_packet_add(PyObject *module)
{
    pcap_state *state = state_of_module(module);
    if (add_type(module, &RawPacket_spec, &state->RawPacketType) < 0) {
        return -1;
    }
    state->PacketHeaderType = PyStructSequence_NewType(&PacketHeader_desc);
    if (state->PacketHeaderType == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->PacketHeaderType);
}
