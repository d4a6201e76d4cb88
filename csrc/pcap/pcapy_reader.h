/* pcapy_reader.h - the Reader, for the files that its methods are spread over. The GIL is held unless said otherwise. */
#ifndef WISHPY_PCAPY_READER_H
#define WISHPY_PCAPY_READER_H

#include "state.h"

enum { MAX_CLASSES = 6 };

/* The timeout that libpcap is given for a program's to_ms, where the waiting is done here. On Linux it is how long the
 * kernel keeps packets back: with 0 until a whole block of the ring is full of them, and with all of to_ms next() would
 * give up in the very moment in which they come. */
static inline int
reader_keep_ms(int to_ms)
{
    if (to_ms <= 0 || to_ms > 200) {
        return 100;
    }
    return to_ms > 1 ? to_ms / 2 : 1;
}

typedef struct {
    PyObject_HEAD
    pcap_state *state;        /* borrowed from the module, which the type keeps alive */
    wp_pcap handle;           /* owned; ready once `made` */
    bpf_u_int32 net, mask;    /* network order */
    int timeout_ms;           /* libpcap's to_ms; <= 0 waits for ever */
    bool made;
    bool activated;
    bool nonblocking;         /* as the program wants it; the handle never blocks */
    bool closed;
    bool busy;                /* a read runs, without the GIL or in a callback of its */
    int profile;              /* of the last loop_filtered() */
    _Atomic uint64_t admitted, dropped, classes[MAX_CLASSES];   /* of that; read while it runs */
} Reader;

/* What a packet handler needs to call Python, and to say that it was enough. */
typedef struct {
    Reader *reader;           /* borrowed */
    PyThreadState *thread;    /* while the GIL is released */
    PyObject *callback;       /* borrowed */
    long long seen;           /* packets handled; the handler counts */
    bool failed;              /* an exception is set; the handler has broken off */
    bool enough;              /* the handler wants no more; it has broken off */
} reader_context;

/* -1 with an exception when the Reader is closed, not activated or busy. */
int reader_check(Reader *self);
/* A read begins, ends. The end does what close() left to it. */
void reader_begin(Reader *self);
void reader_end(Reader *self);

/* Handles packets until there were `count` (<= 0: all there are), a breakloop or an exception. With `once`, as
 * pcap_dispatch does: no more than one bufferful, and a timeout ends it. Returns 0, or -1 with an exception. */
int reader_loop(reader_context *context, int count, bool once, pcap_handler handler, void *user);

/* The methods in pcapy_filtered.c */
PyObject *Reader_loop_filtered(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *Reader_loop_to_buffer(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *Reader_filtered_stats(PyObject *op, PyObject *ignored);
PyObject *Reader_next_batch(PyObject *op, PyObject *max);
extern const char Reader_loop_filtered__doc__[], Reader_loop_to_buffer__doc__[];
extern const char Reader_filtered_stats__doc__[], Reader_next_batch__doc__[];

/* A Reader without a capture yet, or NULL with an exception. */
Reader *reader_new(pcap_state *state);

#endif
