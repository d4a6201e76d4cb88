/* ring.h - messages from one process to another through shared memory: a stream of bytes in a memfd, in order, with
 * back-pressure. One writer, one reader, and neither makes a system call while the other keeps up.
 *
 * The reader trusts nothing that it finds in the memory: the writer may have been overrun by a hostile frame. */
#ifndef WISHPY_RING_H
#define WISHPY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "watch.h"

enum { WP_RING_BYTES = 2 << 20 };   /* a power of two; a longer message goes through in pieces */

/* The first page of the memory; the data follow on the next one. */
typedef struct {
    _Atomic uint64_t head;            /* bytes written in all */
    _Atomic uint32_t writer_waits;    /* for half of the ring to be free */
    _Alignas(64) _Atomic uint64_t tail;   /* bytes read in all */
    _Atomic uint32_t reader_waits;    /* for a first byte */
    _Atomic uint32_t stop;            /* the reader wants no more of this job */
    _Alignas(64) wp_watch watch;
    _Atomic uint64_t memory;          /* bytes resident when the writer was found to exceed its limit; else 0 */
} wp_ring_shared;

typedef struct {
    wp_ring_shared *shared;   /* mapped; NULL once closed */
    int readable, writable;   /* borrowed: eventfds; the other side waits for its one */
    int peer;                 /* borrowed: a socket that hangs up when the other side is gone */
    bool peer_gone;
    uint64_t position;        /* head or tail: one's own is never read back from the memory */
    unsigned idle_turns;      /* waits since the last message */
    bool naps;                /* the reader: it need not be woken for every message. False where it waits for just one */
    long nap_ns;
    uint8_t *message;         /* owned; one that has come in part */
    uint32_t kind, size, have;
    bool started;             /* its head is known */
} wp_ring;

/* A new memory for a ring: its descriptor, or -1 with errno. It can be neither shrunk nor grown. */
int wp_ring_create(void);

/* Maps the memory and starts at the beginning. */
wp_status wp_ring_open(wp_ring *ring, int memory, int readable, int writable, int peer, wp_error *error);
void wp_ring_close(wp_ring *ring);

/* The writer's: from the beginning, after its parent has filled the first page with zeros. */
void wp_ring_restart(wp_ring *ring);

typedef struct {
    const void *bytes;
    uint32_t size;
} wp_part;

/* The writer's: one message of so many parts. Waits for room. WP_END where the reader is gone or wants no more. */
wp_status wp_ring_write_parts(wp_ring *ring, uint32_t kind, const wp_part *parts, size_t count);
wp_status wp_ring_write(wp_ring *ring, uint32_t kind, const void *bytes, uint32_t size);

/* The reader's, without waiting: WP_OK with a malloc'ed message; WP_AGAIN where none is complete; WP_END where none
 * will ever be, as the writer is gone; WP_ELIBRARY for a damaged ring. */
wp_status wp_ring_read(wp_ring *ring, uint32_t *kind, uint8_t **bytes, uint32_t *size, wp_error *error);
/* The reader's, for a short message of this kind that lies there whole: copies its first bytes and goes on behind it,
 * and the ring does not use its room again before wp_ring_free_to(). *at is where the message's bytes are, for
 * wp_ring_copy(). WP_EVALUE where another kind of message comes, or a long one, or a part of one was read: that is for
 * wp_ring_read(). Else like that. */
wp_status wp_ring_lend(wp_ring *ring, uint32_t kind, void *first, size_t wanted, uint64_t *at, uint32_t *size,
                       wp_error *error);
void wp_ring_copy(const wp_ring *ring, uint64_t at, void *to, size_t size);
/* No message before this place is of use any more. wp_ring_position() is behind the last that was read or lent. */
void wp_ring_free_to(wp_ring *ring, uint64_t place);
uint64_t wp_ring_position(const wp_ring *ring);

/* Waits for bytes to read: 50 ms at most, and less when a signal comes. */
void wp_ring_wait(wp_ring *ring);
/* Any thread of the reader: ends a wait. */
void wp_ring_wake(wp_ring *ring);

/* The reader's: tells the writer to end its job. */
void wp_ring_stop(wp_ring *ring);
bool wp_ring_stopped(const wp_ring *ring);

#endif
