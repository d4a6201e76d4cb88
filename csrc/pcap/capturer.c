/* capturer.c - Capturer: an iterator of RawPacket over a live capture, or over a file through libpcap.
 * Whatever waits does so without the GIL, for 50 ms at a time, so that signals are looked at. wishpy/capture.py
 * derives the public class from this one: queues, asyncio and dumpcap are Python. */
#include "state.h"

#include <fcntl.h>
#include <errno.h>
#include <unistd.h>

#include "filter_position.h"
#include "pipe_stream.h"

typedef struct {
    PyObject_HEAD
    wp_source_live source;   /* owned; ready once `made` */
    pcap_state *state;       /* borrowed from the module, which the type keeps alive */
    PyObject *name;          /* owned str: the interface or the path, for messages; NULL before __init__ */
    PyObject *interface;     /* owned str or None */
    PyObject *path;          /* owned str, or None for an interface */
    struct pcap_stat last;   /* as of close() */
    bool made;
    bool opening;            /* __init__ runs; what it opens is its alone */
    bool opened;
    bool closed;
    bool live;
    bool reading;            /* a thread is in libpcap for us; the source is its alone */
    bool lent;               /* a capsule lives, and who has it reads the source */
} Capturer;

typedef struct {
    PyObject *interface, *path, *filter, *linktype, *count, *duration;   /* borrowed */
    int fd;
    int snaplen, promiscuous, buffer_size, immediate, monitor;
    double timeout;
    const char *precision, *direction;
} arguments;

/* ---- Opening ------------------------------------------------------------------------------------------------ */

/* Raises with the name of the interface or file in the message, where libpcap left it out. */
static PyObject *
raise_named(Capturer *self, wp_status status, wp_error *error)
{
    const char *name = self->name == NULL ? NULL : PyUnicode_AsUTF8(self->name);
    if (name == NULL) {
        PyErr_Clear();   /* undecodable: the message goes without */
    } else if (strstr(error->message, name) == NULL) {
        wp_error named = *error;
        snprintf(named.message, sizeof named.message, "%.400s: %.600s", name, error->message);
        return wp_raise(&self->state->errors, status, &named, self->name);
    }
    return wp_raise(&self->state->errors, status, error, self->name);
}

static int
bad(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

static int
parse_linktype(PyObject *value, int *linktype)
{
    *linktype = -1;
    if (value == Py_None) {
        return 0;
    }
    if (PyUnicode_Check(value)) {
        const char *name = PyUnicode_AsUTF8(value);
        *linktype = name == NULL ? -1 : pcap_datalink_name_to_val(name);
        if (*linktype < 0 && name != NULL) {
            PyErr_Format(PyExc_ValueError, "%R is no link type that libpcap knows", value);
        }
        return *linktype < 0 ? -1 : 0;
    }
    long number = PyLong_AsLong(value);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (number < 0 || number > 65535) {
        return bad("linktype must be a link type's name or its DLT number");
    }
    *linktype = (int)number;
    return 0;
}

static int
parse_limits(const arguments *given, uint64_t *limit, double *duration)
{
    *limit = WP_NO_LIMIT;
    *duration = 0;
    if (given->count != Py_None) {
        long long count = PyLong_AsLongLong(given->count);
        if (count == -1 && PyErr_Occurred()) {
            return -1;
        }
        if (count < 0) {
            return bad("count must not be negative");
        }
        *limit = (uint64_t)count;
    }
    if (given->duration != Py_None) {
        *duration = PyFloat_AsDouble(given->duration);
        if (*duration == -1 && PyErr_Occurred()) {
            return -1;
        }
        if (!(*duration > 0 && *duration < 1e9)) {
            return bad("duration must be a number of seconds above 0");
        }
    }
    return 0;
}

static int
parse_options(const arguments *given, wp_pcap_options *options)
{
    static const char *const directions[] = {[PCAP_D_INOUT] = "inout", [PCAP_D_IN] = "in", [PCAP_D_OUT] = "out"};
    int direction = 0;
    while (direction < 3 && strcmp(given->direction, directions[direction]) != 0) {
        direction++;
    }
    if (direction == 3) {
        return bad("direction must be 'inout', 'in' or 'out'");
    }
    bool nanoseconds = strcmp(given->precision, "ns") == 0;
    if (!nanoseconds && strcmp(given->precision, "us") != 0) {
        return bad("precision must be 'ns' or 'us'");
    }
    if (given->snaplen < 1) {
        return bad("snaplen must be at least 1");
    }
    if (!(given->timeout >= 0 && given->timeout <= 1e6)) {
        return bad("timeout must be a number of seconds, 0 or more");
    }
    if (given->buffer_size < 0) {
        return bad("buffer_size must be a number of bytes");
    }
    *options = (wp_pcap_options){
        .snaplen = given->snaplen,
        .promiscuous = given->promiscuous,
        .monitor = given->monitor,
        .immediate = given->immediate || given->timeout == 0,   /* libpcap's 0 means "until the buffer is full" */
        .nanoseconds = nanoseconds,
        .timeout_ms = given->timeout > 0 && given->timeout < 0.001 ? 1 : (int)(given->timeout * 1000),
        .buffer_size = given->buffer_size,
        .direction = direction,
    };
    return parse_linktype(given->linktype, &options->linktype);
}

/* A pipe's capture, as soon as its header is there. */
static int
open_descriptor(Capturer *self, int fd, bool owns, bool nanoseconds)
{
    wp_error error;
    wp_status status = WP_AGAIN;
    wp_stream *stream = wp_pipe_stream_new(fd, owns);
    if (stream == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (status == WP_AGAIN) {
        Py_BEGIN_ALLOW_THREADS
        status = wp_pcap_open_stream(&self->source.handle, stream, nanoseconds, &error);
        Py_END_ALLOW_THREADS
        if (status == WP_AGAIN && PyErr_CheckSignals() < 0) {
            fclose(stream->file);
            stream->free(stream);
            return -1;
        }
    }
    if (status != WP_OK) {
        raise_named(self, status, &error);
        return -1;
    }
    return 0;
}

static int
open_file(Capturer *self, const char *path, bool nanoseconds)
{
    if (wp_path_may_wait(path)) {
        bool standard_input = strcmp(path, "-") == 0;
        int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) {
            wp_error error;
            int number = errno;
            wp_fail(&error, WP_EFILE, "%s: %s", path, strerror(number));
            error.error_number = number;
            wp_raise(&self->state->errors, WP_EFILE, &error, self->name);
            return -1;
        }
        return open_descriptor(self, fd, !standard_input, nanoseconds);
    }
    wp_error error;
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_open_path(&self->source.handle, path, nanoseconds, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        raise_named(self, status, &error);
        return -1;
    }
    return 0;
}

static int
open_interface(Capturer *self, wp_pcap_options *options)
{
    wp_error error;
    wp_status status;
    Py_ssize_t size;
    options->interface = PyUnicode_AsUTF8AndSize(self->interface, &size);
    if (options->interface == NULL) {
        return -1;
    }
    if (strlen(options->interface) != (size_t)size) {
        return bad("an interface's name can't hold a null character");
    }
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_open_live(&self->source.handle, options, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        raise_named(self, status, &error);
        return -1;
    }
    self->live = true;
    return 0;
}

/* Characters before a byte offset, as Python counts them. */
static int64_t
characters(const char *text, int64_t bytes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < bytes; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

static int
raise_filter(Capturer *self, const char *text, PyObject *filter, wp_error *error)
{
    if (error->position >= 0) {
        int64_t end = characters(text, error->position + error->span);
        error->position = characters(text, error->position);
        error->span = end - error->position;
    }
    char message[sizeof error->message];
    snprintf(message, sizeof message, "capture filter \"%.400s\": %.500s", text, error->message);
    memcpy(error->message, message, sizeof message);
    wp_raise(&self->state->errors, WP_EFILTER, error, filter);
    return -1;
}

static int
set_filter(Capturer *self, PyObject *filter, int snaplen)
{
    if (filter == Py_None) {
        return 0;
    }
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(filter, &size);
    if (text == NULL) {
        return -1;
    }
    if (strlen(text) != (size_t)size) {
        return bad("a capture filter can't hold a null character");
    }
    wp_error error;
    wp_status status;
    wp_pcap *handle = &self->source.handle;
    const char *interface = self->live ? PyUnicode_AsUTF8(self->interface) : NULL;
    Py_BEGIN_ALLOW_THREADS
    bpf_u_int32 net, netmask = PCAP_NETMASK_UNKNOWN;
    char ignored[PCAP_ERRBUF_SIZE];
    if (interface != NULL && pcap_lookupnet(interface, &net, &netmask, ignored) != 0) {
        netmask = PCAP_NETMASK_UNKNOWN;
    }
    status = wp_pcap_set_filter(handle, text, netmask, &error);
    if (status == WP_EFILTER) {
        wp_filter_position(pcap_datalink(handle->pcap), snaplen, text, &error);
    }
    Py_END_ALLOW_THREADS
    return status == WP_OK ? 0 : raise_filter(self, text, filter, &error);
}

/* Opens whichever of the three it was given, and sets the filter. */
static int
open_all(Capturer *self, const arguments *given, PyObject *path_bytes, wp_pcap_options *options)
{
    uint64_t limit;
    double duration;
    if (parse_limits(given, &limit, &duration) < 0) {
        return -1;
    }
    int status;
    if (given->fd >= 0) {
        status = open_descriptor(self, given->fd, false, options->nanoseconds);
    } else if (path_bytes != NULL) {
        status = open_file(self, PyBytes_AS_STRING(path_bytes), options->nanoseconds);
    } else {
        status = open_interface(self, options);
    }
    if (status < 0 || set_filter(self, given->filter, options->snaplen) < 0) {
        return -1;
    }
    wp_source_live_begin(&self->source, limit, duration);
    return 0;
}

static int
keep_names(Capturer *self, const arguments *given, PyObject *path_bytes)
{
    PyObject *path = path_bytes == NULL ? Py_NewRef(Py_None)
                                        : PyUnicode_DecodeFSDefaultAndSize(PyBytes_AS_STRING(path_bytes),
                                                                           PyBytes_GET_SIZE(path_bytes));
    if (path == NULL) {
        return -1;
    }
    Py_XSETREF(self->path, path);   /* there may be one of an __init__ that failed */
    Py_XSETREF(self->interface, Py_NewRef(given->interface));
    Py_XSETREF(self->name, Py_NewRef(path_bytes == NULL ? given->interface : path));
    return 0;
}

static int
Capturer_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"interface", "path", "fd", "capture_filter", "snaplen", "promiscuous", "timeout",
                            "buffer_size", "immediate", "monitor", "precision", "direction", "linktype", "count",
                            "duration", NULL};
    Capturer *self = (Capturer *)op;
    arguments given = {
        .interface = Py_None, .path = Py_None, .filter = Py_None, .linktype = Py_None, .count = Py_None,
        .duration = Py_None, .fd = -1, .snaplen = 65535, .promiscuous = 1, .timeout = 0.1,
        .precision = "ns", .direction = "inout",
    };
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$OiOipdippssOOO:Capturer", names, &given.interface, &given.path,
                                     &given.fd, &given.filter, &given.snaplen, &given.promiscuous, &given.timeout,
                                     &given.buffer_size, &given.immediate, &given.monitor, &given.precision,
                                     &given.direction, &given.linktype, &given.count, &given.duration)) {
        return -1;
    }
    if (self->made) {
        PyErr_SetString(PyExc_RuntimeError, "a Capturer is opened once");
        return -1;
    }
    if ((given.interface == Py_None) == (given.path == Py_None)) {
        PyErr_SetString(PyExc_TypeError, "Capturer needs an interface or path=, one of them");
        return -1;
    }
    if (given.interface != Py_None && !PyUnicode_CheckExact(given.interface)) {
        PyErr_Format(PyExc_TypeError, "interface must be str, not %.100s", Py_TYPE(given.interface)->tp_name);
        return -1;
    }
    if (given.filter != Py_None && !PyUnicode_Check(given.filter)) {
        PyErr_Format(PyExc_TypeError, "capture_filter must be str, not %.100s", Py_TYPE(given.filter)->tp_name);
        return -1;
    }
    int result = -1;
    PyObject *path_bytes = NULL;
    wp_pcap_options options;
    wp_error error;
    self->state = state_of_type(Py_TYPE(op));
    if (self->state == NULL || parse_options(&given, &options) < 0
        || (given.path != Py_None && !PyUnicode_FSConverter(given.path, &path_bytes))
        || keep_names(self, &given, path_bytes) < 0) {
        goto done;
    }
    wp_status status = wp_source_live_init(&self->source, &error);
    if (status != WP_OK) {
        wp_raise(&self->state->errors, status, &error, self->name);
        goto done;
    }
    self->made = self->opening = true;
    result = open_all(self, &given, path_bytes, &options);
    self->opening = false;
    self->opened = result == 0;

done:
    Py_XDECREF(path_bytes);
    return result;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

/* Who reads must be the only one: the packets that are buffered are no thread's and no Dissector's in particular. */
static int
check_reader(Capturer *self)
{
    const char *reason = NULL;
    if (!self->opened) {
        reason = "this Capturer was not opened";
    } else if (self->closed) {
        reason = "the Capturer is closed";
    } else if (self->reading) {
        reason = "another thread is reading from this Capturer";
    } else if (self->lent) {
        reason = "a Dissector is reading from this Capturer";
    }
    return reason == NULL ? 0 : bad(reason);
}

/* The next packet: WP_OK, WP_END, or WP_AGAIN with `wait` false when there is none now. A status above those means
 * that an exception is set. */
static wp_status
next_record(Capturer *self, wp_record *record, bool wait)
{
    if (check_reader(self) < 0) {
        return WP_EVALUE;
    }
    if (wp_source_live_take(&self->source, record)) {
        return WP_OK;
    }
    wp_error error;
    wp_status status;
    wp_source *source = &self->source.base;
    self->reading = true;
    do {
        Py_BEGIN_ALLOW_THREADS
        if (wait) {
            status = source->vtable->next(source, record, &error);
        } else {
            wp_pcap_wait(&self->source.handle, 0);   /* forgets a wake-up that was for us */
            status = wp_source_live_refill(&self->source, &error);
            if (status == WP_OK && !wp_source_live_take(&self->source, record)) {
                status = WP_END;
            }
        }
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0) {
            if (status == WP_OK) {
                self->source.next--;   /* the packet stays for the next call */
                self->source.handed_out--;
            }
            status = WP_EVALUE;
        }
    } while (status == WP_AGAIN && wait);
    self->reading = false;
    if (status > WP_AGAIN) {
        raise_named(self, status, &error);
    }
    return status;
}

static PyObject *
Capturer_iternext(PyObject *op)
{
    Capturer *self = (Capturer *)op;
    wp_record record;
    if (next_record(self, &record, true) != WP_OK) {
        return NULL;
    }
    return raw_packet_new(self->state, &record, self->interface);
}

PyDoc_STRVAR(Capturer_next_item__doc__,
"_next_item($self, /)\n--\n\nThe next packet as (PacketHeader, bytes), or None at the end. Waits.");

static PyObject *
Capturer_next_item(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    wp_record record;
    wp_status status = next_record(self, &record, true);
    if (status == WP_END) {
        Py_RETURN_NONE;
    }
    if (status != WP_OK) {
        return NULL;
    }
    PyObject *header = packet_header_new(self->state, &record, self->interface);
    PyObject *data = PyBytes_FromStringAndSize((const char *)record.data, record.captured_length);
    PyObject *item = header == NULL || data == NULL ? NULL : PyTuple_Pack(2, header, data);
    Py_XDECREF(header);
    Py_XDECREF(data);
    return item;
}

PyDoc_STRVAR(Capturer_poll__doc__,
"_poll($self, /)\n--\n\n"
"The next packet if there is one now, else None. Raises StopAsyncIteration at the end. Doesn't wait.");

static PyObject *
Capturer_poll(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    wp_record record;
    switch (next_record(self, &record, false)) {
    case WP_OK:
        return raw_packet_new(self->state, &record, self->interface);
    case WP_AGAIN:
        Py_RETURN_NONE;
    case WP_END:
        PyErr_SetNone(PyExc_StopAsyncIteration);
        return NULL;
    default:
        return NULL;
    }
}

PyDoc_STRVAR(Capturer_wait_hints__doc__,
"_wait_hints($self, /)\n--\n\n"
"What an event loop needs to wait for _poll(): (descriptors that become readable, seconds to wait at most or None,\n"
"packets that are there now).");

static PyObject *
Capturer_wait_hints(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    if (check_reader(self) < 0) {
        return NULL;
    }
    const wp_pcap *handle = &self->source.handle;
    double left = wp_source_live_time_left(&self->source);
    if (!handle->live && handle->stream == NULL) {
        left = 0;   /* a file: its filter has let nothing through so far, and there is more */
    }
    if (handle->wait_limit_ms >= 0 && (left < 0 || handle->wait_limit_ms / 1e3 < left)) {
        left = handle->wait_limit_ms / 1e3;
    }
    PyObject *seconds = left < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(left);
    unsigned int buffered = self->source.filled - self->source.next;
    if (handle->wait_fd < 0) {
        return Py_BuildValue("((i)NI)", handle->wake_fd, seconds, buffered);
    }
    return Py_BuildValue("((ii)NI)", handle->wake_fd, handle->wait_fd, seconds, buffered);
}

/* ---- The source, for a Dissector ---------------------------------------------------------------------------- */

static void
capsule_destroyed(PyObject *capsule)
{
    Capturer *self = PyCapsule_GetContext(capsule);
    if (self != NULL) {
        self->lent = false;
        Py_DECREF(self);
    }
}

PyDoc_STRVAR(Capturer_source_capsule__doc__,
"_source_capsule($self, /)\n--\n\n"
"A capsule named \"wishpy.source\" around this Capturer's wp_source (engine/source.h).\n\n"
"The capsule keeps the Capturer alive, and while it lives the Capturer itself can't be read. The source is borrowed\n"
"from it: never call its free().");

static PyObject *
Capturer_source_capsule(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    if (check_reader(self) < 0) {
        return NULL;
    }
    PyObject *capsule = PyCapsule_New(&self->source.base, WP_SOURCE_CAPSULE, capsule_destroyed);
    if (capsule == NULL || PyCapsule_SetContext(capsule, self) < 0) {
        Py_XDECREF(capsule);
        return NULL;
    }
    Py_INCREF(op);   /* the capsule owns it, from here on */
    self->lent = true;
    return capsule;
}

/* ---- Ending, and what it says of itself --------------------------------------------------------------------- */

PyDoc_STRVAR(Capturer_stop__doc__,
"stop($self, /)\n--\n\n"
"End the iteration, put_to() or the Dissector that reads from this Capturer, for good.\n\n"
"From any thread and from a signal handler; a wait ends at once. Packets that were not handed out yet are dropped.");

static PyObject *
Capturer_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    if (self->made) {
        wp_pcap_stop(&self->source.handle);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Capturer_close__doc__,
"close($self, /)\n--\n\nStop, and give the capture back to the system. May be called again.");

static PyObject *
Capturer_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    if (!self->made || self->closed) {
        Py_RETURN_NONE;
    }
    wp_pcap_stop(&self->source.handle);
    if (self->opening) {
        Py_RETURN_NONE;
    }
    /* Asking for the numbers takes them out of the kernel: a child process would take its parent's. */
    if (self->live && self->opened && wp_pcap_is_own(&self->source.handle)) {
        struct pcap_stat last;
        wp_error error;
        wp_status status;
        Py_BEGIN_ALLOW_THREADS
        status = wp_pcap_stats(&self->source.handle, &last, &error);
        Py_END_ALLOW_THREADS
        if (status == WP_OK) {
            self->last = last;   /* so that stats() still answers */
        }
    }
    self->closed = true;
    Py_BEGIN_ALLOW_THREADS
    wp_pcap_close(&self->source.handle);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyDoc_STRVAR(Capturer_stats__doc__,
"stats($self, /)\n--\n\n"
"CaptureStats(received, dropped, interface_dropped), in packets, since the capture was opened.\n\n"
"received           came through the capture filter and found room in the kernel's buffer\n"
"dropped            came through the filter and found none\n"
"interface_dropped  dropped by the interface or its driver\n\n"
"Raises CaptureError for a capture file. After close(), the numbers as of then.");

static PyObject *
Capturer_stats(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Capturer *self = (Capturer *)op;
    struct pcap_stat stats;
    if (!self->opened) {
        bad("this Capturer was not opened");
        return NULL;
    }
    if (self->closed && self->live) {
        stats = self->last;
    } else {
        wp_error error;
        wp_status status;
        Py_BEGIN_ALLOW_THREADS
        status = wp_pcap_stats(&self->source.handle, &stats, &error);
        Py_END_ALLOW_THREADS
        if (status != WP_OK) {
            return raise_named(self, status == WP_EVALUE ? WP_EVALUE : WP_ECAPTURE, &error);
        }
    }
#ifdef __linux__
    stats.ps_recv -= stats.ps_drop;   /* Linux counts the dropped ones as received too: packet(7), PACKET_STATISTICS */
#endif
    PyObject *result = PyStructSequence_New(self->state->CaptureStatsType);
    if (result == NULL) {
        return NULL;
    }
    const unsigned int values[] = {stats.ps_recv, stats.ps_drop, stats.ps_ifdrop};
    for (Py_ssize_t i = 0; i < 3; i++) {
        PyObject *value = PyLong_FromUnsignedLong(values[i]);
        PyStructSequence_SetItem(result, i, value);
        if (value == NULL) {
            Py_CLEAR(result);
            break;
        }
    }
    return result;
}

static PyObject *
Capturer_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (((Capturer *)op)->closed) {
        bad("the Capturer is closed");
        return NULL;
    }
    return Py_NewRef(op);
}

static PyObject *
Capturer_exit(PyObject *op, PyObject *Py_UNUSED(args))
{
    /* Through the attribute, so that a subclass's close() is the one. */
    return PyObject_CallMethod(op, "close", NULL);
}

static PyObject *
Capturer_get_linktype(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Capturer *)op)->source.linktype);
}

static PyObject *
Capturer_get_precision(PyObject *op, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(((Capturer *)op)->source.handle.nanoseconds ? "ns" : "us");
}

static PyObject *
Capturer_get_name(PyObject *op, void *closure)
{
    Capturer *self = (Capturer *)op;
    PyObject *value = closure != NULL ? self->path : self->interface;
    return Py_NewRef(value == NULL ? Py_None : value);
}

static PyObject *
Capturer_get_closed(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Capturer *)op)->closed);
}

static PyObject *
Capturer_get_stopped(PyObject *op, void *Py_UNUSED(closure))
{
    Capturer *self = (Capturer *)op;
    return PyBool_FromLong(self->made && atomic_load(&self->source.handle.stop));
}

static PyObject *
Capturer_get_handed_out(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Capturer *)op)->source.handed_out);
}

static PyObject *
Capturer_get_at_end(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Capturer *)op)->source.pending == WP_END);
}

static PyObject *
Capturer_get_warning(PyObject *op, void *Py_UNUSED(closure))
{
    const char *text = ((Capturer *)op)->source.handle.warning;
    return text[0] == '\0' ? Py_NewRef(Py_None) : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *
Capturer_repr(PyObject *op)
{
    Capturer *self = (Capturer *)op;
    if (self->name == NULL) {
        return PyUnicode_FromString("<Capturer, not opened>");
    }
    return PyUnicode_FromFormat("<Capturer %R%s>", self->name, self->closed ? ", closed" : "");
}

/* ---- The type ----------------------------------------------------------------------------------------------- */

static int
Capturer_traverse(PyObject *op, visitproc visit, void *arg)
{
    Capturer *self = (Capturer *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->name);
    Py_VISIT(self->interface);
    Py_VISIT(self->path);
    return 0;
}

static void
Capturer_dealloc(PyObject *op)
{
    Capturer *self = (Capturer *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    if (self->made) {
        Py_BEGIN_ALLOW_THREADS   /* closing a live capture takes the kernel 20 ms; nobody else knows this object */
        wp_source_live_fini(&self->source);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(self->name);   /* str and None: nothing here can be part of a cycle, so there is no tp_clear */
    Py_XDECREF(self->interface);
    Py_XDECREF(self->path);
    type->tp_free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(Capturer__doc__,
"Capturer(interface=None, *, path=None, fd=-1, capture_filter=None, snaplen=65535, promiscuous=True, timeout=0.1,\n"
"         buffer_size=0, immediate=False, monitor=False, precision='ns', direction='inout', linktype=None, count=None,\n"
"         duration=None)\n--\n\n"
"The C half of wishpy.Capturer, which documents the arguments.");

static PyMethodDef Capturer_methods[] = {
    {"stop", Capturer_stop, METH_NOARGS, Capturer_stop__doc__},
    {"close", Capturer_close, METH_NOARGS, Capturer_close__doc__},
    {"stats", Capturer_stats, METH_NOARGS, Capturer_stats__doc__},
    {"_next_item", Capturer_next_item, METH_NOARGS, Capturer_next_item__doc__},
    {"_poll", Capturer_poll, METH_NOARGS, Capturer_poll__doc__},
    {"_wait_hints", Capturer_wait_hints, METH_NOARGS, Capturer_wait_hints__doc__},
    {"_source_capsule", Capturer_source_capsule, METH_NOARGS, Capturer_source_capsule__doc__},
    {"__enter__", Capturer_enter, METH_NOARGS, NULL},
    {"__exit__", Capturer_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Capturer_getset[] = {
    {"interface", Capturer_get_name, NULL, "the interface's name, or None for a file", NULL},
    {"path", Capturer_get_name, NULL, "the file's path, or None for an interface", "path"},
    {"linktype", Capturer_get_linktype, NULL, "libpcap's DLT number of the packets", NULL},
    {"precision", Capturer_get_precision, NULL, "'ns' or 'us': what the device's times really have", NULL},
    {"closed", Capturer_get_closed, NULL, "whether close() was called", NULL},
    {"stopped", Capturer_get_stopped, NULL, "whether stop() or close() was called", NULL},
    {"_handed_out", Capturer_get_handed_out, NULL, "packets handed out so far", NULL},
    {"_at_end", Capturer_get_at_end, NULL, "whether there are no more packets; limits and stop() aside", NULL},
    {"_warning", Capturer_get_warning, NULL, "libpcap's warning when the capture was opened, or None", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Capturer_slots[] = {
    {Py_tp_doc, (void *)Capturer__doc__},
    {Py_tp_init, Capturer_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, Capturer_dealloc},
    {Py_tp_traverse, Capturer_traverse},
    {Py_tp_repr, Capturer_repr},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, Capturer_iternext},
    {Py_tp_methods, Capturer_methods},
    {Py_tp_getset, Capturer_getset},
    {0, NULL},
};

static PyType_Spec Capturer_spec = {
    .name = "wishpy._pcap.Capturer",
    .basicsize = sizeof(Capturer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = Capturer_slots,
};

static PyStructSequence_Field CaptureStats_fields[] = {
    {"received", "packets that came through the filter and found room"},
    {"dropped", "packets that the kernel had no room for"},
    {"interface_dropped", "packets that the interface or its driver dropped"},
    {NULL, NULL},
};

static PyStructSequence_Desc CaptureStats_desc = {
    .name = "wishpy._pcap.CaptureStats",
    .doc = "What became of the packets of a capture.",
    .fields = CaptureStats_fields,
    .n_in_sequence = 3,
};

int
capturer_add(PyObject *module)
{
    pcap_state *state = state_of_module(module);
    if (add_type(module, &Capturer_spec, &state->CapturerType) < 0) {
        return -1;
    }
    state->CaptureStatsType = PyStructSequence_NewType(&CaptureStats_desc);
    if (state->CaptureStatsType == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->CaptureStatsType);
}
