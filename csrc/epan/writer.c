/* writer.c - Writer: packets into a capture file, and a context manager.
 *
 * What a packet has is looked up with the GIL held, and copied where it would not last; then it is written without the
 * GIL. Order and locks are the engine's (dump.c). */
#include "state.h"

#include "../engine/dump.h"
#include "../engine/pseudo_header.h"
#include "../engine/record_bytes.h"
#include "../engine/registry.h"
#include "source_python.h"

typedef struct {
    PyObject_HEAD
    wp_dump *dump;         /* owned; NULL where the opening failed */
    PyObject *path;        /* owned: as it was given */
    const char *format;    /* static */
    PyObject *compression; /* owned: str or None */
    int linktype;          /* of packets that do not say; -1 */
} Writer;

/* What one packet is made of, for as long as it is being written. All zero: nothing held. */
typedef struct {
    wp_dump_packet packet;
    python_record record;   /* of what is no Packet */
    PyObject *interface;    /* owned: its name, or NULL */
    wp_text copy;           /* owned: of a live packet's bytes, and what is known beside them */
} parts;

static void
release(parts *p)
{
    python_record_release(&p->record);
    Py_CLEAR(p->interface);
    wp_text_free(&p->copy);
}

/* A compressed file that was cut gets the end that makes it a whole one; wishpy.gzip_end closes the descriptor. */
static void
end_cut_file(Writer *self)
{
    const int fd = wp_dump_take_cut_file(self->dump);
    if (fd < 0) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *module = PyImport_ImportModule("wishpy.gzip_end");
    PyObject *done = module == NULL ? NULL : PyObject_CallMethod(module, "finish", "i", fd);
    if (done == NULL) {
        PyErr_WriteUnraisable(self->path);
    }
    Py_XDECREF(module);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
}

static PyObject *
none_or_raise(Writer *self, wp_status status, const wp_error *error)
{
    module_state *state = state_of_type(Py_TYPE(self));
    epan_drain_log(state);
    if (status != WP_OK) {
        end_cut_file(self);
        return raise_status(state, status, error, self->path);
    }
    Py_RETURN_NONE;
}

/* ---- one packet ---- */

/* Of a live packet all is copied: its slot is used again as soon as the GIL is let go. */
static int
take_live(Packet *packet, const uint8_t *bytes, parts *p)
{
    const size_t size = packet->frame.captured_length;
    wp_text_put(&p->copy, (const char *)bytes, size);
    wp_slot_extra(dissector_slot(packet->live, packet->slot), &p->copy);
    if (p->copy.failed) {
        PyErr_NoMemory();
        return -1;
    }
    p->packet.bytes = (const uint8_t *)p->copy.data;
    p->packet.extra = p->packet.bytes + size;
    p->packet.extra_size = p->copy.used - size;
    return 0;
}

static int
take_packet(Packet *packet, parts *p)
{
    size_t size;
    const uint8_t *bytes = packet_bytes(packet, &size);
    if (bytes == NULL) {
        return -1;
    }
    if (size < packet->frame.captured_length) {
        PyErr_Format(PyExc_ValueError, "the bytes of frame %u were not kept", packet->frame.number);
        return -1;
    }
    p->packet.frame = packet->frame;
    p->packet.origin = origin_of(packet->origin);
    if (packet->live != NULL) {
        return take_live(packet, bytes, p);
    }
    const wp_rest *rest = wp_block_rest(packet->block);   /* it does not move any more */
    p->packet.bytes = bytes;
    p->packet.extra = (const uint8_t *)packet->block + rest->extra;
    p->packet.extra_size = rest->extra_size;
    return 0;
}

/* The name of the interface that a RawPacket came from, if it has one. */
static int
take_interface(PyObject *item, parts *p)
{
    PyObject *header = PyTuple_Check(item) && PyTuple_GET_SIZE(item) > 0 ? PyTuple_GET_ITEM(item, 0) : item;
    p->interface = get_attribute(header, "interface");
    if (p->interface == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
    } else if (PyUnicode_Check(p->interface)) {
        p->packet.interface = PyUnicode_AsUTF8(p->interface);
        return p->packet.interface == NULL ? -1 : 0;
    }
    return 0;
}

/* The frame begins with what libwiretap keeps apart from its bytes: that is taken off as if it came from a file. */
static int
take_pseudo_header(const Writer *self, const wp_record *record, parts *p)
{
    wsc_record native;
    wp_error error;
    wsc_record_init(&native);
    const wp_status status = wp_pseudo_header_read(record, &native, &error);
    if (status == WP_OK) {
        const wtap_packet_header *head = &native.rec.rec_header.packet_header;
        p->packet.frame.captured_length = head->caplen;
        p->packet.frame.length = head->len;
        wp_text_put(&p->copy, (const char *)wsc_record_bytes(&native), head->caplen);
        wp_record_bytes_append(&p->copy, &native, NULL);
        p->packet.bytes = (const uint8_t *)p->copy.data;
        p->packet.extra = p->packet.bytes + head->caplen;
        p->packet.extra_size = p->copy.used - head->caplen;
    }
    wsc_record_cleanup(&native);
    if (status != WP_OK) {
        raise_status(state_of_type(Py_TYPE(self)), status, &error, NULL);
    } else if (p->copy.failed) {
        PyErr_NoMemory();
    }
    return status != WP_OK || p->copy.failed ? -1 : 0;
}

static int
take_other(const Writer *self, PyObject *item, parts *p)
{
    if (python_record_from_item(&p->record, item, self->linktype) < 0 || take_interface(item, p) < 0) {
        return -1;
    }
    const wp_record *record = &p->record.record;
    const int encapsulation = wp_registry_encapsulation(record->linktype);
    if (encapsulation < 0) {
        PyErr_Format(PyExc_ValueError, "link type %d is not known to Wireshark", record->linktype);
        return -1;
    }
    p->packet.bytes = record->data;
    p->packet.frame = (wp_frame){
        .seconds = record->seconds,
        .nanoseconds = record->nanoseconds < 0 ? 0 : record->nanoseconds,
        .has_time = record->nanoseconds >= 0,
        .length = record->length,
        .captured_length = record->captured_length,
        .encapsulation = encapsulation,
        .precision = 9,
    };
    return wp_has_pseudo_header(record->linktype) ? take_pseudo_header(self, record, p) : 0;
}

PyDoc_STRVAR(Writer_write__doc__,
"write($self, packet, /, *, comment=None)\n--\n\n"
"Write one packet: a Packet, a RawPacket, or (header, bytes) as a queue holds them.\n\n"
"comment  one more comment for it, in a pcapng file\n\n"
"Raises ValueError for a packet that the format has no place for: a time before 1970, another link type in a pcap\n"
"file. FileError where it can't be written: the file then ends with its last whole packet.");

static PyObject *
Writer_write(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "comment", NULL};
    Writer *self = (Writer *)op;
    PyObject *item, *result = NULL;
    parts p = {.packet = {.bytes = NULL}};
    wp_error error;
    wp_status status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$z:write", names, &item, &p.packet.comment)) {
        return NULL;
    }
    const int taken = PyObject_TypeCheck(item, state_of_type(Py_TYPE(op))->PacketType)
                          ? take_packet((Packet *)item, &p)
                          : take_other(self, item, &p);
    if (taken == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = wp_dump_write(self->dump, &p.packet, &error);
        Py_END_ALLOW_THREADS
        result = none_or_raise(self, status, &error);
    }
    release(&p);
    return result;
}

/* ---- flush and close ---- */

PyDoc_STRVAR(Writer_flush__doc__,
"flush($self, /)\n--\n\n"
"Put into the file what is still buffered, so that others can read all packets up to now.");

static PyObject *
Writer_flush(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    wp_error error;
    wp_status status;
    wp_dump *dump = ((Writer *)op)->dump;
    Py_BEGIN_ALLOW_THREADS
    status = wp_dump_flush(dump, &error);
    Py_END_ALLOW_THREADS
    return none_or_raise((Writer *)op, status, &error);
}

PyDoc_STRVAR(Writer_close__doc__,
"close($self, /)\n--\n\n"
"End the file. May be called again. Raises FileError where the last packets can't be written.");

static PyObject *
Writer_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    wp_error error;
    wp_status status;
    wp_dump *dump = ((Writer *)op)->dump;
    Py_BEGIN_ALLOW_THREADS
    status = wp_dump_close(dump, &error);
    Py_END_ALLOW_THREADS
    return none_or_raise((Writer *)op, status, &error);
}

PyDoc_STRVAR(Writer_enter__doc__, "__enter__($self, /)\n--\n\nReturn self.");

static PyObject *
Writer_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (wp_dump_is_closed(((Writer *)op)->dump)) {
        PyErr_SetString(PyExc_ValueError, "the Writer is closed");
        return NULL;
    }
    return Py_NewRef(op);
}

PyDoc_STRVAR(Writer_exit__doc__, "__exit__($self, /, *args)\n--\n\nclose().");

static PyObject *
Writer_exit(PyObject *op, PyObject *Py_UNUSED(args))
{
    return Writer_close(op, NULL);
}

/* ---- opening ---- */

static int
check_format(Writer *self, const char *format, wp_dump_format *which)
{
    static const char *const formats[] = {[WP_DUMP_PCAPNG] = "pcapng", [WP_DUMP_PCAP] = "pcap"};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(formats); i++) {
        if (strcmp(format, formats[i]) == 0) {
            self->format = formats[i];
            *which = (wp_dump_format)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "format must be 'pcapng' or 'pcap', not '%.100s'", format);
    return -1;
}

static int
check_compression(const char *compression)
{
    if (compression == NULL || wp_dump_can_compress(compression)) {
        return 0;
    }
    const char *lz4 = wp_dump_can_compress("lz4") ? " or 'lz4'" : "";
    if (wp_dump_knows_compression(compression)) {
        PyErr_Format(PyExc_ValueError, "this libwiretap reads %s but can't write it: compression can be None, 'gzip'%s",
                     compression, lz4);
    } else {
        PyErr_Format(PyExc_ValueError, "compression must be None, 'gzip'%s, not '%.100s'", lz4, compression);
    }
    return -1;
}

/* "wishpy 1.0.0". */
static PyObject *
application_name(void)
{
    PyObject *package = PyImport_ImportModule("wishpy");
    PyObject *version = package == NULL ? NULL : PyObject_GetAttrString(package, "__version__");
    PyObject *name = version == NULL ? NULL : PyUnicode_FromFormat("wishpy %U", version);
    Py_XDECREF(package);
    Py_XDECREF(version);
    return name;
}

static int
open_dump(Writer *self, PyObject *path, wp_dump_format format, const char *compression)
{
    wp_error error;
    wp_status status;
    PyObject *name = application_name();
    const char *application = name == NULL ? NULL : PyUnicode_AsUTF8(name);
    if (application == NULL) {
        Py_XDECREF(name);
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    status = wp_dump_open(PyBytes_AS_STRING(path), format, compression, application, &self->dump, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(name);
    if (status != WP_OK) {
        raise_status(state_of_type(Py_TYPE(self)), status, &error, self->path);
        return -1;
    }
    return 0;
}

static PyObject *
Writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "format", "compression", "linktype", NULL};
    PyObject *given, *path = NULL, *linktype = Py_None;
    const char *format = "pcapng", *compression = NULL;
    wp_dump_format which;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|sz$O:Writer", names, &given, &format, &compression, &linktype)) {
        return NULL;
    }
    Writer *self = (Writer *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->path = Py_NewRef(given);
    self->linktype = -1;
    int status = check_format(self, format, &which) < 0 || check_compression(compression) < 0
                         || linktype_from_python(linktype, &self->linktype) < 0
                         || !PyUnicode_FSConverter(given, &path) || epan_start(state_of_type(type)) < 0
                     ? -1
                     : 0;
    if (status == 0) {
        self->compression = Py_BuildValue("z", compression);
        status = self->compression == NULL ? -1 : open_dump(self, path, which, compression);
    }
    Py_XDECREF(path);
    if (status < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* A file that nobody closed is ended, and what goes wrong with that is said: it can't be raised any more. */
static void
Writer_dealloc(PyObject *op)
{
    Writer *self = (Writer *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->dump != NULL) {
        PyObject *exception_type, *value, *traceback;
        wp_error error;
        PyErr_Fetch(&exception_type, &value, &traceback);
        if (!wp_dump_is_closed(self->dump) && PyErr_ResourceWarning(self->path, 1, "unclosed Writer of %R", self->path)) {
            PyErr_WriteUnraisable(self->path);
        }
        const wp_status status = wp_dump_free(self->dump, &error);
        if (status != WP_OK) {
            raise_status(state_of_type(type), status, &error, self->path);
            PyErr_WriteUnraisable(self->path);
        }
        PyErr_Restore(exception_type, value, traceback);
    }
    Py_XDECREF(self->path);
    Py_XDECREF(self->compression);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- the rest of the type ---- */

static PyObject *
Writer_path(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((Writer *)op)->path);
}

static PyObject *
Writer_format(PyObject *op, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(((Writer *)op)->format);
}

static PyObject *
Writer_compression(PyObject *op, void *Py_UNUSED(closure))
{
    return Py_NewRef(((Writer *)op)->compression);
}

static PyObject *
Writer_count(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(wp_dump_count(((Writer *)op)->dump));
}

static PyObject *
Writer_closed(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(wp_dump_is_closed(((Writer *)op)->dump));
}

static PyObject *
Writer_repr(PyObject *op)
{
    Writer *self = (Writer *)op;
    return PyUnicode_FromFormat("<Writer %R, %s, %s>", self->path, self->format,
                                wp_dump_is_closed(self->dump) ? "closed" : "open");
}

static PyMethodDef Writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))Writer_write, METH_VARARGS | METH_KEYWORDS, Writer_write__doc__},
    {"flush", Writer_flush, METH_NOARGS, Writer_flush__doc__},
    {"close", Writer_close, METH_NOARGS, Writer_close__doc__},
    {"__enter__", Writer_enter, METH_NOARGS, Writer_enter__doc__},
    {"__exit__", Writer_exit, METH_VARARGS, Writer_exit__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Writer_getset[] = {
    {"path", Writer_path, NULL, "The path as it was given.", NULL},
    {"format", Writer_format, NULL, "'pcapng' or 'pcap'.", NULL},
    {"compression", Writer_compression, NULL, "None, or the name of the compression.", NULL},
    {"count", Writer_count, NULL, "Packets written; after a FileError, packets that are in the file.", NULL},
    {"closed", Writer_closed, NULL, "True after close().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(Writer__doc__,
"Writer(path, format='pcapng', compression=None, *, linktype=None)\n--\n\n"
"A capture file to write packets into, and a context manager.\n\n"
"path         of the file, which is made or emptied; '-' is standard output\n"
"format       'pcapng', or 'pcap', with times in nanoseconds, for one link type and no more than the packets\n"
"compression  None or 'gzip'; others as far as libwiretap can\n"
"linktype     of (header, bytes) that do not say it: libpcap's name or number\n\n"
"Packets may come from any Dissector or Capturer, several at a time, from a worker or a pickle. With them come, into a\n"
"pcapng file, their interfaces, comments, flags and the secrets embedded in their files.\n"
"Raises FileError, with the path, where the file can't be made or written.");

static PyType_Slot Writer_slots[] = {
    {Py_tp_doc, (void *)Writer__doc__},
    {Py_tp_new, Writer_new},
    {Py_tp_dealloc, Writer_dealloc},
    {Py_tp_repr, Writer_repr},
    {Py_tp_methods, Writer_methods},
    {Py_tp_getset, Writer_getset},
    {0, NULL},
};

/* Not a container for the garbage collector: what it refers to refers to nothing that could refer back. */
static PyType_Spec Writer_spec = {
    .name = "wishpy._epan.Writer",
    .basicsize = sizeof(Writer),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Writer_slots,
};

int
writer_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Writer_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->WriterType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "Writer", type);
}
