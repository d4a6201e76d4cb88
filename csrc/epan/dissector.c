/* dissector.c - Dissector: an iterator of Packets over one capture, and a context manager.
 *
 * Locking. `gate` admits one thread at a time to the session; it is waited for without the GIL and never held while
 * Python code runs, so that a signal handler may call close(). The slots' Packets (live[]) are only touched with the
 * GIL held. */
#include "worker.h"

#include <unistd.h>

#include "../engine/library.h"
#include "../engine/registry.h"
#include "../engine/source_borrowed.h"
#include "registry_lists.h"
#include "settings_python.h"
#include "source_python.h"

struct Dissector {
    PyObject_HEAD
    wp_session *session;            /* owned; NULL in a worker, or once closed or at its end */
    worker_link *link;              /* owned; NULL in this process, or once closed or at its end */
    PyThread_type_lock gate;        /* owned */
    PyObject *source;               /* owned: as it was given; None for frames that are handed in */
    python_source items;            /* of a queue or an iterable */
    PyObject *origin;               /* owned: of the packets of this process's session; NULL in a worker */
    PyObject *lent;                 /* owned: the capsule of a Capturer's source, which the session reads */
    Packet *live[WP_SLOTS];         /* borrowed: whose tree is in the slot; NULL where nobody's is */
    unsigned next_slot;
    uint64_t limit;                 /* Packets to return; UINT64_MAX: all */
    uint64_t returned;
    bool two_pass;
    bool closed;                    /* by close(): then next() raises ValueError, not StopIteration */
    bool forked;                    /* the session stayed in the parent */
    bool keys_stay;                 /* it could not be opened here for that reason, see WP_EKEYS */
};

static Dissector *open_dissector;   /* borrowed: whose session has the place; for fork alone. With the GIL */

wp_slot *
dissector_slot(Dissector *self, unsigned slot)
{
    return wp_session_slot(self->session, slot);
}

void
dissector_release(Dissector *self, unsigned slot)
{
    self->live[slot] = NULL;
}

/* ---- the gate ---- */

static int
enter_gate(Dissector *self)
{
    while (!PyThread_acquire_lock(self->gate, NOWAIT_LOCK)) {
        PyLockStatus got;
        Py_BEGIN_ALLOW_THREADS
        got = PyThread_acquire_lock_timed(self->gate, 100000, 1);
        Py_END_ALLOW_THREADS
        if (got == PY_LOCK_ACQUIRED) {
            break;
        }
        if (PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
    return 0;
}

static void
leave_gate(Dissector *self)
{
    PyThread_release_lock(self->gate);
}

/* ---- the end ---- */

/* Packets that somebody still has stand on their own from now on; without memory they are lost, and say so. */
static void
keep_live(Dissector *self)
{
    for (unsigned i = 0; i < WP_SLOTS; i++) {
        Packet *packet = self->live[i];
        if (packet == NULL) {
            continue;
        }
        Py_INCREF(packet);   /* waiting for the lock lets other threads run */
        if (packet_keep(packet) < 0) {
            PyErr_Clear();
            packet_lose(packet);
        }
        Py_DECREF(packet);
    }
}

static bool
has_ended(const Dissector *self)
{
    return self->session == NULL && self->link == NULL;
}

/* Ends the session and leaves the place to the next Dissector. Gate held, or nobody else can be there. */
static void
end_session(Dissector *self)
{
    if (self->link != NULL) {
        worker_link *link = self->link;
        self->link = NULL;
        worker_link_close(link, false);
    }
    if (self->session == NULL) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    keep_live(self);
    wp_session *session = self->session;
    self->session = NULL;
    if (open_dissector == self) {
        open_dissector = NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    wp_session_free_locked(session);
    wp_epan_unlock();
    Py_END_ALLOW_THREADS
    Py_CLEAR(self->lent);   /* the Capturer can be read by others again */
    PyErr_Restore(type, value, traceback);
}

void
dissector_after_fork(void)
{
    Dissector *self = open_dissector;
    if (self == NULL) {
        return;
    }
    keep_live(self);
    wp_session *session = self->session;
    self->session = NULL;
    self->forked = true;
    open_dissector = NULL;
    wp_epan_lock();
    wp_session_free_locked(session);
    wp_epan_unlock();
}

PyDoc_STRVAR(Dissector_close__doc__,
"close($self, /)\n--\n\n"
"End the dissection and let the next Dissector begin. May be called again, from any thread and from a signal\n"
"handler. Packets that were returned stay valid.");

static PyObject *
Dissector_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Dissector *self = (Dissector *)op;
    self->closed = true;
    if (has_ended(self)) {
        Py_RETURN_NONE;
    }
    if (self->link != NULL) {
        worker_link_wake(self->link);
    } else {
        wp_session_wake(self->session);
    }
    if (enter_gate(self) < 0) {
        return NULL;
    }
    end_session(self);
    leave_gate(self);
    epan_drain_log(state_of_type(Py_TYPE(op)));
    Py_RETURN_NONE;
}

wp_session *
dissector_session(PyObject *op, uint64_t *limit)
{
    Dissector *self = (Dissector *)op;
    if (!PyObject_TypeCheck(op, &PyBaseObject_Type) || self->session == NULL) {
        PyErr_SetString(PyExc_ValueError, "not an open Dissector of this process");
        return NULL;
    }
    *limit = self->limit;
    return self->session;
}

void
dissector_give_up_session(PyObject *op)
{
    Dissector *self = (Dissector *)op;
    self->session = NULL;
    open_dissector = NULL;
}

/* ---- next ---- */

/* What keeps next() from going on: 0 nothing, 1 the end (no exception), -1 an exception. */
static int
is_over(Dissector *self)
{
    module_state *state = state_of_type(Py_TYPE(self));
    if (self->forked || (self->link != NULL && !worker_link_is_ours(self->link))) {
        wp_error error;
        wp_fail(&error, WP_EBUSY, "this Dissector was opened before a fork, and works in the parent process only: "
                "open a new one here");
        raise_status(state, WP_EBUSY, &error, NULL);
        return -1;
    }
    if (self->closed) {
        PyErr_SetString(PyExc_ValueError, "the Dissector is closed");
        return -1;
    }
    if (has_ended(self)) {
        return 1;
    }
    if (self->returned >= self->limit) {
        end_session(self);
        return 1;
    }
    return 0;
}

/* The slot is about to be used again: a Packet that is still there is cut loose. */
static int
vacate(Dissector *self, unsigned slot)
{
    Packet *packet = self->live[slot];
    if (packet == NULL) {
        return 0;
    }
    Py_INCREF(packet);
    const int result = packet_keep(packet);
    Py_DECREF(packet);
    return result;
}

static int
vacate_for_next(Dissector *self)
{
    for (unsigned i = 0; i < WP_SLOTS; i++) {
        if ((i == self->next_slot || wp_session_is_eager(self->session)) && vacate(self, i) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
new_packet(Dissector *self)
{
    const unsigned slot = self->next_slot;
    PyObject *packet = packet_new_live(state_of_type(Py_TYPE(self)), self, slot,
                                       wp_slot_frame(dissector_slot(self, slot)), self->origin);
    if (packet != NULL) {
        self->live[slot] = (Packet *)packet;
        self->next_slot = (slot + 1) % WP_SLOTS;
        self->returned++;
    }
    return packet;
}

/* The next frame of a Capturer goes to the worker: 1; 0 at the end; -1 raised or, with *again, not there yet. */
static int
hand_captured(Dissector *self, bool *again)
{
    wp_source *source = PyCapsule_GetPointer(self->lent, WP_SOURCE_CAPSULE);
    wp_record record = {0};
    wp_error error;
    wp_status status;
    if (source == NULL) {
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    status = source->vtable->next(source, &record, &error);
    Py_END_ALLOW_THREADS
    *again = status == WP_AGAIN;
    if (status == WP_OK) {
        worker_link_hand(self->link, &record, NULL);
        return 1;
    }
    if (status != WP_AGAIN && status != WP_END) {
        raise_status(state_of_type(Py_TYPE(self)), status, &error, self->source);
    }
    return status == WP_END ? 0 : -1;
}

/* One try, with a worker. */
static PyObject *
try_next_in_worker(Dissector *self, const wp_record *record, bool *again)
{
    PyObject *packet = NULL;
    bool refused;
    int handed = 1;
    if (record != NULL) {
        worker_link_hand(self->link, record, NULL);
    } else if (self->lent != NULL && !worker_link_is_busy(self->link)) {
        handed = hand_captured(self, again);
    }
    if (handed > 0) {
        packet = worker_link_next(self->link, state_of_type(Py_TYPE(self)), again, &refused);
    }
    if (packet != NULL) {
        self->returned++;
    } else if (!*again) {
        end_session(self);
    }
    return packet;
}

/* One try, with the record that was fetched or, where it is NULL, from the session's own source. Gate held. A Packet;
 * or NULL with an exception, at the end without; or NULL with *again. */
static PyObject *
try_next(Dissector *self, const wp_record *record, bool *again)
{
    wp_error error;
    wp_status status;
    *again = false;
    if (is_over(self) != 0) {
        return NULL;
    }
    if (self->link != NULL) {
        return try_next_in_worker(self, record, again);
    }
    if (vacate_for_next(self) < 0) {
        return NULL;
    }
    wp_session *session = self->session;
    const unsigned slot = self->next_slot;
    Py_BEGIN_ALLOW_THREADS
    status = record != NULL ? wp_session_dissect(session, slot, record, NULL, &error)
                            : wp_session_next(session, slot, &error);
    Py_END_ALLOW_THREADS
    if (status == WP_OK) {
        return new_packet(self);
    }
    if (status == WP_AGAIN) {
        *again = true;
        return NULL;
    }
    if (status != WP_END) {
        raise_status(state_of_type(Py_TYPE(self)), status, &error, self->source);
    }
    end_session(self);
    return NULL;
}

static bool
has_items(const Dissector *self)
{
    return self->items.get != NULL || self->items.iterator != NULL;
}

/* What comes next from a queue or an iterable, waited for outside the gate: 1, 0 at the end, -1 raised. */
static int
fetch(Dissector *self, python_record *next)
{
    if (enter_gate(self) < 0) {
        return -1;
    }
    int result = is_over(self) == 0 ? 1 : PyErr_Occurred() ? -1 : 0;   /* after the last one nothing is waited for */
    leave_gate(self);
    if (result == 1) {
        result = python_source_next(&self->items, next);
    }
    if (result != 0 || enter_gate(self) < 0) {
        return result;
    }
    end_session(self);
    leave_gate(self);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
Dissector_next(PyObject *op)
{
    Dissector *self = (Dissector *)op;
    module_state *state = state_of_type(Py_TYPE(op));
    PyObject *packet = NULL;
    bool again = false;
    if (self->source == Py_None) {
        PyErr_SetString(PyExc_ValueError, "this Dissector has no source to iterate over: hand it frames with dissect()");
        return NULL;
    }
    do {
        python_record next = {0};
        const bool busy = self->link != NULL && worker_link_is_busy(self->link);
        const bool fetched = has_items(self) && !busy;
        if (PyErr_CheckSignals() < 0 || (fetched && fetch(self, &next) <= 0)) {
            return NULL;
        }
        if (enter_gate(self) == 0) {
            packet = try_next(self, fetched ? &next.record : NULL, &again);
            leave_gate(self);
        } else {
            again = false;
        }
        python_record_release(&next);
        epan_drain_log(state);
    } while (again);
    return packet;
}

/* ---- one frame ---- */

static void
raise_unknown_dissector(PyObject *name)
{
    PyObject *names = registry_names(WP_NAME_DISSECTOR);
    if (names != NULL) {
        raise_unknown_name(PyExc_ValueError, "no dissector is called", name, names);
    }
    Py_XDECREF(names);
}

/* The same, with a worker. Signals are looked at: a dissector may loop. */
static PyObject *
dissect_in_worker(Dissector *self, const wp_record *record, const char *name, PyObject *dissector)
{
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *packet = NULL;
    bool again = true, refused = false;
    if (is_over(self) < 0) {
        return NULL;
    }
    if (!worker_link_takes_frames(self->link)) {
        PyErr_SetString(PyExc_ValueError, "a worker that reads a source takes no other frames: open another Dissector()");
        return NULL;
    }
    worker_link_hand(self->link, record, name);
    while (packet == NULL && again && worker_link_is_busy(self->link)) {
        packet = worker_link_next(self->link, state, &again, &refused);
        if (packet == NULL && again && PyErr_CheckSignals() < 0) {
            end_session(self);   /* its answer could not be told from the next one's */
            return NULL;
        }
    }
    if (packet != NULL) {
        return packet;
    }
    if (!PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    if (!refused) {
        end_session(self);
    } else if (PyErr_ExceptionMatches(state->errors.classes[WP_EFIELD])) {
        PyErr_Clear();
        raise_unknown_dissector(dissector);
    }
    return NULL;
}

/* Gate held. A Packet, None where a filter leaves the frame out, or NULL with an exception. */
static PyObject *
dissect_given(Dissector *self, const wp_record *record, PyObject *dissector)
{
    const char *name = dissector == Py_None ? NULL : PyUnicode_AsUTF8(dissector);
    wp_error error;
    wp_status status;
    if (self->link != NULL) {
        return dissect_in_worker(self, record, name, dissector);
    }
    if (self->session == NULL) {
        if (is_over(self) >= 0) {
            PyErr_SetString(PyExc_ValueError, "the Dissector is at its end");
        }
        return NULL;
    }
    if (self->closed || vacate_for_next(self) < 0) {
        return self->closed ? PyErr_Format(PyExc_ValueError, "the Dissector is closed") : NULL;
    }
    wp_session *session = self->session;
    const unsigned slot = self->next_slot;
    Py_BEGIN_ALLOW_THREADS
    status = wp_session_dissect(session, slot, record, name, &error);
    Py_END_ALLOW_THREADS
    if (status == WP_OK) {
        return new_packet(self);
    }
    if (status == WP_AGAIN) {
        Py_RETURN_NONE;
    }
    if (status == WP_EFIELD) {
        raise_unknown_dissector(dissector);
    } else {
        raise_status(state_of_type(Py_TYPE(self)), status, &error, NULL);
    }
    return NULL;
}

PyDoc_STRVAR(Dissector_dissect__doc__,
"dissect($self, data, /, *, time=None, time_ns=None, length=None, linktype='EN10MB', dissector=None)\n--\n\n"
"Dissect one frame now and return its Packet; None where the display filter does not match it.\n\n"
"data       the frame: bytes, or anything like them\n"
"time       when it was captured: an aware datetime, or seconds since the epoch; None leaves it unknown\n"
"time_ns    the same as an int of nanoseconds\n"
"length     its bytes on the wire, where data was cut short\n"
"linktype   what it starts with: libpcap's name or number\n"
"dissector  start at this dissector instead ('sip', 'nas-5gs'): then data is a payload\n\n"
"Frames count on from those before, and what they say is remembered: TCP streams are reassembled.");

static PyObject *
Dissector_dissect(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "time", "time_ns", "length", "linktype", "dissector", NULL};
    Dissector *self = (Dissector *)op;
    PyObject *data, *time = Py_None, *time_ns = Py_None, *length = Py_None, *given = Py_None, *dissector = Py_None;
    PyObject *packet = NULL;
    python_record frame = {0};
    int linktype = 1;   /* EN10MB */
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOO:dissect", names, &data, &time, &time_ns, &length, &given,
                                     &dissector)
        || linktype_from_python(given, &linktype) < 0) {
        return NULL;
    }
    if (dissector != Py_None && (!PyUnicode_Check(dissector) || given != Py_None)) {
        PyErr_SetString(PyUnicode_Check(dissector) ? PyExc_ValueError : PyExc_TypeError,
                        PyUnicode_Check(dissector) ? "give linktype or dissector, not both" : "dissector must be str or None");
        return NULL;
    }
    if (self->two_pass) {
        PyErr_SetString(PyExc_ValueError, "with two_pass all frames come from the file");
        return NULL;
    }
    if (python_record_from_bytes(&frame, data, linktype) == 0
        && python_record_set_facts(&frame.record, time, time_ns, length) == 0 && enter_gate(self) == 0) {
        packet = dissect_given(self, &frame.record, dissector);
        leave_gate(self);
    }
    python_record_release(&frame);
    epan_drain_log(state_of_type(Py_TYPE(op)));
    return packet;
}

/* ---- opening ---- */

typedef struct {
    PyObject *source, *fields, *name_resolution;   /* borrowed */
    PyObject *display_filter, *read_filter;        /* borrowed: str or None */
    PyObject *count, *reset_after;                 /* borrowed: int or None */
    PyObject *linktype;                            /* borrowed: str, int or None */
    settings_keywords settings;                    /* borrowed */
    int two_pass;
    long long skip;
} open_arguments;

static int
filter_text(PyObject *filter, const char *name, const char **text)
{
    *text = NULL;
    if (filter == Py_None) {
        return 0;
    }
    if (!PyUnicode_Check(filter)) {
        PyErr_Format(PyExc_TypeError, "%s must be str or None, not %.100s", name, Py_TYPE(filter)->tp_name);
        return -1;
    }
    Py_ssize_t length;
    *text = PyUnicode_AsUTF8AndSize(filter, &length);
    if (*text != NULL && strlen(*text) != (size_t)length) {
        PyErr_Format(PyExc_ValueError, "%s has a NUL character in it", name);
        return -1;
    }
    return *text == NULL ? -1 : 0;
}

static const struct {
    const char *name;
    wp_resolution bits;
} resolutions[] = {
    {"mac", WP_RESOLVE_MAC},
    {"network", WP_RESOLVE_NETWORK | WP_RESOLVE_PACKETS},
    {"transport", WP_RESOLVE_TRANSPORT},
    {"vlan", WP_RESOLVE_VLAN},
    {"maxmind", WP_RESOLVE_MAXMIND},
    {"dns", WP_RESOLVE_NETWORK | WP_RESOLVE_PACKETS | WP_RESOLVE_EXTERNAL},
};

static int
one_resolution(PyObject *item, wp_resolution *bits)
{
    if (!PyUnicode_Check(item)) {
        PyErr_Format(PyExc_TypeError, "name_resolution holds str, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    for (size_t i = 0; i < sizeof resolutions / sizeof *resolutions; i++) {
        if (PyUnicode_CompareWithASCIIString(item, resolutions[i].name) == 0) {
            *bits |= resolutions[i].bits;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "name_resolution: %R is not one of 'mac', 'network', 'transport', 'vlan', 'maxmind', 'dns'", item);
    return -1;
}

static int
get_resolution(PyObject *given, wp_resolution *bits)
{
    if (given == NULL) {
        *bits = WP_RESOLVE_MAC | WP_RESOLVE_PACKETS | WP_RESOLVE_EXTERNAL;   /* Wireshark's default */
        return 0;
    }
    if (PyUnicode_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "name_resolution must be an iterable of names, not one str: write (name,)");
        return -1;
    }
    PyObject *list = PySequence_List(given);
    int result = list == NULL ? -1 : 0;
    *bits = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(list); i++) {
        result = one_resolution(PyList_GET_ITEM(list, i), bits);
    }
    Py_XDECREF(list);
    return result;
}

/* An int of at least `least`, or None, which leaves *number as it is. */
static int
get_number(PyObject *given, const char *name, long long least, uint64_t *number)
{
    if (given == Py_None) {
        return 0;
    }
    const long long value = PyLong_AsLongLong(given);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value < least) {
        PyErr_Format(PyExc_ValueError, least == 0 ? "%s must not be negative" : "%s must be 1 or more", name);
        return -1;
    }
    *number = (uint64_t)value;
    return 0;
}

static int
check_arguments(const open_arguments *given)
{
    if (given->skip < 0) {
        PyErr_SetString(PyExc_ValueError, "skip must not be negative");
        return -1;
    }
    if (given->read_filter != Py_None && !given->two_pass) {
        PyErr_SetString(PyExc_ValueError, "read_filter is the filter of the first of two passes: it needs two_pass=True");
        return -1;
    }
    if (given->two_pass && given->reset_after != Py_None) {
        PyErr_SetString(PyExc_ValueError, "reset_after forgets what two_pass is for: give one of them");
        return -1;
    }
    return 0;
}

static int
get_options(module_state *state, const open_arguments *given, wp_session_options *options, uint32_t **ids)
{
    size_t count = 0;
    *options = (wp_session_options){
        .two_pass = given->two_pass != 0,
        .columns = true,
        .tree = given->fields == Py_None,
        .skip = (uint64_t)given->skip,
    };
    if (check_arguments(given) < 0
        || filter_text(given->display_filter, "display_filter", &options->display_filter) < 0
        || filter_text(given->read_filter, "read_filter", &options->read_filter) < 0
        || get_number(given->reset_after, "reset_after", 1, &options->reset_after) < 0
        || get_resolution(given->name_resolution, &options->resolution) < 0) {
        return -1;
    }
    if (given->fields != Py_None && field_names_expand(state, given->fields, ids, &count) < 0) {
        return -1;
    }
    options->fields = *ids;
    options->field_count = (uint32_t)count;
    return 0;
}

/* Characters in the first `bytes` bytes of UTF-8. */
static int64_t
characters_in(const char *text, int64_t bytes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < bytes && text[i] != '\0'; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

void
raise_filter(module_state *state, PyObject *filter, const wp_error *error)
{
    const char *text = PyUnicode_AsUTF8(filter);
    if (text == NULL) {
        return;
    }
    wp_error shown = *error;
    if (shown.position < 0 && strncmp(error->message, "Unexpected end", 14) == 0) {
        shown.position = (int64_t)strlen(text);   /* Wireshark knows no place for what is not there */
    }
    if (shown.position >= 0) {   /* from bytes to characters, for people and for Python's indexing */
        const int64_t end = characters_in(text, shown.position + shown.span);
        shown.position = characters_in(text, shown.position);
        shown.span = end - shown.position;
    }
    int used = snprintf(shown.message, sizeof shown.message, "%.400s\n  %.250s", error->message, text);
    if (shown.position >= 0 && shown.position < 250 && used > 0 && used < 700) {
        const int span = shown.span < 1 ? 1 : shown.span > 250 ? 250 : (int)shown.span;
        char carets[256];
        memset(carets, '~', sizeof carets);
        carets[0] = '^';
        snprintf(shown.message + used, sizeof shown.message - (size_t)used, "\n  %*s%.*s", (int)shown.position, "",
                 span, carets);
    }
    raise_status(state, WP_EFILTER, &shown, filter);
}

static void
raise_filter_error(module_state *state, const open_arguments *given, const wp_error *error)
{
    raise_filter(state, error->frame == 0 ? given->display_filter : given->read_filter, error);
}

/* ---- the source ---- */

/* A Capturer's own source, lent to the session. */
static int
borrow_source(Dissector *self, PyObject *source, wp_source **borrowed)
{
    self->lent = PyObject_CallMethod(source, "_source_capsule", NULL);
    wp_source *inner = self->lent == NULL ? NULL : PyCapsule_GetPointer(self->lent, WP_SOURCE_CAPSULE);
    if (inner == NULL) {
        return -1;
    }
    *borrowed = wp_source_borrow(inner);
    if (*borrowed == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Text of an attribute, where it is text: a new reference, or NULL. */
static PyObject *
text_attribute(PyObject *object, const char *name)
{
    PyObject *value = get_attribute(object, name);
    if (value == NULL || !PyUnicode_Check(value)) {
        PyErr_Clear();
        Py_CLEAR(value);
    }
    return value;
}

/* What a Capturer knows of its interface goes to its packets' origin. That much is left out where it can't be had. */
static void
describe_interface(PyObject *capturer, PyObject *origin)
{
    PyObject *name = text_attribute(capturer, "interface");
    PyObject *filter = text_attribute(capturer, "capture_filter");
    PyObject *linktype = get_attribute(capturer, "linktype");
    PyObject *snaplen = get_attribute(capturer, "snaplen");
    const char *interface = name == NULL ? NULL : PyUnicode_AsUTF8(name);
    const long number = linktype == NULL ? -1 : PyLong_AsLong(linktype);
    const long long limit = snaplen == NULL ? 0 : PyLong_AsLongLong(snaplen);
    PyErr_Clear();
    wp_text bytes = {0};
    if (interface != NULL && number >= 0) {
        wp_interface_append(&bytes, wp_registry_encapsulation((int)number), 9,
                            limit < 0 || limit > UINT32_MAX ? 0 : (uint32_t)limit, interface,
                            filter == NULL ? NULL : PyUnicode_AsUTF8(filter));
        if (!bytes.failed) {
            wp_origin_add(origin_of(origin), WP_ORIGIN_INTERFACE, bytes.data, bytes.used);
        }
    }
    PyErr_Clear();
    wp_text_free(&bytes);
    Py_XDECREF(name);
    Py_XDECREF(filter);
    Py_XDECREF(linktype);
    Py_XDECREF(snaplen);
}

/* One of: *path, a new bytes object; *borrowed; self->items; or none of them for source None. Raises: -1. */
static int
find_source(Dissector *self, const open_arguments *given, PyObject **path, wp_source **borrowed)
{
    PyObject *source = given->source;
    int is_items = 0;
    self->items.linktype = -1;
    if (PyUnicode_Check(source) || PyBytes_Check(source) || has_attribute(source, "__fspath__")) {
        if (!PyUnicode_FSConverter(source, path)) {
            return -1;
        }
    } else if (has_attribute(source, "_source_capsule")) {
        if (borrow_source(self, source, borrowed) < 0) {
            return -1;
        }
    } else if (source != Py_None && (is_items = python_source_open(&self->items, source)) <= 0) {
        if (is_items == 0) {
            PyErr_Format(PyExc_TypeError, "Dissector reads a path, a Capturer, a queue or an iterable, not %.100s",
                         Py_TYPE(source)->tp_name);
        }
        return -1;
    }
    if (given->linktype != Py_None && !is_items) {
        PyErr_SetString(PyExc_ValueError, "linktype is for plain bytes out of a queue or an iterable");
        return -1;
    }
    if (given->two_pass && *path == NULL) {
        PyErr_SetString(PyExc_ValueError, "two_pass needs a capture file, which can be read twice");
        return -1;
    }
    return linktype_from_python(given->linktype, &self->items.linktype);
}

/* Takes over `source`. No GIL. */
static wp_status
open_engine(Dissector *self, const wp_session_options *options, const char *path, wp_source *source, wp_error *error)
{
    wp_source_file *file = NULL;
    wp_status status = WP_OK;
    if (path != NULL && (status = wp_source_file_open(path, options->two_pass, &file, error)) == WP_OK) {
        source = wp_source_file_as_source(file);
    }
    return status == WP_OK ? wp_session_open(options, source, file, &self->session, error) : status;
}

static void
raise_open_error(module_state *state, const open_arguments *given, const python_settings *settings, wp_status status,
                 wp_error *error, PyObject *source)
{
    if (status == WP_EFILTER) {
        raise_filter_error(state, given, error);
    } else if ((status == WP_EPREFERENCE || status == WP_EVALUE) && error->position >= 0) {
        python_settings_raise(state, settings, status, error);
    } else {
        raise_status(state, status, error, source);
    }
}

/* Takes over `source`, also on failure. */
static int
open_session(Dissector *self, const open_arguments *given, PyObject *path, wp_source *source)
{
    module_state *state = state_of_type(Py_TYPE(self));
    wp_session_options options;
    python_settings settings = {0};
    uint32_t *ids = NULL;
    wp_error error;
    int result = -1;
    if (python_settings_read(state, &settings, &given->settings) < 0 || get_options(state, given, &options, &ids) < 0) {
        if (source != NULL) {
            source->vtable->free(source);
        }
        goto done;
    }
    options.settings = settings.list;
    options.setting_count = settings.count;
    options.preferred_resolution = settings.resolution && given->name_resolution == NULL;
    const char *name = path == NULL ? NULL : PyBytes_AS_STRING(path);
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = open_engine(self, &options, name, source, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        raise_open_error(state, given, &settings, status, &error, given->source);
        self->keys_stay = status == WP_EKEYS;
    }
    if (self->session != NULL) {
        open_dissector = self;
        self->origin = origin_new(state, wp_session_origin(self->session));
    }
    if (self->origin != NULL && self->lent != NULL) {
        describe_interface(given->source, self->origin);
    }
    result = self->origin != NULL ? 0 : -1;
    if (settings.fields) {
        field_names_forget(state);
    }

done:
    python_settings_release(&settings);
    free(ids);
    return result;
}

static int
fill(Dissector *self, const open_arguments *given)
{
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *path = NULL;
    wp_source *borrowed = NULL;
    int result = -1;
    Py_INCREF(given->source);
    self->source = given->source;
    self->two_pass = given->two_pass != 0;
    self->limit = UINT64_MAX;
    self->gate = PyThread_allocate_lock();
    if (self->gate == NULL) {
        PyErr_NoMemory();
    } else if (get_number(given->count, "count", 0, &self->limit) == 0 && epan_start(state) == 0
               && find_source(self, given, &path, &borrowed) == 0) {
        result = open_session(self, given, path, borrowed);
        borrowed = NULL;
    }
    if (borrowed != NULL) {
        borrowed->vtable->free(borrowed);
    }
    Py_XDECREF(path);
    return result;
}

/* `format` holds the caller's name for messages. */
static int
parse_arguments(PyObject *args, PyObject *kwargs, const char *format, open_arguments *given)
{
    static char *names[] = {"source", "display_filter", "fields", "two_pass", "read_filter", "skip", "count",
                            "name_resolution", "linktype", "reset_after", "preferences", "decode_as", "tls_keylog",
                            "enable", "disable", "profile", "columns", NULL};
    *given = (open_arguments){
        .source = Py_None, .fields = Py_None, .display_filter = Py_None, .read_filter = Py_None, .count = Py_None,
        .linktype = Py_None, .reset_after = Py_None, .settings = NO_SETTINGS,
    };
    return PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &given->source, &given->display_filter,
                                       &given->fields, &given->two_pass, &given->read_filter, &given->skip,
                                       &given->count, &given->name_resolution, &given->linktype, &given->reset_after,
                                       &given->settings.preferences, &given->settings.decode_as,
                                       &given->settings.tls_keylog, &given->settings.enable, &given->settings.disable,
                                       &given->settings.profile, &given->settings.columns)
               ? 0
               : -1;
}

static int
parse_table_keywords(PyObject *keywords, open_arguments *given)
{
    PyObject *empty = PyTuple_New(0);
    int result = empty == NULL ? -1 : parse_arguments(empty, keywords, "|O$OOpOLOOOOOOOOOOO:scan", given);
    Py_XDECREF(empty);
    if (result == 0 && given->settings.columns != Py_None) {
        PyErr_SetString(PyExc_TypeError, "a table has its own columns: name fields instead");
        result = -1;
    }
    if (result == 0 && (given->source != Py_None || given->fields != Py_None || given->linktype != Py_None)) {
        PyErr_SetString(PyExc_TypeError, "a table is made from files: it takes no linktype, and source and fields are "
                        "its first two arguments");
        result = -1;
    }
    return result;
}

int
dissector_table_options(module_state *state, PyObject *keywords, python_settings *settings,
                        wp_session_options *options, uint64_t *limit)
{
    open_arguments given;
    uint32_t *none = NULL;
    *limit = UINT64_MAX;
    if (parse_table_keywords(keywords, &given) < 0 || get_number(given.count, "count", 0, limit) < 0
        || python_settings_read(state, settings, &given.settings) < 0
        || get_options(state, &given, options, &none) < 0) {
        return -1;
    }
    options->settings = settings->list;
    options->setting_count = settings->count;
    options->preferred_resolution = settings->resolution && given.name_resolution == NULL;
    return 0;
}

void
dissector_raise_table(module_state *state, PyObject *keywords, wp_status status, wp_error *error, PyObject *path)
{
    open_arguments given;
    python_settings settings = {0};
    if (parse_table_keywords(keywords, &given) == 0
        && python_settings_read(state, &settings, &given.settings) == 0) {
        raise_open_error(state, &given, &settings, status, error, path);
    }
    python_settings_release(&settings);
}

/* Opens in this process. */
static int
open_here(Dissector *self, PyObject *args, PyObject *kwargs)
{
    open_arguments given;
    if (parse_arguments(args, kwargs, "|O$OOpOLOOOOOOOOOOO:Dissector", &given) < 0) {
        return -1;
    }
    return fill(self, &given);
}

/* What a worker cannot read itself is read here and handed over: self->items or self->lent. */
static int
find_source_for_worker(Dissector *self, PyObject *kwargs)
{
    open_arguments given = {.source = self->source, .linktype = Py_None, .count = Py_None};
    PyObject *linktype, *count, *path = NULL;
    wp_source *borrowed = NULL;
    self->limit = UINT64_MAX;
    if (keyword_find(kwargs, "linktype", &linktype) < 0 || keyword_find(kwargs, "count", &count) < 0) {
        return -1;
    }
    given.linktype = linktype == NULL ? Py_None : linktype;
    given.count = count == NULL ? Py_None : count;
    const int result = get_number(given.count, "count", 0, &self->limit) < 0
                           ? -1
                           : find_source(self, &given, &path, &borrowed);
    if (borrowed != NULL) {
        borrowed->vtable->free(borrowed);   /* a shell: self->lent leads to the source itself */
    }
    Py_XDECREF(path);
    return result;
}

/* Starts libwireshark here while the worker starts: its packets are read with what is known here. */
static int
open_in_worker(Dissector *self, PyObject *args, PyObject *kwargs, const isolation *where)
{
    self->link = worker_link_start(state_of_type(Py_TYPE(self)), args, kwargs, where, &self->source);
    if (self->link == NULL || find_source_for_worker(self, kwargs) < 0) {
        return -1;
    }
    if (self->lent != NULL) {
        describe_interface(self->source, worker_link_origin(self->link));
    }
    self->gate = PyThread_allocate_lock();
    if (self->gate == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyObject *
Dissector_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    isolation where;
    PyObject *rest = isolation_parse(state_of_type(type), kwargs, &where);   /* the keywords that are left */
    if (rest == NULL) {
        return NULL;
    }
    const bool take_place = !where.worker && (where.here || open_dissector == NULL);
    Dissector *self = (Dissector *)type->tp_alloc(type, 0);
    int status = self == NULL ? -1 : take_place ? open_here(self, args, rest) : 0;
    if (status < 0 && self != NULL && isolation_may_move(&where, state_of_type(type))) {
        PyErr_Clear();   /* the place was taken meanwhile, by another thread; or there are keys that would stay */
        status = self->keys_stay ? PyDict_SetItemString(where.bounds, "worker_user", Py_None) : 0;
        Py_DECREF(self);
        self = status < 0 ? NULL : (Dissector *)type->tp_alloc(type, 0);
        status = self == NULL ? -1 : open_in_worker(self, args, rest, &where);
    } else if (status == 0 && !take_place) {
        status = open_in_worker(self, args, rest, &where);
    }
    if (status < 0) {
        Py_CLEAR(self);
    }
    epan_drain_log(state_of_type(type));
    Py_DECREF(rest);
    isolation_clear(&where);
    return (PyObject *)self;
}

static int
Dissector_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Dissector *)op)->source);
    Py_VISIT(((Dissector *)op)->lent);
    return python_source_traverse(&((Dissector *)op)->items, visit, arg);
}

static int
Dissector_clear(PyObject *op)
{
    Py_CLEAR(((Dissector *)op)->source);
    python_source_clear(&((Dissector *)op)->items);
    return 0;
}

/* The session may be freed later than now, but a lent source goes back to its owner now: only a session that is about
 * to be freed is left, and it does not read any more. Its shell of the source is its own. */
static void
retire(Dissector *self)
{
    wp_epan_retire(self->session, wp_session_free_locked);
    self->session = NULL;
}

/* Runs inside any allocation, so it must not wait for the lock: the session may be freed a little later. */
static void
Dissector_dealloc(PyObject *op)
{
    Dissector *self = (Dissector *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    if (self->session != NULL) {
        PyObject *exception_type, *value, *traceback;
        PyErr_Fetch(&exception_type, &value, &traceback);
        keep_live(self);
        if (open_dissector == self) {
            open_dissector = NULL;
        }
        retire(self);
        PyErr_Restore(exception_type, value, traceback);
    }
    if (self->link != NULL) {
        worker_link_close(self->link, true);
    }
    Py_CLEAR(self->lent);
    if (self->gate != NULL) {
        PyThread_free_lock(self->gate);
    }
    Py_CLEAR(self->origin);
    Dissector_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- the rest of the type ---- */

PyDoc_STRVAR(Dissector_enter__doc__, "__enter__($self, /)\n--\n\nReturn self.");

static PyObject *
Dissector_enter(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (((Dissector *)op)->closed) {
        PyErr_SetString(PyExc_ValueError, "the Dissector is closed");
        return NULL;
    }
    Py_INCREF(op);
    return op;
}

PyDoc_STRVAR(Dissector_exit__doc__, "__exit__($self, /, *args)\n--\n\nclose().");

static PyObject *
Dissector_exit(PyObject *op, PyObject *Py_UNUSED(args))
{
    return Dissector_close(op, NULL);
}

static PyObject *
Dissector_source(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *source = ((Dissector *)op)->source;
    Py_INCREF(source);
    return source;
}

static PyObject *
Dissector_closed(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Dissector *)op)->closed);
}

static PyObject *
Dissector_repr(PyObject *op)
{
    Dissector *self = (Dissector *)op;
    return PyUnicode_FromFormat("<Dissector %R, %s>", self->source,
                                self->closed ? "closed" : has_ended(self) ? "at its end" : "open");
}

static PyMethodDef Dissector_methods[] = {
    {"close", Dissector_close, METH_NOARGS, Dissector_close__doc__},
    {"dissect", (PyCFunction)(void (*)(void))Dissector_dissect, METH_VARARGS | METH_KEYWORDS, Dissector_dissect__doc__},
    {"__enter__", Dissector_enter, METH_NOARGS, Dissector_enter__doc__},
    {"__exit__", Dissector_exit, METH_VARARGS, Dissector_exit__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Dissector_getset[] = {
    {"source", Dissector_source, NULL, "The source as it was given.", NULL},
    {"closed", Dissector_closed, NULL, "True after close().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(Dissector__doc__,
"Dissector(source=None, *, display_filter=None, fields=None, two_pass=False, read_filter=None, skip=0, count=None,\n"
"          name_resolution=('mac',), linktype=None, reset_after=None, preferences=None, decode_as=None,\n"
"          tls_keylog=None, enable=(), disable=(), profile=None, columns=None, plugins=None, isolated=None,\n"
"          on_crash='raise', frame_timeout=None, memory_limit=None, worker_user='nobody')\n--\n\n"
"An iterator of the Packets of a capture, and a context manager.\n\n"
"source           path of a capture file in any format that Wireshark reads, compressed or not;\n"
"                 '-' is standard input, and named pipes give packets as they come;\n"
"                 a Capturer; a queue or an iterable of RawPacket, (header, bytes) or bytes;\n"
"                 None for frames that are handed to dissect()\n"
"display_filter   only frames that match are returned; the others still build state\n"
"fields           names or patterns ('tcp.*'): only these fields are extracted, flat; much faster\n"
"two_pass         a first pass over the whole file, so that fields that point forward are there (tshark -2)\n"
"read_filter      with two_pass, the filter of the first pass (tshark -R)\n"
"skip, count      leave out the first skip frames; stop after count were returned\n"
"name_resolution  any of 'mac', 'network', 'transport', 'vlan', 'maxmind', 'dns'; () for none\n"
"linktype         what plain bytes start with: libpcap's name or number\n"
"reset_after      forget all conversations after so many frames, to run for days (tshark -M)\n"
"preferences      {'tcp.desegment_tcp_streams': False, 'uat:user_dlts': [...]} (tshark -o)\n"
"decode_as        {'tcp.port==8888': 'http'} (tshark -d)\n"
"tls_keylog       path of a TLS key log file\n"
"enable, disable  names of protocols and heuristic dissectors\n"
"profile          one of the user's configuration profiles; without it none of the user's settings count\n"
"columns          {'Title': '%t' or a field's name}: columns beside Wireshark's own\n"
"All of these are put back when the Dissector closes.\n"
"plugins          False: the process loads none of Wireshark's Lua and binary plugins; SessionError where it has\n"
"                 started with them\n"
"isolated         True: in a worker process; False: in this one; None: in this one while its place is free\n"
"on_crash         with a worker: 'raise' DissectorCrash, or 'skip' the frame and go on\n"
"frame_timeout    with a worker: seconds for one frame\n"
"memory_limit     with a worker: bytes that it may take\n"
"worker_user      who the worker is where this process is root; None: root\n\n"
"Raises FileError, FilterError, FieldError; SessionError with isolated=False while another Dissector works in this\n"
"process; DissectorCrash for a worker that crashed, after all packets before that.\n"
"A file that is cut short raises FileError after its last whole frame.");

static PyType_Slot Dissector_slots[] = {
    {Py_tp_doc, (void *)Dissector__doc__},
    {Py_tp_new, Dissector_new},
    {Py_tp_dealloc, Dissector_dealloc},
    {Py_tp_traverse, Dissector_traverse},
    {Py_tp_clear, Dissector_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, Dissector_next},
    {Py_tp_repr, Dissector_repr},
    {Py_tp_methods, Dissector_methods},
    {Py_tp_getset, Dissector_getset},
    {0, NULL},
};

static PyType_Spec Dissector_spec = {
    .name = "wishpy._epan.Dissector",
    .basicsize = sizeof(Dissector),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = Dissector_slots,
};

int
dissector_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Dissector_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->DissectorType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "Dissector", type);
}
