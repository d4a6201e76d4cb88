/* dissector.c - Dissector: an iterator of Packets over one capture, and a context manager.
 *
 * Locking. `gate` admits one thread at a time to the session; it is waited for without the GIL and never held while
 * Python code runs, so that a signal handler may call close(). The slots' Packets (live[]) are only touched with the
 * GIL held. */
#include "state.h"

#include <unistd.h>

#include "../engine/library.h"

struct Dissector {
    PyObject_HEAD
    wp_session *session;            /* owned; NULL once closed or at its end */
    PyThread_type_lock gate;        /* owned */
    PyObject *source;               /* owned: as it was given */
    Packet *live[WP_SLOTS];         /* borrowed: whose tree is in the slot; NULL where nobody's is */
    unsigned next_slot;
    uint64_t limit;                 /* Packets to return; UINT64_MAX: all */
    uint64_t returned;
    bool closed;                    /* by close(): then next() raises ValueError, not StopIteration */
    bool forked;                    /* the session stayed in the parent */
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

/* Ends the session and leaves the place to the next Dissector. Gate held, or nobody else can be there. */
static void
end_session(Dissector *self)
{
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
    if (self->session == NULL) {
        Py_RETURN_NONE;
    }
    wp_session_wake(self->session);
    if (enter_gate(self) < 0) {
        return NULL;
    }
    end_session(self);
    leave_gate(self);
    epan_drain_log(state_of_type(Py_TYPE(op)));
    Py_RETURN_NONE;
}

/* ---- next ---- */

/* What keeps next() from going on: 0 nothing, 1 the end (no exception), -1 an exception. */
static int
is_over(Dissector *self)
{
    module_state *state = state_of_type(Py_TYPE(self));
    if (self->forked) {
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
    if (self->session == NULL) {
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
                                       wp_slot_frame(dissector_slot(self, slot)));
    if (packet != NULL) {
        self->live[slot] = (Packet *)packet;
        self->next_slot = (slot + 1) % WP_SLOTS;
        self->returned++;
    }
    return packet;
}

/* One try. Gate held. A Packet; or NULL with an exception, at the end without; or NULL with *again. */
static PyObject *
try_next(Dissector *self, bool *again)
{
    wp_error error;
    wp_status status;
    *again = false;
    if (is_over(self) != 0 || vacate_for_next(self) < 0) {
        return NULL;
    }
    wp_session *session = self->session;
    const unsigned slot = self->next_slot;
    Py_BEGIN_ALLOW_THREADS
    status = wp_session_next(session, slot, &error);
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

static PyObject *
Dissector_next(PyObject *op)
{
    Dissector *self = (Dissector *)op;
    module_state *state = state_of_type(Py_TYPE(op));
    PyObject *packet;
    bool again;
    do {
        if (PyErr_CheckSignals() < 0 || enter_gate(self) < 0) {
            return NULL;
        }
        packet = try_next(self, &again);
        leave_gate(self);
        epan_drain_log(state);
    } while (again);
    return packet;
}

/* ---- opening ---- */

typedef struct {
    PyObject *source, *fields, *name_resolution;   /* borrowed */
    PyObject *display_filter, *read_filter;        /* borrowed: str or None */
    PyObject *count;                               /* borrowed: int or None */
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

static int
get_limit(PyObject *count, uint64_t *limit)
{
    *limit = UINT64_MAX;
    if (count == Py_None) {
        return 0;
    }
    const long long value = PyLong_AsLongLong(count);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value < 0) {
        PyErr_SetString(PyExc_ValueError, "count must not be negative");
        return -1;
    }
    *limit = (uint64_t)value;
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

/* Line and caret under a filter that does not compile. */
static void
raise_filter_error(module_state *state, const open_arguments *given, wp_error *error)
{
    PyObject *filter = error->frame == 0 ? given->display_filter : given->read_filter;
    const char *text = PyUnicode_AsUTF8(filter);
    if (text == NULL) {
        return;
    }
    wp_error shown = *error;
    int used = snprintf(shown.message, sizeof shown.message, "%.400s\n  %.250s", error->message, text);
    if (error->position >= 0 && error->position < 250 && used > 0 && used < 700) {
        const int span = error->span < 1 ? 1 : error->span > 250 ? 250 : (int)error->span;
        char carets[256];
        memset(carets, '~', sizeof carets);
        carets[0] = '^';
        snprintf(shown.message + used, sizeof shown.message - (size_t)used, "\n  %*s%.*s", (int)error->position, "",
                 span, carets);
    }
    raise_status(state, WP_EFILTER, &shown, filter);
}

static int
open_session(Dissector *self, const open_arguments *given, PyObject *path)
{
    module_state *state = state_of_type(Py_TYPE(self));
    wp_session_options options;
    uint32_t *ids = NULL;
    wp_error error;
    if (get_options(state, given, &options, &ids) < 0) {
        free(ids);
        return -1;
    }
    const char *name = PyBytes_AS_STRING(path);
    wp_source_file *file = NULL;
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = wp_source_file_open(name, options.two_pass, &file, &error);
    if (status == WP_OK) {
        status = wp_session_open(&options, wp_source_file_as_source(file), file, &self->session, &error);
    }
    Py_END_ALLOW_THREADS
    free(ids);
    if (status == WP_EFILTER) {
        raise_filter_error(state, given, &error);
    } else if (status != WP_OK) {
        raise_status(state, status, &error, given->source);
    }
    if (self->session != NULL) {
        open_dissector = self;
    }
    return status == WP_OK ? 0 : -1;
}

static PyObject *
Dissector_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"source", "display_filter", "fields", "two_pass", "read_filter", "skip", "count",
                            "name_resolution", NULL};
    open_arguments given = {
        .fields = Py_None, .display_filter = Py_None, .read_filter = Py_None, .count = Py_None,
    };
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOpOLOO:Dissector", names, &given.source, &given.display_filter,
                                     &given.fields, &given.two_pass, &given.read_filter, &given.skip, &given.count,
                                     &given.name_resolution)) {
        return NULL;
    }
    module_state *state = state_of_type(type);
    PyObject *path = NULL;
    if (!PyUnicode_FSConverter(given.source, &path)) {
        return NULL;
    }
    Dissector *self = (Dissector *)type->tp_alloc(type, 0);
    if (self == NULL) {
        goto failed;
    }
    Py_INCREF(given.source);
    self->source = given.source;
    self->gate = PyThread_allocate_lock();
    if (self->gate == NULL) {
        PyErr_NoMemory();
        goto failed;
    }
    if (get_limit(given.count, &self->limit) < 0 || epan_start(state) < 0 || open_session(self, &given, path) < 0) {
        goto failed;
    }
    epan_drain_log(state);
    Py_DECREF(path);
    return (PyObject *)self;

failed:
    epan_drain_log(state);
    Py_XDECREF(path);
    Py_XDECREF(self);
    return NULL;
}

static int
Dissector_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Dissector *)op)->source);
    return 0;
}

static int
Dissector_clear(PyObject *op)
{
    Py_CLEAR(((Dissector *)op)->source);
    return 0;
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
        wp_epan_retire(self->session, wp_session_free_locked);
        PyErr_Restore(exception_type, value, traceback);
    }
    if (self->gate != NULL) {
        PyThread_free_lock(self->gate);
    }
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
                                self->closed ? "closed" : self->session == NULL ? "at its end" : "open");
}

static PyMethodDef Dissector_methods[] = {
    {"close", Dissector_close, METH_NOARGS, Dissector_close__doc__},
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
"Dissector(source, *, display_filter=None, fields=None, two_pass=False, read_filter=None, skip=0, count=None,\n"
"          name_resolution=('mac',))\n--\n\n"
"An iterator of the Packets of a capture, and a context manager.\n\n"
"source           path of a capture file in any format that Wireshark reads, compressed or not;\n"
"                 '-' is standard input, and named pipes give packets as they come\n"
"display_filter   only frames that match are returned; the others still build state\n"
"fields           names or patterns ('tcp.*'): only these fields are extracted, flat; much faster\n"
"two_pass         a first pass over the whole file, so that fields that point forward are there (tshark -2)\n"
"read_filter      with two_pass, the filter of the first pass (tshark -R)\n"
"skip, count      leave out the first skip frames; stop after count were returned\n"
"name_resolution  any of 'mac', 'network', 'transport', 'vlan', 'maxmind', 'dns'; () for none\n\n"
"Raises FileError, FilterError, FieldError; SessionError while another Dissector is open in this process.\n"
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
