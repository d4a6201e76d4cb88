/* ring.c - messages from one process to another through shared memory.
 *
 * Who waits says so in the memory first and looks again afterwards, with a full fence between (Dekker's way); who makes
 * progress looks for the other's word after a fence. So no wake is lost, and none is sent that nobody waits for.
 *
 * A reader that is faster than the writer would sleep after every message, and each sleep costs both sides a system
 * call. So it first naps for a while without asking to be woken, and then finds a heap of messages. The naps begin short,
 * so that the first message does not wait for long. */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    NAP_NS = 100000,            /* the first; each further one is twice as long, while they are worth it */
    LONGEST_NAP_NS = 1500000,   /* some fifty packets of 10 KB: a quarter of the ring */
    WAIT_MS = 50,
    LONGEST_LENT = WP_RING_BYTES / 8,   /* two of them leave the writer room enough */
    LONGEST = 1 << 30,          /* of a message: half of the longest block */
    HEAD = 2 * sizeof(uint32_t),
};

_Static_assert(sizeof(wp_ring_shared) <= PAGE, "the head of the ring is one page");
_Static_assert((WP_RING_BYTES & (WP_RING_BYTES - 1)) == 0, "positions are masked");

int
wp_ring_create(void)
{
    int memory = memfd_create("wishpy-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0) {
        return -1;
    }
    if (ftruncate(memory, PAGE + WP_RING_BYTES) != 0
        || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        const int code = errno;
        close(memory);
        errno = code;
        return -1;
    }
    return memory;
}

wp_status
wp_ring_open(wp_ring *ring, int memory, int readable, int writable, int peer, wp_error *error)
{
    *ring = (wp_ring){.readable = readable, .writable = writable, .peer = peer, .naps = true, .nap_ns = NAP_NS};
    void *mapped = mmap(NULL, PAGE + WP_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    ring->shared = mapped;
    return WP_OK;
}

void
wp_ring_close(wp_ring *ring)
{
    if (ring->shared != NULL) {
        munmap(ring->shared, PAGE + WP_RING_BYTES);
        ring->shared = NULL;
    }
    free(ring->message);
    ring->message = NULL;
}

void
wp_ring_restart(wp_ring *ring)
{
    ring->position = 0;
    ring->peer_gone = false;
}

static void
ring_bell(int bell)
{
    const uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written;   /* fails only where it has rung already */
}

static void
silence_bell(int bell)
{
    uint64_t count;
    ssize_t got = read(bell, &count, sizeof count);
    (void)got;
}

static inline uint8_t *
data_of(const wp_ring *ring)
{
    return (uint8_t *)ring->shared + PAGE;
}

/* ---- the writer ---- */

static void
publish(wp_ring *ring)
{
    wp_ring_shared *shared = ring->shared;
    atomic_store_explicit(&shared->head, ring->position, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&shared->reader_waits, memory_order_relaxed) != 0
        && atomic_exchange(&shared->reader_waits, 0) != 0) {
        ring_bell(ring->readable);
    }
}

static uint64_t
room(const wp_ring *ring)
{
    return WP_RING_BYTES - (ring->position - atomic_load_explicit(&ring->shared->tail, memory_order_acquire));
}

static wp_status
wait_for_room(wp_ring *ring)
{
    publish(ring);   /* what is there already lets the reader go on */
    while (room(ring) == 0) {
        if (wp_ring_stopped(ring) || ring->peer_gone) {
            return WP_END;
        }
        atomic_store(&ring->shared->writer_waits, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (room(ring) > 0 || wp_ring_stopped(ring)) {
            continue;
        }
        struct pollfd ends[2] = {{.fd = ring->writable, .events = POLLIN}, {.fd = ring->peer}};
        poll(ends, 2, 1000);
        if (ends[0].revents != 0) {
            silence_bell(ring->writable);
        }
        ring->peer_gone = ends[1].revents != 0;
    }
    atomic_store(&ring->shared->writer_waits, 0);
    return WP_OK;
}

static wp_status
put(wp_ring *ring, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        size_t n = room(ring);
        const size_t at = ring->position & (WP_RING_BYTES - 1);
        if (n == 0) {
            if (wait_for_room(ring) != WP_OK) {
                return WP_END;
            }
            continue;
        }
        n = n < size ? n : size;
        n = n < WP_RING_BYTES - at ? n : WP_RING_BYTES - at;
        memcpy(data_of(ring) + at, from, n);
        ring->position += n;
        from += n;
        size -= n;
    }
    return WP_OK;
}

wp_status
wp_ring_write_parts(wp_ring *ring, uint32_t kind, const wp_part *parts, size_t count)
{
    uint32_t head[2] = {kind, 0};
    for (size_t i = 0; i < count; i++) {
        head[1] += parts[i].size;
    }
    wp_status status = put(ring, head, sizeof head);
    for (size_t i = 0; i < count && status == WP_OK; i++) {
        status = put(ring, parts[i].bytes, parts[i].size);
    }
    if (status != WP_OK) {
        return WP_END;
    }
    publish(ring);
    return wp_ring_stopped(ring) ? WP_END : WP_OK;
}

wp_status
wp_ring_write(wp_ring *ring, uint32_t kind, const void *bytes, uint32_t size)
{
    const wp_part part = {bytes, size};
    return wp_ring_write_parts(ring, kind, &part, 1);
}

bool
wp_ring_stopped(const wp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->stop, memory_order_relaxed) != 0;
}

/* ---- the reader ---- */

void
wp_ring_copy(const wp_ring *ring, uint64_t place, void *to, size_t size)
{
    const size_t at = place & (WP_RING_BYTES - 1);
    const size_t first = size < WP_RING_BYTES - at ? size : WP_RING_BYTES - at;
    memcpy(to, data_of(ring) + at, first);
    memcpy((uint8_t *)to + first, data_of(ring), size - first);
}

uint64_t
wp_ring_position(const wp_ring *ring)
{
    return ring->position;
}

/* Takes what is there, but no more than is wanted. */
static size_t
take(wp_ring *ring, void *to, size_t wanted, uint64_t available)
{
    const size_t size = available < wanted ? (size_t)available : wanted;
    wp_ring_copy(ring, ring->position, to, size);
    ring->position += size;
    return size;
}

void
wp_ring_free_to(wp_ring *ring, uint64_t place)
{
    wp_ring_shared *shared = ring->shared;
    const uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
    atomic_store_explicit(&shared->tail, place, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (head - place <= WP_RING_BYTES / 2
        && atomic_load_explicit(&shared->writer_waits, memory_order_relaxed) != 0
        && atomic_exchange(&shared->writer_waits, 0) != 0) {
        ring_bell(ring->writable);
    }
}

static wp_status
start_message(wp_ring *ring, wp_error *error)
{
    uint32_t head[2];
    take(ring, head, sizeof head, sizeof head);
    if (head[1] > LONGEST) {
        return wp_fail(error, WP_ELIBRARY, "a worker's message of %u bytes", head[1]);
    }
    ring->message = malloc(head[1] > 0 ? head[1] : 1);
    if (ring->message == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    ring->kind = head[0];
    ring->size = head[1];
    ring->have = 0;
    ring->started = true;
    return WP_OK;
}

static wp_status
look_at_head(const wp_ring *ring, uint64_t *available, wp_error *error)
{
    *available = atomic_load_explicit(&ring->shared->head, memory_order_acquire) - ring->position;
    return *available > WP_RING_BYTES ? wp_fail(error, WP_ELIBRARY, "a worker's ring is damaged") : WP_OK;
}

wp_status
wp_ring_lend(wp_ring *ring, uint32_t kind, void *first, size_t wanted, uint64_t *at, uint32_t *size, wp_error *error)
{
    const bool gone = ring->peer_gone;   /* before the look at the head: what was written last is seen */
    uint64_t available;
    uint32_t head[2];
    wp_status status = look_at_head(ring, &available, error);
    if (status != WP_OK || ring->started) {
        return status != WP_OK ? status : WP_EVALUE;
    }
    if (available < HEAD) {
        return gone ? WP_END : WP_AGAIN;
    }
    wp_ring_copy(ring, ring->position, head, sizeof head);
    if (head[0] != kind || head[1] > LONGEST_LENT || head[1] < wanted) {
        return WP_EVALUE;
    }
    if (available - HEAD < head[1]) {
        return gone ? WP_END : WP_AGAIN;
    }
    *at = ring->position + HEAD;
    *size = head[1];
    wp_ring_copy(ring, *at, first, wanted);
    ring->position = *at + *size;
    ring->idle_turns = 0;
    return WP_OK;
}

wp_status
wp_ring_read(wp_ring *ring, uint32_t *kind, uint8_t **bytes, uint32_t *size, wp_error *error)
{
    const bool gone = ring->peer_gone;   /* before the look at the head: what was written last is seen */
    uint64_t available;
    wp_status status = look_at_head(ring, &available, error);
    if (status != WP_OK) {
        return status;
    }
    if (!ring->started) {
        if (available < HEAD) {
            return gone ? WP_END : WP_AGAIN;
        }
        status = start_message(ring, error);
        if (status != WP_OK) {
            return status;
        }
        available -= HEAD;
    }
    ring->have += (uint32_t)take(ring, ring->message + ring->have, ring->size - ring->have, available);
    wp_ring_free_to(ring, ring->position);
    if (ring->have < ring->size) {
        return gone ? WP_END : WP_AGAIN;
    }
    *kind = ring->kind;
    *size = ring->size;
    *bytes = ring->message;
    ring->message = NULL;
    ring->started = false;
    ring->idle_turns = 0;
    return WP_OK;
}

static bool
is_empty(const wp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->head, memory_order_acquire) == ring->position;
}

void
wp_ring_wait(wp_ring *ring)
{
    struct pollfd ends[2] = {{.fd = ring->peer}, {.fd = ring->readable, .events = POLLIN}};
    if (ring->naps && ring->idle_turns++ == 0) {
        const struct timespec nap = {0, ring->nap_ns};
        ppoll(ends, 1, &nap, NULL);
        ring->nap_ns = 2 * ring->nap_ns < LONGEST_NAP_NS ? 2 * ring->nap_ns : LONGEST_NAP_NS;
    } else {
        ring->nap_ns = NAP_NS;   /* a nap was too short to be worth it */
        atomic_store(&ring->shared->reader_waits, 1);
        atomic_thread_fence(memory_order_seq_cst);
        poll(ends, 2, is_empty(ring) ? WAIT_MS : 0);
        atomic_store(&ring->shared->reader_waits, 0);
        if (ends[1].revents != 0) {
            silence_bell(ring->readable);
        }
    }
    if (ends[0].revents != 0) {
        ring->peer_gone = true;
    }
}

void
wp_ring_wake(wp_ring *ring)
{
    ring_bell(ring->readable);
}

void
wp_ring_stop(wp_ring *ring)
{
    if (ring->shared != NULL) {
        atomic_store(&ring->shared->stop, 1);
        ring_bell(ring->writable);
    }
}
