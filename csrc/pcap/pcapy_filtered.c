/* pcapy_filtered.c - pcapy-ng's ways to read many packets: next_batch, loop_filtered, loop_to_buffer.
 * Packets that aren't wanted are sorted out without the GIL and never become Python objects. */
#include "pcapy_reader.h"

#include "packet_classifier.h"

/* ---- next_batch --------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t seconds, microseconds, offset, captured_length;   /* native byte order, as programs unpack them */
} batch_entry;

typedef struct {
    reader_context context;   /* first: reader_loop's */
    uint8_t *bytes;           /* owned */
    size_t size, used;
    batch_entry *entries;     /* owned; room for `most` */
    bool no_memory;
} batch;

enum { BATCH_BYTES = 1 << 30 };   /* a batch ends here, as its offsets are 32 bits; no packet has so many more */

static void
keep_in_batch(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    batch *self = (batch *)user;
    size_t end = self->used + header->caplen;
    if (end > self->size) {
        size_t size = self->size * 2 > end ? self->size * 2 : end;
        uint8_t *bytes = realloc(self->bytes, size);
        if (bytes == NULL) {
            self->no_memory = true;
            wp_pcap_break(&self->context.reader->handle);
            return;
        }
        self->bytes = bytes;
        self->size = size;
    }
    memcpy(self->bytes + self->used, data, header->caplen);
    self->entries[self->context.seen++] = (batch_entry){
        .seconds = (uint32_t)header->ts.tv_sec,
        .microseconds = (uint32_t)header->ts.tv_usec,
        .offset = (uint32_t)self->used,
        .captured_length = header->caplen,
    };
    self->used = end;
    self->context.enough = end >= BATCH_BYTES;
    if (self->context.enough || atomic_load_explicit(&self->context.reader->handle.stop, memory_order_relaxed)) {
        wp_pcap_break(&self->context.reader->handle);
    }
}

const char Reader_next_batch__doc__[] =
    "next_batch($self, max_n, /)\n--\n\n"
    "Up to max_n packets in one call: (packet_bytes, packed_meta).\n\n"
    "packet_bytes  the packets' bytes, one after the other\n"
    "packed_meta   for each packet four native 32-bit numbers: seconds, microseconds, offset, captured length\n\n"
    "Both are empty at the end of a file, and when the timeout of a live capture passed. A batch ends early\n"
    "when it has a gigabyte.";

PyObject *
Reader_next_batch(PyObject *op, PyObject *max)
{
    Reader *self = (Reader *)op;
    PyObject *result = NULL;
    if (self->closed) {
        reader_check(self);
        return NULL;
    }
    long most = PyLong_AsLong(max);
    if ((most == -1 && PyErr_Occurred()) || reader_check(self) < 0) {
        return NULL;
    }
    most = most <= 0 ? 256 : most;
    if (most > 16 * 1024 * 1024) {
        PyErr_SetString(PyExc_ValueError, "a batch has 16,777,216 packets at most");
        return NULL;
    }
    batch batch = {.context = {.reader = self}, .size = 65536};
    batch.bytes = malloc(batch.size);
    batch.entries = malloc((size_t)most * sizeof *batch.entries);
    if (batch.bytes == NULL || batch.entries == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (reader_loop(&batch.context, (int)most, true, keep_in_batch, &batch) < 0) {
        goto done;
    }
    if (batch.no_memory) {
        PyErr_NoMemory();
        goto done;
    }
    result = Py_BuildValue("(y#y#)", batch.bytes, (Py_ssize_t)batch.used, batch.entries,
                           (Py_ssize_t)(batch.context.seen * (long long)sizeof *batch.entries));

done:
    free(batch.bytes);
    free(batch.entries);
    return result;
}

/* ---- loop_filtered, loop_to_buffer -------------------------------------------------------------------------- */

typedef struct {
    reader_context context;   /* first: reader_loop's */
    wp_classifier classifier;
    unsigned int admit_mask;
    Py_buffer buffer;         /* loop_to_buffer's */
    size_t used;
    uint64_t overflow;
} filtered;

static inline void
count_one(_Atomic uint64_t *counter)
{
    /* One thread writes; others only look, so that no locked instruction is needed. */
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

/* The packet's class if it is to be handed on, else -1. Counts it. */
static int
admit(filtered *self, const struct pcap_pkthdr *header, const u_char *data)
{
    Reader *reader = self->context.reader;
    int class = wp_classify(&self->classifier, data, header->caplen);
    self->context.seen++;
    count_one(&reader->classes[class]);
    if (self->admit_mask >> class & 1) {
        return class;
    }
    count_one(&reader->dropped);
    return -1;
}

static void
break_if_told(Reader *reader)
{
    if (atomic_load_explicit(&reader->handle.stop, memory_order_relaxed)) {
        wp_pcap_break(&reader->handle);
    }
}

static void
call_with_class(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    filtered *self = (filtered *)user;
    reader_context *context = &self->context;
    Reader *reader = context->reader;
    int class = admit(self, header, data);
    if (class < 0) {
        break_if_told(reader);
        return;
    }
    count_one(&reader->admitted);
    PyEval_RestoreThread(context->thread);
    PyObject *arguments[4] = {NULL, pkthdr_new(reader->state, header),
                              PyBytes_FromStringAndSize((const char *)data, header->caplen),
                              PyLong_FromLong(wp_classifier_base(self->classifier.profile) + class)};
    PyObject *result = NULL;
    if (arguments[1] != NULL && arguments[2] != NULL && arguments[3] != NULL) {
        result = PyObject_Vectorcall(context->callback, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(arguments[1]);
    Py_XDECREF(arguments[2]);
    Py_XDECREF(arguments[3]);
    Py_XDECREF(result);
    context->failed = result == NULL || PyErr_CheckSignals() < 0;
    if (context->failed) {
        wp_pcap_break(&reader->handle);
    } else {
        break_if_told(reader);
    }
    context->thread = PyEval_SaveThread();
}

/* One record: captured length (32 bits, little-endian), class (8 bits), the bytes. */
static void
write_to_buffer(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    filtered *self = (filtered *)user;
    Reader *reader = self->context.reader;
    int class = admit(self, header, data);
    break_if_told(reader);
    if (class < 0) {
        return;
    }
    uint32_t length = header->caplen;
    if ((size_t)self->buffer.len - self->used < (size_t)length + 5) {
        self->overflow++;
        return;
    }
    uint8_t *to = (uint8_t *)self->buffer.buf + self->used;
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(length >> (8 * i));
    }
    to[4] = (uint8_t)(wp_classifier_base(self->classifier.profile) + class);
    memcpy(to + 5, data, length);
    self->used += (size_t)length + 5;
    count_one(&reader->admitted);
}

/* A sequence of port numbers into a bitmap; the defaults for None. */
static int
set_ports(uint64_t *ports, PyObject *sequence, const uint16_t *defaults, size_t count)
{
    if (sequence == NULL || sequence == Py_None) {
        for (size_t i = 0; i < count; i++) {
            wp_port_add(ports, defaults[i]);
        }
        return 0;
    }
    PyObject *fast = PySequence_Fast(sequence, "ports must be a sequence of ints");
    if (fast == NULL) {
        return -1;
    }
    int result = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast) && result == 0; i++) {
        long port = PyLong_AsLong(PySequence_Fast_GET_ITEM(fast, i));
        if (port == -1 && PyErr_Occurred()) {
            result = -1;
        } else if (port < 0 || port > 65535) {
            PyErr_Format(PyExc_ValueError, "%ld is no port", port);
            result = -1;
        } else {
            wp_port_add(ports, (uint16_t)port);
        }
    }
    Py_DECREF(fast);
    return result;
}

typedef struct {
    int count, admit_mask, flow_cutoff, dns_port, ip_offset, profile;
    Py_buffer addresses;          /* .obj is NULL when none were given */
    PyObject *http_ports, *tls_ports, *target;   /* borrowed */
} filter_arguments;

/* 0 with given->addresses held, or -1 with an exception. */
static int
parse_arguments(PyObject *args, PyObject *kwargs, const char *format, const char *target, filter_arguments *given)
{
    char *names[] = {"cnt", (char *)target, "admit_mask", "addr_set", "flow_cutoff", "dpi_ports", "tls_ports",
                     "dns_port", "l2_offset", "profile", NULL};
    *given = (filter_arguments){.admit_mask = 7, .dns_port = 53, .ip_offset = 14};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &given->count, &given->target, &given->admit_mask,
                                     &given->addresses, &given->flow_cutoff, &given->http_ports, &given->tls_ports,
                                     &given->dns_port, &given->ip_offset, &given->profile)) {
        return -1;
    }
    const char *mistake = NULL;
    if (given->ip_offset < 0 || given->ip_offset > 64) {
        mistake = "l2_offset out of range [0,64]";
    } else if (given->profile != WP_GENERAL && given->profile != WP_SECURITY) {
        mistake = "profile must be 0 (generic) or 1 (security)";
    } else if (given->dns_port < 0 || given->dns_port > 65535) {
        mistake = "dns_port out of range [0,65535]";
    }
    if (mistake != NULL) {
        PyErr_SetString(PyExc_ValueError, mistake);
        PyBuffer_Release(&given->addresses);
        return -1;
    }
    return 0;
}

static int
set_up(filtered *self, const filter_arguments *given)
{
    static const uint16_t http_ports[] = {80, 8080, 3128, 8000, 8118, 1080};
    static const uint16_t tls_ports[] = {443};
    wp_classifier *classifier = &self->classifier;
    uint32_t cutoff = given->flow_cutoff > 0 ? (uint32_t)given->flow_cutoff : 0;
    size_t size = given->addresses.obj == NULL ? 0 : (size_t)given->addresses.len;
    if (!wp_classifier_init(classifier, given->profile, given->addresses.buf, size, cutoff)) {
        PyErr_NoMemory();
        return -1;
    }
    classifier->dns_port = (uint16_t)given->dns_port;
    classifier->ip_offset = (uint32_t)given->ip_offset;
    self->admit_mask = (unsigned int)given->admit_mask;
    if (set_ports(classifier->http_ports, given->http_ports, http_ports, Py_ARRAY_LENGTH(http_ports)) < 0) {
        return -1;
    }
    return set_ports(classifier->tls_ports, given->tls_ports, tls_ports, Py_ARRAY_LENGTH(tls_ports));
}

static void
reset_counts(Reader *self, int profile)
{
    self->profile = profile;
    self->admitted = self->dropped = 0;
    for (int i = 0; i < MAX_CLASSES; i++) {
        self->classes[i] = 0;
    }
}

/* (numbers..., a count per class) */
static PyObject *
result_tuple(Reader *self, const uint64_t *numbers, int count)
{
    int classes = wp_classifier_classes(self->profile);
    PyObject *tuple = PyTuple_New(count + classes);
    for (int i = 0; i < count + classes && tuple != NULL; i++) {
        uint64_t number = i < count ? numbers[i] : self->classes[i - count];
        PyObject *value = PyLong_FromUnsignedLongLong(number);
        if (value == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, i, value);
        }
    }
    return tuple;
}

#define FILTER_ARGUMENTS                                                                                              \
    "admit_mask=7, addr_set=b'', flow_cutoff=0, dpi_ports=None, tls_ports=None, dns_port=53, l2_offset=14, profile=0"

const char Reader_loop_filtered__doc__[] =
    "loop_filtered($self, /, cnt, cb, " FILTER_ARGUMENTS ")\n--\n\n"
    "Sort the next cnt packets into classes, and call cb(Pkthdr, bytes, class) for those of the classes wanted.\n\n"
    "admit_mask   bit i wants the class of index i\n"
    "addr_set     IPv4 addresses, four bytes each in network order\n"
    "flow_cutoff  so many packets of a flow are its head\n"
    "dpi_ports    TCP ports of HTTP; tls_ports: of TLS and QUIC; dns_port: of DNS (all for profile 1)\n"
    "l2_offset    where the IPv4 header begins: 14 for Ethernet\n"
    "profile      0: classes 0 other, 1 flow head, 2 address in addr_set;\n"
    "             1: classes 100 DNS, 101 HTTP, 102 other, 103 address, 104 handshake, 105 SYN\n\n"
    "Returns (admitted, dropped, a count for each class).";

PyObject *
Reader_loop_filtered(PyObject *op, PyObject *args, PyObject *kwargs)
{
    Reader *self = (Reader *)op;
    filter_arguments given;
    PyObject *result = NULL;
    filtered run = {.context = {.reader = self}};
    if (reader_check(self) < 0 || parse_arguments(args, kwargs, "iO|iy*iOOiii:loop_filtered", "cb", &given) < 0) {
        return NULL;
    }
    run.context.callback = given.target;
    if (set_up(&run, &given) == 0 && reader_check(self) == 0) {
        reset_counts(self, given.profile);
        if (reader_loop(&run.context, given.count, false, call_with_class, &run) == 0) {
            result = Reader_filtered_stats(op, NULL);
        }
    }
    wp_classifier_fini(&run.classifier);
    PyBuffer_Release(&given.addresses);
    return result;
}

const char Reader_loop_to_buffer__doc__[] =
    "loop_to_buffer($self, /, cnt, writable_buf, " FILTER_ARGUMENTS ")\n--\n\n"
    "As loop_filtered(), but write the packets into a buffer instead of calling back.\n\n"
    "Each is written as its captured length (32 bits, little-endian), its class (one byte) and its bytes, with nothing\n"
    "in between. Packets that no longer fit are counted.\n\n"
    "Returns (written, dropped, overflow, bytes used, a count for each class).";

PyObject *
Reader_loop_to_buffer(PyObject *op, PyObject *args, PyObject *kwargs)
{
    Reader *self = (Reader *)op;
    filter_arguments given;
    PyObject *result = NULL;
    filtered run = {.context = {.reader = self}};
    if (reader_check(self) < 0
        || parse_arguments(args, kwargs, "iO|iy*iOOiii:loop_to_buffer", "writable_buf", &given) < 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(given.target, &run.buffer, PyBUF_WRITABLE) < 0) {
        PyErr_Format(PyExc_TypeError, "loop_to_buffer() argument 2 must be read-write bytes-like object, not %.100s",
                     Py_TYPE(given.target)->tp_name);   /* pcapy-ng's exception */
        PyBuffer_Release(&given.addresses);
        return NULL;
    }
    if (set_up(&run, &given) == 0 && reader_check(self) == 0) {
        reset_counts(self, given.profile);
        if (reader_loop(&run.context, given.count, false, write_to_buffer, &run) == 0) {
            const uint64_t numbers[] = {self->admitted, self->dropped, run.overflow, run.used};
            result = result_tuple(self, numbers, 4);
        }
    }
    wp_classifier_fini(&run.classifier);
    PyBuffer_Release(&run.buffer);
    PyBuffer_Release(&given.addresses);
    return result;
}

const char Reader_filtered_stats__doc__[] =
    "filtered_stats($self, /)\n--\n\n"
    "The counts of the loop_filtered() that runs, or of the last: (admitted, dropped, a count for each class).\n\n"
    "May be asked by another thread meanwhile.";

PyObject *
Reader_filtered_stats(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Reader *self = (Reader *)op;
    const uint64_t numbers[] = {self->admitted, self->dropped};
    return result_tuple(self, numbers, 2);
}
