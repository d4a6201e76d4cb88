/* worker.h - what a worker process and its parent say to each other through the ring. */
#ifndef WISHPY_EPAN_WORKER_H
#define WISHPY_EPAN_WORKER_H

#include "state.h"

typedef enum {
    WORKER_FIELD = 1,   /* a wp_field_description: before the first packet that has this field */
    WORKER_PACKET,      /* a finished wp_block, with the worker's field ids */
    WORKER_LOG,         /* JSON, see wishpy/_worker.py */
    WORKER_END,         /* nothing: no more packets */
    WORKER_ERROR,       /* JSON: the exception that ended it */
    WORKER_NEXT,        /* nothing: the frame that was handed over did not pass the filter */
    WORKER_REFUSED,     /* a worker_refusal: that frame could not be dissected */
    WORKER_ORIGIN,      /* a wp_origin_item: before the first packet that was read after it */
} worker_message;

/* A frame that is handed over: this, the dissector's name, the bytes. */
typedef struct {
    int64_t seconds;
    int32_t nanoseconds;
    int32_t linktype;
    uint32_t captured_length, length, interface_id;
    uint32_t name_length;   /* 0: start at the link type */
} worker_frame;

typedef struct {
    uint32_t status;   /* wp_status */
    wp_error error;
} worker_refusal;

/* ---- worker.c, in the worker: the functions of wishpy._worker ---- */

extern PyMethodDef worker_methods[];

/* ---- isolation.c: where a Dissector is to live ---- */

typedef struct {
    bool worker, here;      /* isolated=True, or a keyword that needs a worker; isolated=False; neither: None */
    PyObject *bounds;       /* owned: dict of the keywords that are about workers */
} isolation;

/* 1 with a borrowed value, 0 where there is none, -1 with an exception. */
int keyword_find(PyObject *keywords, const char *name, PyObject **value);

/* Splits a Dissector's keywords (may be NULL): a new dict of those that are not about isolation. Raises. */
PyObject *isolation_parse(module_state *state, PyObject *kwargs, isolation *where);
/* Is the exception that is set the one for a taken place, and a worker allowed instead? */
bool isolation_may_move(const isolation *where, module_state *state);
void isolation_clear(isolation *where);

/* ---- worker_link.c, in the parent ---- */

typedef struct worker_link worker_link;

/* Starts a worker with a Dissector's arguments, and libwireshark in this process meanwhile. *source becomes a new
 * reference to the source as it was given. Raises. */
worker_link *worker_link_start(module_state *state, PyObject *args, PyObject *kwargs, const isolation *where,
                               PyObject **source);

/* A Packet; or NULL with an exception; or NULL with *again; or NULL at the end. *refused: the exception is about the
 * frame that was handed over, and the worker goes on. May let go of the GIL. */
PyObject *worker_link_next(worker_link *link, module_state *state, bool *again, bool *refused);

/* Hands a frame over, to a worker that was opened without a source; its packet is what next() gives then, or nothing and
 * worker_link_is_busy() is false again. A worker that died is found out by next(). No exceptions. */
void worker_link_hand(worker_link *link, const wp_record *record, const char *dissector);
/* Was it opened without a source? */
bool worker_link_takes_frames(const worker_link *link);
/* Is an answer to a frame still to come? */
bool worker_link_is_busy(const worker_link *link);

/* Borrowed: of the packets that it gives. */
PyObject *worker_link_origin(const worker_link *link);

/* A Packet's block is lent, not copied: it lies in the ring until the packet after the next one is wanted, and most are
 * gone by then. Gives the packet a block of its own; raises: -1. */
int worker_link_fetch(Packet *packet);
/* Nobody needs what lies there any more. */
void worker_link_return(worker_link *link, unsigned slot);
/* A fork is near: the child must not look into a ring that goes on. */
void worker_links_keep(void);

/* Any thread with the GIL: makes a next() that waits return soon. */
void worker_link_wake(worker_link *link);

/* Was it opened by this process, not by one that forked this one? */
bool worker_link_is_ours(const worker_link *link);

/* Leaves the worker to wishpy.isolated, which ends it or keeps it warm. From a dealloc with `later`: nothing waits. */
void worker_link_close(worker_link *link, bool later);

/* ---- dissector.c, for worker.c ---- */

/* The session of an open Dissector that works in this process, and how many Packets it may return; NULL: raises. */
wp_session *dissector_session(PyObject *dissector, uint64_t *limit);
/* The Dissector is at its end; its session (the caller's from now on) is not. */
void dissector_give_up_session(PyObject *dissector);

#endif
