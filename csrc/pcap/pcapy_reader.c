/* pcapy_reader.c - Reader: pcapy's capture object, live or a file.
 * Nothing is read ahead: what a program does between two packets (a filter, select() on getfd(), stats) has the
 * effect that libpcap gives it. One read at a time; other methods may be called meanwhile, by callbacks and threads. */
#include "pcapy_reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#ifdef __linux__
#include <linux/if_packet.h>
#endif

enum {
    WAIT_MS = 50,    /* a wait lasts no longer, so that signals are looked at */
    CHUNK = 8192     /* nor do more packets pass, in handlers that are all C */
};

Reader *
reader_new(pcap_state *state)
{
    wp_error error;
    Reader *self = PyObject_New(Reader, state->ReaderType);
    if (self == NULL) {
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->state = state;
    self->timeout_ms = -1;
    wp_status status = wp_pcap_init(&self->handle, &error);
    self->made = status == WP_OK;
    if (!self->made) {
        pcapy_raise(state, status, &error);
        Py_CLEAR(self);
    }
    return self;
}

static void
Reader_dealloc(PyObject *op)
{
    Reader *self = (Reader *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->made) {
        Py_BEGIN_ALLOW_THREADS   /* closing a live capture takes the kernel 20 ms; nobody else knows this object */
        wp_pcap_fini(&self->handle);
        Py_END_ALLOW_THREADS
    }
    PyObject_Free(op);
    Py_DECREF(type);
}

static int
check_open(Reader *self)
{
    if (self->closed) {
        PyErr_SetString(PyExc_ValueError, "pcap is closed");
        return -1;
    }
    return 0;
}

int
reader_check(Reader *self)
{
    if (check_open(self) < 0) {
        return -1;
    }
    if (!self->activated) {
        PyErr_SetString(self->state->PcapError, "This handle hasn't been activated yet");   /* libpcap's pcap.c */
        return -1;
    }
    if (self->busy) {
        PyErr_SetString(self->state->PcapError, "packets of this Reader are being read already, by a callback's loop "
                                                "or another thread");
        return -1;
    }
    return 0;
}

void
reader_begin(Reader *self)
{
    Py_INCREF(self);   /* a callback may drop the last reference */
    self->busy = true;
}

static void
close_handle(Reader *self)
{
    Py_BEGIN_ALLOW_THREADS
    wp_pcap_close(&self->handle);
    Py_END_ALLOW_THREADS
}

void
reader_end(Reader *self)
{
    self->busy = false;
    if (self->closed) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        close_handle(self);
        PyErr_Restore(type, value, traceback);
    }
    Py_DECREF(self);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

static int64_t
monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When the wait that begins now is over, or -1 for never. */
static int64_t
deadline_of(const Reader *self)
{
    if (self->nonblocking) {
        return 0;
    }
    return self->handle.live && self->timeout_ms > 0 ? monotonic_ms() + self->timeout_ms : -1;
}

/* Waits until the deadline, in slices. Without the GIL. WP_OK: look again; WP_AGAIN: give the caller a turn. */
static wp_status
wait_slice(Reader *self, int64_t deadline)
{
    int64_t left = deadline < 0 ? WAIT_MS : deadline - monotonic_ms();
    if (left <= 0) {
        return WP_AGAIN;
    }
    return wp_pcap_wait(&self->handle, left < WAIT_MS ? (int)left : WAIT_MS);
}

/* After a fruitless wait, with the GIL: 1 when the read is to end, -1 with an exception, else 0. */
static int
is_over(Reader *self, int64_t deadline)
{
    if (PyErr_CheckSignals() < 0) {
        return -1;
    }
    return atomic_exchange(&self->handle.stop, false) || (deadline >= 0 && monotonic_ms() >= deadline);
}

int
reader_loop(reader_context *context, int count, bool once, pcap_handler handler, void *user)
{
    Reader *self = context->reader;
    wp_error error;
    int64_t deadline = once ? deadline_of(self) : -1;
    int result = 0;
    reader_begin(self);
    while (result == 0 && (count <= 0 || context->seen < count)) {
        long long before = context->seen;
        int most = count <= 0 || count - before > CHUNK ? CHUNK : (int)(count - before);
        context->thread = PyEval_SaveThread();
        wp_status status = wp_pcap_read(&self->handle, most, handler, user, &error);
        if (status == WP_AGAIN && context->seen == before && !atomic_load(&self->handle.stop)) {
            wait_slice(self, deadline);
        }
        PyEval_RestoreThread(context->thread);
        if (context->failed) {
            result = -1;
        } else if (status > WP_AGAIN) {
            pcapy_raise(self->state, status, &error);
            result = -1;
        } else if (status == WP_END || context->enough || (once && self->handle.live && context->seen > 0)) {
            break;
        } else {
            result = is_over(self, deadline);
        }
    }
    atomic_store(&self->handle.stop, false);   /* a breakloop ends one loop */
    reader_end(self);
    return result < 0 ? -1 : 0;
}

PyDoc_STRVAR(Reader_next__doc__,
"next($self, /)\n--\n\n"
"The next packet: (Pkthdr, bytes), or (None, b'') at the end of a file or when the timeout passed.");

static PyObject *
Reader_next(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    if (reader_check(self) < 0) {
        return NULL;
    }
    struct pcap_pkthdr *header = NULL;
    const u_char *data = NULL;
    wp_error error;
    wp_status status;
    int64_t deadline = -2;   /* not known yet: most often there is a packet */
    int over = 0;
    reader_begin(self);
    do {
        Py_BEGIN_ALLOW_THREADS
        status = wp_pcap_next(&self->handle, &header, &data, &error);
        if (status == WP_AGAIN && !atomic_load(&self->handle.stop)) {
            deadline = deadline == -2 ? deadline_of(self) : deadline;
            if (wait_slice(self, deadline) == WP_OK) {
                status = wp_pcap_next(&self->handle, &header, &data, &error);
            }
        }
        Py_END_ALLOW_THREADS
        if (status == WP_AGAIN) {
            over = is_over(self, deadline);
        }
    } while (status == WP_AGAIN && over == 0);

    PyObject *result = NULL, *packet = NULL, *pkthdr = NULL;
    if (over < 0) {
        goto done;
    }
    if (status > WP_AGAIN) {
        pcapy_raise(self->state, status, &error);
        goto done;
    }
    if (status == WP_OK) {
        pkthdr = pkthdr_new(self->state, header);
        packet = PyBytes_FromStringAndSize((const char *)data, header->caplen);
    } else {
        pkthdr = Py_NewRef(Py_None);
        packet = Py_NewRef(self->state->empty_bytes);
    }
    result = pkthdr == NULL || packet == NULL ? NULL : PyTuple_New(2);
    if (result != NULL) {
        PyTuple_SET_ITEM(result, 0, pkthdr);   /* steals */
        PyTuple_SET_ITEM(result, 1, packet);
        pkthdr = packet = NULL;
    }

done:
    Py_XDECREF(pkthdr);
    Py_XDECREF(packet);
    reader_end(self);
    return result;
}

/* libpcap's handler: one callback(header, data) of Python. */
static void
call_python(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    reader_context *context = (reader_context *)user;
    Reader *self = context->reader;
    context->seen++;
    PyEval_RestoreThread(context->thread);
    PyObject *arguments[3] = {NULL, pkthdr_new(self->state, header),
                              PyBytes_FromStringAndSize((const char *)data, header->caplen)};
    PyObject *result = NULL;
    if (arguments[1] != NULL && arguments[2] != NULL) {
        result = PyObject_Vectorcall(context->callback, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(arguments[1]);
    Py_XDECREF(arguments[2]);
    Py_XDECREF(result);
    context->failed = result == NULL || PyErr_CheckSignals() < 0;
    if (context->failed || atomic_load_explicit(&self->handle.stop, memory_order_relaxed)) {
        wp_pcap_break(&self->handle);
    }
    context->thread = PyEval_SaveThread();
}

/* loop() and dispatch(): the number of packets, or -1. */
static long long
loop_callback(Reader *self, PyObject *args, const char *format, bool once)
{
    int count;
    reader_context context = {.reader = self};
    if (check_open(self) < 0 || !PyArg_ParseTuple(args, format, &count, &context.callback)
        || reader_check(self) < 0) {
        return -1;
    }
    return reader_loop(&context, count, once, call_python, &context) < 0 ? -1 : context.seen;
}

PyDoc_STRVAR(Reader_loop__doc__,
"loop($self, maxcant, callback, /)\n--\n\n"
"Call callback(Pkthdr, bytes) for each of the next maxcant packets; 0 or less is without end.\n\n"
"Returns None, at the end of a file, after that many packets or after breakloop(). An exception of the callback's\n"
"comes out of it.");

static PyObject *
Reader_loop(PyObject *op, PyObject *args)
{
    if (loop_callback((Reader *)op, args, "iO:loop", false) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Reader_dispatch__doc__,
"dispatch($self, maxcant, callback, /)\n--\n\n"
"As loop(), but of a live capture no more than one bufferful, and it returns when the timeout passes.\n\n"
"Returns the number of packets.");

static PyObject *
Reader_dispatch(PyObject *op, PyObject *args)
{
    long long count = loop_callback((Reader *)op, args, "iO:dispatch", true);
    return count < 0 ? NULL : PyLong_FromLongLong(count);
}

PyDoc_STRVAR(Reader_breakloop__doc__,
"breakloop($self, /)\n--\n\n"
"End the loop(), dispatch(), next() or loop_filtered() that runs, or else the next one.\n\n"
"From a callback, any thread or a signal handler; a wait ends at once. The Reader can be read on.");

static PyObject *
Reader_breakloop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    if (check_open(self) < 0) {
        return NULL;
    }
    wp_pcap_stop(&self->handle);
    Py_RETURN_NONE;
}

/* ---- The rest of pcap_t ------------------------------------------------------------------------------------- */

PyDoc_STRVAR(Reader_setfilter__doc__,
"setfilter($self, filter, /)\n--\n\nSet a capture filter. Raises PcapError with libpcap's text for a bad one.");

static PyObject *
Reader_setfilter(PyObject *op, PyObject *args)
{
    Reader *self = (Reader *)op;
    const char *text;
    wp_error error;
    wp_status status;
    if (!PyArg_ParseTuple(args, "s:setfilter", &text) || check_open(self) < 0) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_set_filter(&self->handle, text, self->mask, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        return pcapy_raise(self->state, status, &error);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Reader_stats__doc__,
"stats($self, /)\n--\n\nlibpcap's (received, dropped by the kernel, dropped by the interface).");

static PyObject *
Reader_stats(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    struct pcap_stat stats;
    wp_error error;
    wp_status status;
    if (check_open(self) < 0) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_stats(&self->handle, &stats, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        return pcapy_raise(self->state, status, &error);
    }
    return Py_BuildValue("(III)", stats.ps_recv, stats.ps_drop, stats.ps_ifdrop);
}

static PyObject *
address_text(Reader *self, bpf_u_int32 address)
{
    char text[INET_ADDRSTRLEN];
    if (check_open(self) < 0) {
        return NULL;
    }
    inet_ntop(AF_INET, &address, text, sizeof text);
    return PyUnicode_FromString(text);
}

PyDoc_STRVAR(Reader_getnet__doc__, "getnet($self, /)\n--\n\nThe interface's IPv4 network; '0.0.0.0' for a file.");

static PyObject *
Reader_getnet(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return address_text((Reader *)op, ((Reader *)op)->net);
}

PyDoc_STRVAR(Reader_getmask__doc__, "getmask($self, /)\n--\n\nThe network's mask; '0.0.0.0' for a file.");

static PyObject *
Reader_getmask(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return address_text((Reader *)op, ((Reader *)op)->mask);
}

PyDoc_STRVAR(Reader_datalink__doc__, "datalink($self, /)\n--\n\nThe link type, one of DLT_*.");

static PyObject *
Reader_datalink(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    return check_open(self) < 0 ? NULL : PyLong_FromLong(pcap_datalink(self->handle.pcap));
}

PyDoc_STRVAR(Reader_getfd__doc__,
"getfd($self, /)\n--\n\nA descriptor that select() and poll() find readable when packets are there, or -1.");

static PyObject *
Reader_getfd(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    if (check_open(self) < 0) {
        return NULL;
    }
    return PyLong_FromLong(self->handle.stream != NULL ? self->handle.wait_fd
                                                       : pcap_get_selectable_fd(self->handle.pcap));
}

PyDoc_STRVAR(Reader_getnonblock__doc__, "getnonblock($self, /)\n--\n\nWhether next() and the loops don't wait.");

static PyObject *
Reader_getnonblock(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    if (check_open(self) < 0) {
        return NULL;
    }
    return PyLong_FromLong(self->activated ? self->handle.live && self->nonblocking : PCAP_ERROR_NOT_ACTIVATED);
}

PyDoc_STRVAR(Reader_setnonblock__doc__,
"setnonblock($self, state, /)\n--\n\nWith a true state, next() and dispatch() no longer wait for packets.");

static PyObject *
Reader_setnonblock(PyObject *op, PyObject *args)
{
    Reader *self = (Reader *)op;
    char text[PCAP_ERRBUF_SIZE] = "";
    int state;
    if (!PyArg_ParseTuple(args, "i:setnonblock", &state) || check_open(self) < 0) {
        return NULL;
    }
    if (self->handle.live) {
        self->nonblocking = state != 0;
    } else if (pcap_setnonblock(self->handle.pcap, state, text) < 0) {   /* libpcap's words about files */
        PyErr_SetString(self->state->PcapError, text);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Reader_setdirection__doc__,
"setdirection($self, direction, /)\n--\n\nCapture PCAP_D_IN, PCAP_D_OUT or PCAP_D_INOUT packets.");

static PyObject *
Reader_setdirection(PyObject *op, PyObject *args)
{
    Reader *self = (Reader *)op;
    int direction;
    if (!PyArg_ParseTuple(args, "i:setdirection", &direction) || check_open(self) < 0) {
        return NULL;
    }
    if (pcap_setdirection(self->handle.pcap, (pcap_direction_t)direction) != 0) {
        PyErr_SetString(self->state->PcapError, "Failed setting direction");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Reader_dump_open__doc__,
"dump_open($self, filename, /)\n--\n\nA Dumper that writes a new pcap file of this link type; '-' is standard output.");

static PyObject *
Reader_dump_open(PyObject *op, PyObject *args)
{
    Reader *self = (Reader *)op;
    PyObject *path;
    if (check_open(self) < 0 || !PyArg_ParseTuple(args, "O&:dump_open", PyUnicode_FSConverter, &path)) {
        return NULL;
    }
    if (check_open(self) < 0) {   /* the path's __fspath__() closed it */
        Py_DECREF(path);
        return NULL;
    }
    pcap_dumper_t *dumper = pcap_dump_open(self->handle.pcap, PyBytes_AS_STRING(path));
    Py_DECREF(path);
    if (dumper == NULL) {
        wp_error error;
        return pcapy_raise(self->state, wp_fail(&error, WP_EFILE, "%s", pcap_geterr(self->handle.pcap)), &error);
    }
    return dumper_new(self->state, dumper);
}

PyDoc_STRVAR(Reader_sendpacket__doc__, "sendpacket($self, packet, /)\n--\n\nSend bytes through the interface.");

static PyObject *
Reader_sendpacket(PyObject *op, PyObject *args)
{
    Reader *self = (Reader *)op;
    Py_buffer data;
    wp_error error;
    wp_status status;
    if (check_open(self) < 0 || !PyArg_ParseTuple(args, "y*:sendpacket", &data)) {
        return NULL;
    }
    if (data.len > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "the packet is too long");
        PyBuffer_Release(&data);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_send(&self->handle, data.buf, (int)data.len, &error);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    if (status != WP_OK) {
        return pcapy_raise(self->state, status, &error);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Reader_set_fanout__doc__,
"set_fanout($self, /, group_id, fanout_type=PACKET_FANOUT_HASH)\n--\n\n"
"Join this live capture to a PACKET_FANOUT group: the kernel spreads an interface's packets over its members.\n\n"
"Linux only. Raises PcapError where it can't be done.");

static PyObject *
Reader_set_fanout(PyObject *op, PyObject *args, PyObject *kwargs)
{
    Reader *self = (Reader *)op;
    static char *names[] = {"group_id", "fanout_type", NULL};
    int group = 0, type = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|i:set_fanout", names, &group, &type) || check_open(self) < 0) {
        return NULL;
    }
#ifdef PACKET_FANOUT
    int fd = self->handle.live && self->activated ? pcap_fileno(self->handle.pcap) : -1;
    if (fd < 0) {
        PyErr_SetString(self->state->PcapError, "no socket fd for this capture (PACKET_FANOUT needs a live AF_PACKET "
                                                "capture that is activated, not an offline pcap)");
        return NULL;
    }
    unsigned int word = ((unsigned int)group & 0xffff) | (unsigned int)type << 16;
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, sizeof word) != 0) {
        PyErr_Format(self->state->PcapError, "PACKET_FANOUT: %s", strerror(errno));
        return NULL;
    }
    Py_RETURN_NONE;
#else
    PyErr_SetString(self->state->PcapError, "PACKET_FANOUT is only available on Linux");
    return NULL;
#endif
}

/* ---- Options of a capture that create() made ---------------------------------------------------------------- */

static PyObject *
set_option(PyObject *op, PyObject *args, int (*set)(pcap_t *, int), int *keep)
{
    Reader *self = (Reader *)op;
    int value;
    if (!PyArg_ParseTuple(args, "i", &value) || check_open(self) < 0) {
        return NULL;
    }
    int status = set(self->handle.pcap, value);
    if (status == 0 && keep != NULL) {
        *keep = value;
    }
    return PyLong_FromLong(status);
}

#define OPTION(name, keep, text)                                                                                      \
    PyDoc_STRVAR(Reader_set_##name##__doc__,                                                                          \
    "set_" #name "($self, value, /)\n--\n\n" text ", before activate(). Returns 0, or libpcap's PCAP_ERROR_ACTIVATED."); \
    static PyObject *                                                                                                 \
    Reader_set_##name(PyObject *op, PyObject *args)                                                                   \
    {                                                                                                                 \
        return set_option(op, args, pcap_set_##name, keep);                                                           \
    }

OPTION(snaplen, NULL, "Set how many bytes of a packet are captured")
OPTION(promisc, NULL, "Set promiscuous mode")
OPTION(timeout, &((Reader *)op)->timeout_ms, "Set the read timeout in milliseconds; 0 waits for ever")
OPTION(buffer_size, NULL, "Set the kernel's buffer, in bytes")
OPTION(rfmon, NULL, "Set monitor mode")

PyDoc_STRVAR(Reader_activate__doc__,
"activate($self, /)\n--\n\nStart the capture that create() made. Returns libpcap's number: 0, a warning above, an error below.");

static PyObject *
Reader_activate(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    int status;
    if (check_open(self) < 0) {
        return NULL;
    }
    if (self->activated || self->busy) {
        return PyLong_FromLong(PCAP_ERROR_ACTIVATED);
    }
    pcap_set_timeout(self->handle.pcap, reader_keep_ms(self->timeout_ms));
    reader_begin(self);   /* so that another thread's close() waits for it */
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_activate(&self->handle);
    Py_END_ALLOW_THREADS
    self->activated = status >= 0;
    reader_end(self);
    return PyLong_FromLong(status);
}

/* ---- Closing ------------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(Reader_close__doc__,
"close($self, /)\n--\n\n"
"Close the capture. May be called again; anything else then raises ValueError. A loop that runs ends first.");

static PyObject *
Reader_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    if (self->closed) {
        Py_RETURN_NONE;
    }
    self->closed = true;
    if (self->busy) {
        wp_pcap_stop(&self->handle);   /* reader_end closes */
    } else {
        close_handle(self);
    }
    Py_RETURN_NONE;
}

static PyObject *
Reader_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return check_open((Reader *)op) < 0 ? NULL : Py_NewRef(op);
}

static PyObject *
Reader_exit(PyObject *op, PyObject *Py_UNUSED(args))
{
    return Reader_close(op, NULL);
}

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))Reader_##name, flags, Reader_##name##__doc__}

static PyMethodDef Reader_methods[] = {
    METHOD(next, METH_NOARGS),
    METHOD(loop, METH_VARARGS),
    METHOD(dispatch, METH_VARARGS),
    METHOD(breakloop, METH_NOARGS),
    METHOD(next_batch, METH_O),
    METHOD(loop_filtered, METH_VARARGS | METH_KEYWORDS),
    METHOD(loop_to_buffer, METH_VARARGS | METH_KEYWORDS),
    METHOD(filtered_stats, METH_NOARGS),
    METHOD(setfilter, METH_VARARGS),
    METHOD(stats, METH_NOARGS),
    METHOD(getnet, METH_NOARGS),
    METHOD(getmask, METH_NOARGS),
    METHOD(datalink, METH_NOARGS),
    METHOD(getfd, METH_NOARGS),
    METHOD(getnonblock, METH_NOARGS),
    METHOD(setnonblock, METH_VARARGS),
    METHOD(setdirection, METH_VARARGS),
    METHOD(dump_open, METH_VARARGS),
    METHOD(sendpacket, METH_VARARGS),
    METHOD(set_fanout, METH_VARARGS | METH_KEYWORDS),
    METHOD(set_snaplen, METH_VARARGS),
    METHOD(set_promisc, METH_VARARGS),
    METHOD(set_timeout, METH_VARARGS),
    METHOD(set_buffer_size, METH_VARARGS),
    METHOD(set_rfmon, METH_VARARGS),
    METHOD(activate, METH_NOARGS),
    METHOD(close, METH_NOARGS),
    {"__enter__", Reader_enter, METH_NOARGS, NULL},
    {"__exit__", Reader_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(Reader__doc__, "A capture: live by open_live() or create(), or a file by open_offline().");

static PyType_Slot Reader_slots[] = {
    {Py_tp_doc, (void *)Reader__doc__},
    {Py_tp_dealloc, Reader_dealloc},
    {Py_tp_methods, Reader_methods},
    {0, NULL},
};

static PyType_Spec Reader_spec = {
    .name = "wishpy.pcapy.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Reader_slots,
};

int
pcapy_reader_add(PyObject *module)
{
    return add_type(module, &Reader_spec, &state_of_module(module)->ReaderType);
}
