/* worker.c - the worker's side of a Dissector that lives in a process of its own: frames in, packets into the ring.
 * A worker process has one ring and one parent, so they are static here. All functions are private to
 * wishpy/_worker.py. */
#include "worker.h"

#include <errno.h>
#include <sys/socket.h>

#include "../engine/bare_block.h"
#include "../engine/foreign_field.h"
#include "../engine/library.h"
#include "../engine/registry.h"
#include "../engine/ring.h"
#include "../engine/settings.h"
#include "../engine/worker_guard.h"

static wp_ring ring;

static PyObject *
none_or_raise(PyObject *module, wp_status status, const wp_error *error)
{
    if (status != WP_OK) {
        return raise_status(state_of(module), status, error, NULL);
    }
    Py_RETURN_NONE;
}

/* ---- start and bounds ---- */

static PyObject *
worker_start(PyObject *module, PyObject *args)
{
    int socket, parent, memory, readable, writable;
    wp_error error;
    if (!PyArg_ParseTuple(args, "iiiii:_worker_start", &socket, &parent, &memory, &readable, &writable)) {
        return NULL;
    }
    epan_lock();
    wp_settings_let_last_locked();
    wp_epan_unlock();
    wp_library_note_privileges();
    wp_status status = wp_guard_start(socket, (pid_t)parent, &error);
    if (status == WP_OK) {
        status = wp_ring_open(&ring, memory, readable, writable, socket, &error);
    }
    return none_or_raise(module, status, &error);
}

static PyObject *
worker_become(PyObject *module, PyObject *args)
{
    unsigned user, group;
    wp_error error;
    if (!PyArg_ParseTuple(args, "II:_worker_become", &user, &group)) {
        return NULL;
    }
    return none_or_raise(module, wp_guard_become(user, group, &error), &error);
}

/* Does it keep keys that another job must not have? */
static PyObject *
worker_is_spent(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    epan_lock();
    const bool spent = wp_settings_did_last_locked();
    wp_epan_unlock();
    return PyBool_FromLong(spent);
}

/* Of a profile: the file that is opened while packets are dissected. */
static PyObject *
worker_ethers(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    epan_lock();
    char *path = wp_profile_ethers_locked();
    wp_epan_unlock();
    PyObject *result = PyUnicode_DecodeFSDefault(path);
    g_free(path);
    return result;
}

static PyObject *
worker_drop_reading(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    wp_guard_drop_reading();
    Py_RETURN_NONE;
}

static PyObject *
worker_no_network(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    wp_error error;
    return none_or_raise(module, wp_guard_no_network(&error), &error);
}

static PyObject *
worker_memory(PyObject *module, PyObject *limit)
{
    wp_error error;
    const unsigned long long bytes = PyLong_AsUnsignedLongLong(limit);
    if (PyErr_Occurred()) {
        return NULL;
    }
    return none_or_raise(module, wp_guard_memory(bytes, &ring.shared->memory, &error), &error);
}

/* ---- messages ---- */

static PyObject *
worker_write(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned kind;
    Py_buffer bytes;
    if (!PyArg_ParseTuple(args, "Iy*:_worker_write", &kind, &bytes)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    wp_ring_write(&ring, kind, bytes.buf, (uint32_t)bytes.len);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&bytes);
    Py_RETURN_NONE;
}

typedef struct {
    wp_session *session;      /* borrowed */
    uint8_t *sent;            /* owned: bit set of the fields that were described */
    uint32_t origin_sent;     /* items of the session's origin */
    uint32_t *left_out;       /* owned, in rising order */
    const char **reasons;     /* owned; each is borrowed from the caller's list */
    size_t left_out_count;
    uint32_t after;           /* frames up to this one were delivered by an earlier worker */
    uint64_t limit, returned;
    int hand;                 /* borrowed: the socket that frames are handed over on; -1: the session has a source */
    uint8_t *frame;           /* owned: the frame's name and bytes */
} service;

static wp_status
describe_fields(service *s, const wp_node *nodes, uint32_t count, wp_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t id = nodes[i].field;
        if (s->sent[id / 8] & 1u << id % 8) {
            continue;
        }
        uint32_t size = 0;
        uint8_t *description = wp_field_describe(wp_field_by_id(id), &size);
        if (description == NULL) {
            return wp_fail(error, WP_EMEMORY, "out of memory");
        }
        wp_status status = wp_ring_write(&ring, WORKER_FIELD, description, size);
        free(description);
        if (status != WP_OK) {
            return status;
        }
        s->sent[id / 8] |= (uint8_t)(1u << id % 8);
    }
    return WP_OK;
}

static wp_status
send_origin(service *s)
{
    wp_origin *origin = wp_session_origin(s->session);
    wp_status status = WP_OK;
    for (const uint32_t end = wp_origin_count(origin); s->origin_sent < end && status == WP_OK; s->origin_sent++) {
        const wp_origin_item *item = wp_origin_item_at(origin, s->origin_sent);
        status = wp_ring_write(&ring, WORKER_ORIGIN, item, (uint32_t)sizeof *item + item->size);
    }
    return status;
}

static const char *
reason_of(const service *s, uint32_t frame)
{
    size_t i = 0;
    while (s->left_out[i] != frame) {
        i++;
    }
    return s->reasons[i];
}

/* The frame in slot 0 was not dissected: its block has a line with the reason, and its bytes. */
static wp_status
send_bare(service *s, wp_slot *slot, wp_error *error)
{
    const wp_frame *frame = wp_slot_frame(slot);
    wp_epan_lock();
    const int64_t text = wp_registry_text_only_locked();
    wp_epan_unlock();
    wp_text extra = {0};
    wp_slot_extra(slot, &extra);
    wp_block *block = text < 0 || extra.failed ? NULL
                                               : wp_block_bare(frame, wp_slot_bytes(slot), reason_of(s, frame->number),
                                                               (uint32_t)text, &extra);
    wp_text_free(&extra);
    if (block == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    wp_status status = send_origin(s);
    if (status == WP_OK) {
        status = describe_fields(s, wp_block_nodes(block), block->node_count, error);
    }
    if (status == WP_OK) {
        status = wp_ring_write(&ring, WORKER_PACKET, block, block->size);
    }
    free(block);
    return status;
}

static wp_status
send_dissected_locked(service *s, wp_slot *slot, wp_error *error)
{
    wp_lent_block lent;
    wp_status status = wp_slot_lend_locked(slot, &lent, error);
    atomic_store(&ring.shared->watch.since, 0);   /* waiting for room is not the dissector's fault */
    if (status == WP_OK) {
        status = send_origin(s);
    }
    if (status == WP_OK) {
        status = describe_fields(s, lent.nodes, lent.head.node_count, error);
    }
    if (status == WP_OK) {
        const wp_part parts[] = {
            {&lent.head, sizeof lent.head},
            {lent.nodes, lent.head.node_count * (uint32_t)sizeof *lent.nodes},
            {lent.heap, lent.heap_size},
        };
        status = wp_ring_write_parts(&ring, WORKER_PACKET, parts, sizeof parts / sizeof *parts);
    }
    wp_block_return_locked();
    return status;
}

/* The frame in slot 0. Nobody else in a worker needs the lock that is held while the ring is full. */
static wp_status
send_packet(service *s, wp_error *error)
{
    wp_slot *slot = wp_session_slot(s->session, 0);
    if (wp_slot_frame(slot)->left_out) {
        return send_bare(s, slot, error);
    }
    wp_epan_lock();
    wp_status status = send_dissected_locked(s, slot, error);
    wp_epan_unlock();
    return status;
}

/* Until there is something for Python to do. WP_END where the parent wants no more, too. */
static wp_status
work(service *s, wp_error *error)
{
    while (s->returned < s->limit && !wp_ring_stopped(&ring)) {
        if (wp_log_pending()) {
            return WP_AGAIN;
        }
        wp_status status = wp_session_next(s->session, 0, error);
        if (status == WP_OK) {
            s->returned++;
            if (wp_slot_frame(wp_session_slot(s->session, 0))->number > s->after) {
                status = send_packet(s, error);
            }
        }
        if (status != WP_OK && status != WP_AGAIN) {
            return status;
        }
    }
    return WP_END;
}

/* ---- frames that are handed over ---- */

static bool
receive_all(int socket, void *bytes, size_t size)
{
    char *to = bytes;
    while (size > 0) {
        const ssize_t got = recv(socket, to, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        to += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* WP_END where there is no more. *name is NULL, or in s->frame as the record's bytes are. */
static wp_status
receive_frame(service *s, wp_record *record, const char **name, wp_error *error)
{
    worker_frame head;
    if (!receive_all(s->hand, &head, sizeof head)) {
        return WP_END;
    }
    uint8_t *room = realloc(s->frame, (size_t)head.name_length + 1 + head.captured_length);
    if (room == NULL) {
        return wp_fail(error, WP_EMEMORY, "out of memory");
    }
    s->frame = room;
    room[head.name_length] = '\0';
    uint8_t *bytes = room + head.name_length + 1;
    if (!receive_all(s->hand, room, head.name_length) || !receive_all(s->hand, bytes, head.captured_length)) {
        return WP_END;
    }
    *name = head.name_length == 0 ? NULL : (const char *)room;
    *record = (wp_record){
        .data = bytes,
        .captured_length = head.captured_length,
        .length = head.length,
        .seconds = head.seconds,
        .nanoseconds = head.nanoseconds,
        .linktype = head.linktype,
        .interface_id = head.interface_id,
    };
    return WP_OK;
}

/* One frame and its answer. */
static wp_status
answer_frame(service *s, wp_error *error)
{
    wp_record record;
    const char *name = NULL;
    wp_status status = receive_frame(s, &record, &name, error);
    if (status != WP_OK) {
        return status;
    }
    status = wp_session_dissect(s->session, 0, &record, name, error);
    if (status == WP_OK) {
        return send_packet(s, error);
    }
    if (status == WP_AGAIN) {
        return wp_ring_write(&ring, WORKER_NEXT, NULL, 0);
    }
    const worker_refusal refusal = {.status = status, .error = *error};
    return wp_ring_write(&ring, WORKER_REFUSED, &refusal, sizeof refusal);
}

static wp_status
answer_frames(service *s, wp_error *error)
{
    wp_status status = WP_OK;
    while (status == WP_OK && !wp_ring_stopped(&ring)) {
        status = wp_log_pending() ? WP_AGAIN : answer_frame(s, error);
    }
    return status == WP_OK ? WP_END : status;
}

/* ---- serving ---- */

static int
get_left_out(service *s, PyObject *list)
{
    const Py_ssize_t count = PyList_GET_SIZE(list);
    s->left_out = calloc((size_t)count + 1, sizeof *s->left_out);
    s->reasons = calloc((size_t)count + 1, sizeof *s->reasons);
    s->sent = calloc(WP_FIELD_CHUNK * WP_FIELD_CHUNKS / 8, 1);
    if (s->left_out == NULL || s->reasons == NULL || s->sent == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "Is", &s->left_out[i], &s->reasons[i])) {
            return -1;
        }
    }
    s->left_out_count = (size_t)count;
    return 0;
}

/* (dissector, after, [(frame left out, why), ...], hand): all packets into the ring. Raises what ended it early. */
static PyObject *
worker_serve(PyObject *module, PyObject *args)
{
    PyObject *dissector, *left_out, *result = NULL;
    service s = {.limit = 0};
    wp_error error;
    wp_status status = WP_AGAIN;
    if (!PyArg_ParseTuple(args, "OIO!i:_worker_serve", &dissector, &s.after, &PyList_Type, &left_out, &s.hand)
        || (s.session = dissector_session(dissector, &s.limit)) == NULL || get_left_out(&s, left_out) < 0) {
        goto done;
    }
    wp_session_watch(s.session, &ring.shared->watch);
    wp_session_leave_out(s.session, s.left_out, s.left_out_count);
    while (status == WP_AGAIN) {
        Py_BEGIN_ALLOW_THREADS
        status = s.hand < 0 ? work(&s, &error) : answer_frames(&s, &error);
        Py_END_ALLOW_THREADS
        epan_drain_log(state_of(module));
    }
    wp_session_watch(s.session, NULL);
    wp_session_leave_out(s.session, NULL, 0);
    if (status == WP_END) {
        result = Py_NewRef(Py_None);
    } else {
        raise_status(state_of(module), status, &error, NULL);
    }

done:
    free(s.left_out);
    free(s.reasons);
    free(s.sent);
    free(s.frame);
    return result;
}

/* A Dissector that has no source and was not used: the next one to be opened gets its session. */
static PyObject *
worker_lay_by(PyObject *Py_UNUSED(module), PyObject *dissector)
{
    uint64_t limit;
    wp_session *session = dissector_session(dissector, &limit);
    if (session == NULL) {
        return NULL;
    }
    dissector_give_up_session(dissector);
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    wp_session_lay_by_locked(session);
    wp_epan_unlock();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Its settings are not those that are needed. */
static PyObject *
worker_drop_spare(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    wp_session_drop_spare_locked();
    wp_epan_unlock();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* The parent has made the ring's memory as new. */
static PyObject *
worker_restart(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    wp_ring_restart(&ring);
    Py_RETURN_NONE;
}

/* For the parent: the memory of a new ring. */
static PyObject *
ring_create(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    const int memory = wp_ring_create();
    return memory < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(memory);
}

PyMethodDef worker_methods[] = {
    {"_ring_create", ring_create, METH_NOARGS, NULL},
    {"_worker_start", worker_start, METH_VARARGS, NULL},
    {"_worker_become", worker_become, METH_VARARGS, NULL},
    {"_worker_is_spent", worker_is_spent, METH_NOARGS, NULL},
    {"_worker_ethers", worker_ethers, METH_NOARGS, NULL},
    {"_worker_drop_reading", worker_drop_reading, METH_NOARGS, NULL},
    {"_worker_no_network", worker_no_network, METH_NOARGS, NULL},
    {"_worker_memory", worker_memory, METH_O, NULL},
    {"_worker_restart", worker_restart, METH_NOARGS, NULL},
    {"_worker_write", worker_write, METH_VARARGS, NULL},
    {"_worker_lay_by", worker_lay_by, METH_O, NULL},
    {"_worker_drop_spare", worker_drop_spare, METH_NOARGS, NULL},
    {"_worker_serve", worker_serve, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
