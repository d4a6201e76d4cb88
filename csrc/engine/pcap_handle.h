/* pcap_handle.h - the single path into libpcap: open, wait, read, filter, count, send, close.
 * Plain C, no Python.h: every call here may be made without the GIL, and the ones that wait must be.
 *
 * libpcap is kept in non-blocking mode all the time; waiting is done here, with poll() on the capture's descriptor
 * and on an eventfd. So a wait ends at once when another thread asks for it, whatever the device and its timeout.
 *
 * Locking: one recursive mutex a handle. It is held while libpcap works on it, and so while a packet handler runs
 * (which may call back into the handle), never while waiting. A thread that holds the GIL must not wait for it: the
 * handler of another thread may be waiting for the GIL.
 *
 * A child process that was forked off may close what its parent opened, whatever the parent's threads were doing. */
#ifndef WISHPY_PCAP_HANDLE_H
#define WISHPY_PCAP_HANDLE_H

#include <pcap/pcap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

/* A stream that is no regular file: what the handle must know of it to read without being held up in libpcap. */
typedef struct wp_stream wp_stream;
struct wp_stream {
    FILE *file;                            /* owned by libpcap once it is opened on it, before that by the stream */
    int fd;                                /* to wait on; borrowed from the stream */
    /* Takes in what the descriptor has. True when libpcap can read a whole packet, or the end, without waiting. */
    bool (*fill)(wp_stream *self);
    bool (*ready)(const wp_stream *self);  /* the same, without reading */
    bool (*ended)(const wp_stream *self);  /* the end was reached and everything was handed on */
    void (*free)(wp_stream *self);         /* after libpcap closed `file` */
};

typedef struct {
    const char *interface;   /* borrowed for the call */
    int snaplen;
    bool promiscuous;
    bool monitor;
    bool immediate;
    bool nanoseconds;        /* where the device has them */
    int timeout_ms;          /* how long the kernel may keep packets back to hand over many at once */
    int buffer_size;         /* bytes; 0 is libpcap's default */
    int direction;           /* pcap_direction_t */
    int linktype;            /* DLT_*, or -1 for the device's own */
} wp_pcap_options;

typedef struct {
    pthread_mutex_t lock;    /* recursive */
    unsigned int forks;      /* pcap_handle.c's count when this was made, or made a child process's own */
    pid_t maker;             /* the process that opened it */
    pcap_t *pcap;            /* owned; NULL before opening and once closed */
    wp_stream *stream;       /* owned; NULL but for pipes and the like */
    char *file_buffer;       /* owned; libpcap's FILE reads through it; NULL but for files */
    int wake_fd;             /* owned eventfd; -1 before wp_pcap_init */
    int wait_fd;             /* borrowed from pcap or stream; -1 where there is none to wait on */
    int wait_limit_ms;       /* longest sensible wait for this device, or -1 */
    bool live;
    bool nanoseconds;        /* what pcap_pkthdr.ts.tv_usec holds */
    struct bpf_program filter;   /* owned; a file's, which is run here; no instructions for none */
    bool broke;              /* a handler broke off the read that runs */
    bool break_left;         /* and libpcap still remembers: savefile.c does, pcap-linux.c doesn't */
    _Atomic bool stop;       /* somebody wants the reading to end; cleared by who ends */
    char warning[PCAP_ERRBUF_SIZE];   /* libpcap's warning at activation, or "" */
} wp_pcap;

/* Ready to be opened. WP_OK, or WP_ECAPTURE with errno. */
wp_status wp_pcap_init(wp_pcap *self, wp_error *error);
/* Closes, and releases what init took. No other thread may use the handle any more. */
void wp_pcap_fini(wp_pcap *self);

/* Opening. On failure the handle stays closed and may be opened again. */
wp_status wp_pcap_create(wp_pcap *self, const char *interface, wp_error *error);
int wp_pcap_activate(wp_pcap *self);   /* libpcap's own return value */
/* Takes over a live capture that is activated already. */
void wp_pcap_adopt(wp_pcap *self, pcap_t *pcap);
wp_status wp_pcap_open_live(wp_pcap *self, const wp_pcap_options *options, wp_error *error);
wp_status wp_pcap_open_path(wp_pcap *self, const char *path, bool nanoseconds, wp_error *error);
/* Takes the stream over, also on failure. Waits until the file's header is there: WP_AGAIN when a signal came first,
 * then the stream is still the caller's. */
wp_status wp_pcap_open_stream(wp_pcap *self, wp_stream *stream, bool nanoseconds, wp_error *error);

/* Waits for a packet, at most timeout_ms (-1: until something happens). WP_OK when a read is worth while, WP_AGAIN
 * when the time passed, a signal came or wp_pcap_wake was called, WP_END when the handle is closed. */
wp_status wp_pcap_wait(wp_pcap *self, int timeout_ms);
/* Reads what is there, at most max packets (<= 0: a bufferful), never waits. WP_OK when the handler ran, WP_AGAIN
 * when nothing was there, WP_END at the end of a file or when closed; else an error. A few milliseconds' worth of a
 * file are read at most: WP_AGAIN then, when the filter let none of it through. */
wp_status wp_pcap_read(wp_pcap *self, int max, pcap_handler handler, void *user, wp_error *error);

/* For packet handlers: this was the last packet of the read. */
void wp_pcap_break(wp_pcap *self);
/* Reads one packet, never waits; what it points to stays until the next call. Results as of wp_pcap_read. */
wp_status wp_pcap_next(wp_pcap *self, struct pcap_pkthdr **header, const u_char **data, wp_error *error);

/* False in a child process that was forked off: the capture is its parent's. */
bool wp_pcap_is_own(const wp_pcap *self);

/* Any thread, and signal handlers: ends a wait. */
void wp_pcap_wake(wp_pcap *self);
/* The same, and `stop` is set. */
void wp_pcap_stop(wp_pcap *self);
/* Idempotent. Ends a wait or a read in another thread first. Not to be called by a packet handler. */
void wp_pcap_close(wp_pcap *self);

/* Compiles and sets a capture filter. WP_EFILTER with libpcap's text. */
wp_status wp_pcap_set_filter(wp_pcap *self, const char *text, bpf_u_int32 netmask, wp_error *error);
wp_status wp_pcap_stats(wp_pcap *self, struct pcap_stat *stats, wp_error *error);
wp_status wp_pcap_send(wp_pcap *self, const void *data, int length, wp_error *error);

/* The errno that says the same as a PCAP_ERROR_* of activation, or 0. */
int wp_pcap_errno(int pcap_status);

#endif
