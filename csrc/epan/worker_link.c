/* worker_link.c - the parent's side of a Dissector that lives in a process of its own: packets out of the ring.
 *
 * What to do about a worker (start, keep warm, end, explain its death) is decided in wishpy/isolated.py; here is what
 * happens for every packet. Nothing that comes from a worker is trusted: a hostile frame may speak through it. The
 * Dissector's gate admits one thread at a time. */
#include "worker.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../engine/foreign_field.h"
#include "../engine/library.h"
#include "../engine/ring.h"

#define NO_FIELD UINT32_MAX

enum { LENT = 2 };   /* a loop's variable still has the packet before when it asks for the next one */

typedef struct {
    Packet *packet;            /* borrowed: whose block it is; NULL: nobody's */
    uint64_t at;               /* the block's place in the ring */
    uint32_t size;
} loan;

struct worker_link {
    worker_link *next_link;    /* borrowed: see all_links */
    loan lent[LENT];
    unsigned next_loan;
    bool damaged;              /* a lent block was no good: the worker is dead */
    wp_ring ring;
    PyObject *worker;          /* owned */
    PyObject *origin;          /* owned: what the worker says of its packets' origin */
    uint32_t *here;            /* owned: the local id by the worker's, NO_FIELD where it was not described */
    uint32_t here_count;
    bool same_ids;             /* all that were described are the same on both sides */
    uint32_t last;             /* number of the packet that was delivered last */
    int64_t frame_timeout;     /* ns; 0: none */
    int hand;                  /* borrowed: a socket for frames that are handed over, -1 where the worker has a source */
    bool busy;                 /* with one of those */
    pid_t owner;
};

static worker_link *all_links;   /* those that are open; for fork alone. With the GIL */

/* ---- packets that lie in the ring ---- */

static void
free_room(worker_link *link)
{
    uint64_t place = wp_ring_position(&link->ring);
    for (unsigned i = 0; i < LENT; i++) {
        if (link->lent[i].packet != NULL && link->lent[i].at < place) {
            place = link->lent[i].at;
        }
    }
    wp_ring_free_to(&link->ring, place);
}

void
worker_link_return(worker_link *link, unsigned slot)
{
    link->lent[slot].packet = NULL;
    free_room(link);
}

/* What was lent gets a memory of its own. Without memory, or where it is damaged, the packets are lost and say so. */
static void
keep_lent(worker_link *link)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    for (unsigned i = 0; i < LENT; i++) {
        Packet *packet = link->lent[i].packet;
        if (packet == NULL) {
            continue;
        }
        Py_INCREF(packet);
        if (worker_link_fetch(packet) < 0) {
            PyErr_Clear();
            packet_lose(packet);
        }
        Py_DECREF(packet);
    }
    PyErr_Restore(type, value, traceback);
}

void
worker_links_keep(void)
{
    for (worker_link *link = all_links; link != NULL; link = link->next_link) {
        keep_lent(link);
    }
}

/* ---- opening and closing ---- */

/* A successor tells all of it again. */
static int
renew_origin(worker_link *link, module_state *state)
{
    PyObject *origin = origin_new(state, NULL);
    if (origin == NULL) {
        return -1;
    }
    Py_XSETREF(link->origin, origin);
    return 0;
}

static int
attach(worker_link *link, PyObject *worker)
{
    int memory, readable, writable, socket;
    wp_error error;
    PyObject *ends = PyObject_CallMethod(worker, "ends", NULL);
    if (ends == NULL) {
        return -1;
    }
    const int parsed = PyArg_ParseTuple(ends, "iiiiLi", &memory, &readable, &writable, &socket, &link->frame_timeout,
                                        &link->hand);
    Py_DECREF(ends);
    if (!parsed) {
        return -1;
    }
    if (wp_ring_open(&link->ring, memory, readable, writable, socket, &error) != WP_OK) {
        PyErr_NoMemory();
        return -1;
    }
    link->ring.naps = link->hand < 0;
    link->same_ids = true;
    link->damaged = false;
    link->owner = getpid();
    return 0;
}

static void
detach(worker_link *link)
{
    keep_lent(link);
    wp_ring_close(&link->ring);
    free(link->here);
    link->here = NULL;
    link->here_count = 0;
}

/* Takes over `worker`, also on failure. */
static worker_link *
link_to(module_state *state, PyObject *worker)
{
    worker_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        PyErr_NoMemory();
    } else if (renew_origin(link, state) == 0 && attach(link, worker) == 0) {
        link->worker = worker;
        link->next_link = all_links;
        all_links = link;
        return link;
    } else {
        Py_XDECREF(link->origin);
    }
    free(link);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethod(worker, "abandon", "O", Py_True);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
    Py_DECREF(worker);
    return NULL;
}

worker_link *
worker_link_start(module_state *state, PyObject *args, PyObject *kwargs, const isolation *where, PyObject **source)
{
    PyObject *module = PyImport_ImportModule("wishpy.isolated");
    PyObject *worker = NULL, *opened = NULL;
    if (module == NULL) {
        return NULL;
    }
    worker = PyObject_CallMethod(module, "start", "OOO", args, kwargs, where->bounds);
    Py_DECREF(module);
    if (worker == NULL) {
        return NULL;
    }
    if (epan_start(state) == 0) {
        opened = PyObject_CallMethod(worker, "opened", NULL);   /* the worker itself, or one in its place */
    }
    *source = opened == NULL ? NULL : PyObject_GetAttrString(opened, "source");
    if (*source != NULL) {
        Py_DECREF(worker);
        return link_to(state, opened);
    }
    Py_XDECREF(opened);
    Py_DECREF(worker);   /* wishpy.isolated ends what was not opened */
    return NULL;
}

PyObject *
worker_link_origin(const worker_link *link)
{
    return link->origin;
}

bool
worker_link_is_ours(const worker_link *link)
{
    return link->owner == getpid();
}

void
worker_link_wake(worker_link *link)
{
    if (worker_link_is_ours(link)) {
        wp_ring_wake(&link->ring);
    }
}

static void
unlist(worker_link *link)
{
    worker_link **at = &all_links;
    while (*at != link) {
        at = &(*at)->next_link;
    }
    *at = link->next_link;
}

void
worker_link_close(worker_link *link, bool later)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    unlist(link);
    if (worker_link_is_ours(link)) {
        wp_ring_stop(&link->ring);
        detach(link);
        PyObject *done = PyObject_CallMethod(link->worker, "abandon", "O", later ? Py_True : Py_False);
        if (done == NULL) {
            PyErr_WriteUnraisable(link->worker);
        }
        Py_XDECREF(done);
    } else {
        detach(link);
    }
    Py_DECREF(link->worker);
    Py_DECREF(link->origin);
    free(link);
    PyErr_Restore(type, value, traceback);
}

/* ---- frames that are handed over ---- */

bool
worker_link_takes_frames(const worker_link *link)
{
    return link->hand >= 0;
}

bool
worker_link_is_busy(const worker_link *link)
{
    return link->busy;
}

/* The other side reads all of it before it does anything else; it is gone when it does not. */
static bool
send_all(int socket, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        const ssize_t sent = send(socket, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        from += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

void
worker_link_hand(worker_link *link, const wp_record *record, const char *dissector)
{
    const worker_frame frame = {
        .seconds = record->seconds,
        .nanoseconds = record->nanoseconds,
        .linktype = record->linktype,
        .captured_length = record->captured_length,
        .length = record->length,
        .interface_id = record->interface_id,
        .name_length = dissector == NULL ? 0 : (uint32_t)strlen(dissector),
    };
    link->busy = true;
    Py_BEGIN_ALLOW_THREADS
    if (send_all(link->hand, &frame, sizeof frame)) {
        const bool named = send_all(link->hand, dissector, frame.name_length);
        (void)(named && send_all(link->hand, record->data, record->captured_length));
    }
    Py_END_ALLOW_THREADS
}

static void
raise_refusal(module_state *state, const uint8_t *bytes)
{
    worker_refusal refusal;
    memcpy(&refusal, bytes, sizeof refusal);
    refusal.error.message[sizeof refusal.error.message - 1] = '\0';
    const bool known = refusal.status > WP_AGAIN && refusal.status < WP_STATUS_COUNT && refusal.status != WP_EFILTER;
    raise_status(state, known ? (wp_status)refusal.status : WP_ELIBRARY, &refusal.error, NULL);
}

/* ---- what comes ---- */

/* The name of a field that only the worker's process has becomes known here. */
static int
remember_name(module_state *state, uint32_t id)
{
    const wp_field_def *def = wp_field_by_id(id);
    PyObject *name = text_to_python(def->name);
    PyObject *before = name == NULL ? NULL : PyDict_GetItemWithError(state->names, name);   /* borrowed */
    int result = -1;
    if (name != NULL && !PyErr_Occurred()) {
        PyObject *ids = PyBytes_FromStringAndSize((const char *)&id, sizeof id);
        if (ids != NULL && before != NULL) {
            PyObject *both = PySequence_Concat(before, ids);
            Py_SETREF(ids, both);
        }
        result = ids == NULL ? -1 : PyDict_SetItem(state->names, name, ids);
        Py_XDECREF(ids);
    }
    Py_XDECREF(name);
    return result;
}

/* 0; 1 for a message that is none; -1 with an exception. */
static int
learn_field(worker_link *link, module_state *state, const uint8_t *bytes, uint32_t size)
{
    wp_field_description head;
    bool made;
    if (size < sizeof head) {
        return 1;
    }
    memcpy(&head, bytes, sizeof head);
    epan_lock();
    const int64_t id = wp_field_adopt_locked(bytes, size, &made);
    wp_epan_unlock();
    if (id < 0 || head.id >= WP_FIELD_CHUNK * WP_FIELD_CHUNKS) {
        return 1;
    }
    if (head.id >= link->here_count) {
        const uint32_t count = head.id + 4096;
        uint32_t *more = realloc(link->here, count * sizeof *more);
        if (more == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memset(more + link->here_count, 0xff, (count - link->here_count) * sizeof *more);
        link->here = more;
        link->here_count = count;
    }
    link->here[head.id] = (uint32_t)id;
    link->same_ids = link->same_ids && (uint32_t)id == head.id;
    return made ? remember_name(state, (uint32_t)id) : 0;
}

/* The block's fields get the ids that they have here. False for a field that was not described. */
static bool
relocate(const worker_link *link, wp_block *block, uint32_t size)
{
    wp_node *nodes = (wp_node *)(block + 1);
    if (size < sizeof *block || block->node_count > (size - sizeof *block) / sizeof *nodes) {
        return false;
    }
    if (link->same_ids) {
        return true;   /* wp_block_check looks whether they are known */
    }
    for (uint32_t i = 0; i < block->node_count; i++) {
        const uint32_t id = nodes[i].field;
        if (id >= link->here_count || link->here[id] == NO_FIELD) {
            return false;
        }
        nodes[i].field = link->here[id];
    }
    return true;
}

static bool
is_sound(const worker_link *link, wp_block *block, uint32_t size)
{
    return relocate(link, block, size) && wp_block_check(block, size);
}

/* The next packet, still in the ring; or as wp_ring_lend, or WP_EMEMORY with an exception. */
static wp_status
lend_packet(worker_link *link, module_state *state, PyObject **packet, wp_error *error)
{
    wp_block head;
    loan *lent = &link->lent[link->next_loan];
    if (lent->packet != NULL) {   /* somebody kept it */
        Packet *kept = lent->packet;
        Py_INCREF(kept);
        const int status = worker_link_fetch(kept);
        Py_DECREF(kept);
        if (status < 0) {
            return WP_EMEMORY;
        }
    }
    wp_status status = wp_ring_lend(&link->ring, WORKER_PACKET, &head, sizeof head, &lent->at, &lent->size, error);
    if (status != WP_OK) {
        return status;
    }
    *packet = packet_new_live(state, NULL, 0, &head.frame, link->origin);
    if (*packet == NULL) {
        return WP_EMEMORY;
    }
    Packet *made = (Packet *)*packet;
    made->lender = link;
    made->slot = link->next_loan;
    lent->packet = made;
    link->next_loan = (link->next_loan + 1) % LENT;
    link->last = head.frame.number;
    return WP_OK;
}

/* A block that is not what its head promised, and was checked only now. */
static int
raise_damaged(worker_link *link, Packet *packet)
{
    link->damaged = true;
    PyObject *done = PyObject_CallMethod(link->worker, "damaged", "I", packet->frame.number);   /* raises */
    Py_XDECREF(done);
    return -1;
}

int
worker_link_fetch(Packet *packet)
{
    worker_link *link = packet->lender;
    const loan *lent = &link->lent[packet->slot];
    wp_block *block = malloc(lent->size);
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    wp_ring_copy(&link->ring, lent->at, block, lent->size);
    if (memcmp(&block->frame, &packet->frame, sizeof block->frame) != 0 || !is_sound(link, block, lent->size)) {
        free(block);
        return raise_damaged(link, packet);
    }
    packet->block = block;
    packet->lender = NULL;
    worker_link_return(link, packet->slot);
    return 0;
}

/* Takes over the block. NULL without an exception for one that is damaged. */
static PyObject *
accept_packet(worker_link *link, module_state *state, wp_block *block, uint32_t size)
{
    if (!is_sound(link, block, size)) {
        free(block);
        return NULL;
    }
    PyObject *packet = packet_new_live(state, NULL, 0, &block->frame, link->origin);
    if (packet == NULL) {
        free(block);
        return NULL;
    }
    ((Packet *)packet)->block = block;
    link->last = block->frame.number;
    return packet;
}

static PyObject *
tell_worker(worker_link *link, const char *method, const uint8_t *bytes, uint32_t size)
{
    return PyObject_CallMethod(link->worker, method, "y#", (const char *)bytes, (Py_ssize_t)size);
}

/* The worker died, or is as good as dead: `cause`, or NULL where its own death tells. Raises, or goes on with the
 * successor that it gets. */
static int
lose_worker(worker_link *link, module_state *state, const char *cause)
{
    const uint32_t busy = atomic_load(&link->ring.shared->watch.frame);
    const unsigned long long memory = atomic_load(&link->ring.shared->memory);
    const uint32_t frame = busy > link->last ? busy : link->last + 1;
    PyObject *next = PyObject_CallMethod(link->worker, "crashed", "IIzK", frame, link->last, cause, memory);
    if (next == NULL) {
        return -1;
    }
    detach(link);
    Py_SETREF(link->worker, next);
    return renew_origin(link, state) < 0 ? -1 : attach(link, next);
}

static bool
is_late(const worker_link *link)
{
    const int64_t since = atomic_load(&link->ring.shared->watch.since);
    struct timespec now;
    if (link->frame_timeout == 0 || since == 0) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - since > link->frame_timeout;
}

/* Nothing is there: a wait without the GIL. */
static int
wait_for_more(worker_link *link, module_state *state)
{
    if (is_late(link)) {
        return lose_worker(link, state, "time");
    }
    Py_BEGIN_ALLOW_THREADS
    wp_ring_wait(&link->ring);
    Py_END_ALLOW_THREADS
    return 0;
}

typedef enum { GO_ON, DELIVER, NOTHING, FINISH, FAIL, REFUSED, DAMAGED } outcome;

/* One message; frees it or hands it on. */
static outcome
take_message(worker_link *link, module_state *state, uint32_t kind, uint8_t *bytes, uint32_t size, PyObject **packet)
{
    PyObject *done = NULL;
    outcome result = DAMAGED;
    switch (kind) {
    case WORKER_PACKET:
        *packet = accept_packet(link, state, (wp_block *)(void *)bytes, size);
        return *packet != NULL ? DELIVER : PyErr_Occurred() ? FAIL : DAMAGED;
    case WORKER_FIELD: {
        const int status = learn_field(link, state, bytes, size);
        result = status == 0 ? GO_ON : status < 0 ? FAIL : DAMAGED;
        break;
    }
    case WORKER_ORIGIN:
        result = origin_learn(link->origin, bytes, size) ? GO_ON : DAMAGED;
        break;
    case WORKER_LOG:
        done = tell_worker(link, "log", bytes, size);
        result = done == NULL ? FAIL : GO_ON;
        break;
    case WORKER_END:
        result = FINISH;
        break;
    case WORKER_NEXT:
        result = NOTHING;
        break;
    case WORKER_REFUSED:
        if (size == sizeof(worker_refusal)) {
            raise_refusal(state, bytes);
            result = REFUSED;
        }
        break;
    case WORKER_ERROR:
        done = tell_worker(link, "raise_error", bytes, size);
        result = FAIL;
        break;
    default:
        break;
    }
    Py_XDECREF(done);
    free(bytes);
    return result;
}

PyObject *
worker_link_next(worker_link *link, module_state *state, bool *again, bool *refused)
{
    uint32_t kind, size;
    uint8_t *bytes;
    wp_error error;
    PyObject *packet = NULL;
    outcome what = GO_ON;
    *again = *refused = false;
    while (what == GO_ON) {
        wp_status status = link->damaged ? WP_ELIBRARY : lend_packet(link, state, &packet, &error);
        if (packet != NULL || PyErr_Occurred()) {
            break;
        }
        if (status == WP_EVALUE) {
            keep_lent(link);   /* a long message may need the room of theirs */
            status = wp_ring_read(&link->ring, &kind, &bytes, &size, &error);
        }
        if (status == WP_AGAIN) {
            *again = wait_for_more(link, state) == 0;
            return NULL;
        }
        if (status == WP_END) {
            *again = lose_worker(link, state, NULL) == 0;
            return NULL;
        }
        if (status == WP_EMEMORY) {
            return PyErr_NoMemory();
        }
        what = status == WP_OK ? take_message(link, state, kind, bytes, size, &packet) : DAMAGED;
    }
    link->busy = false;
    *refused = what == REFUSED;
    if (what == NOTHING) {
        *again = true;
    } else if (what == DAMAGED) {
        *again = lose_worker(link, state, "damage") == 0;
    }
    return packet;
}
