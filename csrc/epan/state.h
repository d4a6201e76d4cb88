/* state.h - what wishpy._epan keeps per module, and what its type files share.
 *
 * Two rules hold everywhere in this folder. Nobody waits for the epan lock with the GIL held: epan_lock() lets go
 * of the GIL while it waits. Taking the GIL with the epan lock held is allowed, and harmless because of that rule. */
#ifndef WISHPY_EPAN_STATE_H
#define WISHPY_EPAN_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../common/errors.h"
#include "../engine/cursor.h"
#include "../engine/field.h"
#include "../engine/json_writer.h"
#include "../engine/arrow_export.h"
#include "../engine/column_plan.h"
#include "../engine/packet_tree.h"
#include "../engine/session.h"

typedef struct {
    wp_error_classes errors;        /* owned */
    PyTypeObject *DissectorType;    /* owned */
    PyTypeObject *PacketType;       /* owned */
    PyTypeObject *FieldType;        /* owned */
    PyTypeObject *DisplayFilterType; /* owned */
    PyTypeObject *TablePlanType;    /* owned */
    PyTypeObject *TableReaderType;  /* owned */
    PyTypeObject *TableBatchType;   /* owned */
    PyTypeObject *OriginType;       /* owned */
    PyTypeObject *WriterType;       /* owned */
    PyObject *names;                /* owned: dict, field name -> bytes of uint32 ids */
    wp_json_space json;             /* owned; used with the GIL held throughout */
    PyObject *logger;               /* owned: logging.getLogger("wishpy"); NULL before its first line */
} module_state;

extern PyModuleDef epan_module;

static inline module_state *
state_of(PyObject *module)
{
    return (module_state *)PyModule_GetState(module);
}

static inline module_state *
state_of_type(PyTypeObject *type)
{
    return (module_state *)PyType_GetModuleState(type);
}

/* ---- module.c ---- */

/* With the GIL held; gives it up while it waits. */
void epan_lock(void);
/* Starts libwireshark where it is not running. Raises. */
int epan_start(module_state *state);
/* Hands waiting log lines to Python's logging; what logging raises is reported as unraisable. Keeps an exception. */
void epan_drain_log(module_state *state);

/* ---- field_names.c ---- */

typedef struct {
    const uint32_t *ids;   /* borrowed from state->names */
    size_t count;
} field_ids;

/* The fields of this name; FieldError with the nearest names where there is none. Raises: -1. */
int field_names_find(module_state *state, PyObject *name, field_ids *ids);
/* The same, but no error: count 0 where no such field exists. */
int field_names_look_up(module_state *state, PyObject *name, field_ids *ids);
/* Raises FieldError for a name that does not exist; always -1. */
int field_names_raise_unknown(module_state *state, PyObject *name);
/* Fields may have come or gone: names are looked up anew. Ids handed out stay valid. Without memory nothing happens. */
void field_names_forget(module_state *state);
/* A str, or an iterable of str, each a name or a pattern with * ? [ ]: all their ids, malloc'ed. Raises: -1. */
int field_names_expand(module_state *state, PyObject *names, uint32_t **ids, size_t *count);

static inline bool
field_ids_have(const field_ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* ---- to_python.c ---- */

/* New references, NULL with an exception. On a live tree the caller holds the epan lock, keeps the GIL, and keeps the
 * garbage collector from running: nothing may end the session meanwhile. */
PyObject *value_to_python(const wp_cursor *here);
PyObject *live_to_dict(const proto_node *root);
PyObject *block_to_dict(const wp_block *block);
PyObject *field_key(wp_field_def *def);   /* borrowed */
PyObject *text_to_python(const char *text);   /* UTF-8 as far as it is; NULL: None */
PyObject *time_to_python(int64_t seconds, int32_t nanoseconds);
int to_python_init(void);   /* once per process. Raises: -1 */

/* ---- packet.c ---- */

typedef struct Dissector Dissector;

typedef struct {
    PyObject_HEAD
    wp_block *block;      /* owned; NULL until somebody asks for the tree */
    Dissector *live;      /* borrowed: whose slot holds the tree; NULL once the packet stands on its own */
    struct worker_link *lender;   /* borrowed: in whose ring the block lies; NULL where it does not */
    unsigned slot;
    unsigned look_ups;    /* answered from the live tree */
    PyObject *origin;     /* owned: an Origin, which refers to nothing */
    wp_frame frame;
} Packet;

/* Texts of a node, as Wireshark writes them; the packet's block stands (to_python.c). */
PyObject *field_display(const Packet *packet, uint32_t node);
PyObject *field_label(const Packet *packet, uint32_t node);

PyObject *packet_new_live(module_state *state, Dissector *dissector, unsigned slot, const wp_frame *frame,
                          PyObject *origin);
/* The frame's bytes, borrowed: of a live packet while the GIL is held, of another as long as the packet. Raises: NULL. */
const uint8_t *packet_bytes(Packet *packet, size_t *size);
/* The root of a live packet's tree, with the lock held and the collector off until packet_close_live; or NULL, with
 * neither. No Python code may run in between. May let go of the GIL before. */
const proto_node *packet_open_live(Packet *packet, int *collector);
void packet_close_live(int collector);
/* Makes block stand, without its rest or with it. Raises: -1. May let go of the GIL. */
int packet_need_tree(Packet *packet);
int packet_need_rest(Packet *packet);
/* Copies all and cuts the packet loose from its dissector. Raises: -1, and then it is still live. */
int packet_keep(Packet *packet);
/* Without the tree any more: what was not copied is lost, and asking for it raises. */
void packet_lose(Packet *packet);
int packet_add_type(PyObject *module);
PyObject *packet_unpickle(PyObject *module, PyObject *arguments);
extern const char packet_unpickle__doc__[];

/* ---- packet_facts.c: members of Packet ---- */

PyObject *packet_data_sources(PyObject *op, void *closure);
extern const char packet_data_sources__doc__[];
PyObject *packet_expert(PyObject *op, void *closure);
extern const char packet_expert__doc__[];
PyObject *packet_follow(PyObject *op, void *closure);
extern const char packet_follow__doc__[];

/* ---- packet_json.c: methods of Packet ---- */

PyObject *Packet_to_json(PyObject *op, PyObject *args, PyObject *kwargs);
extern const char Packet_to_json__doc__[];
PyObject *Packet_json_line(PyObject *op, PyObject *args);
extern const char Packet_json_line__doc__[];
PyObject *Packet_json_0_1(PyObject *op, PyObject *args);
extern const char Packet_json_0_1__doc__[];
PyObject *Packet_fields_line(PyObject *op, PyObject *args);
extern const char Packet_fields_line__doc__[];
PyObject *field_pick(PyObject *module, PyObject *name);   /* a function of the module */
extern const char field_pick__doc__[];
PyObject *field_is_plain(PyObject *module, PyObject *name);
extern const char field_is_plain__doc__[];

/* ---- origin.c ---- */

/* An Origin, which holds on to what the engine knows of one; a new empty one for NULL. */
PyObject *origin_new(module_state *state, wp_origin *origin);
wp_origin *origin_of(PyObject *origin);   /* borrowed */
/* One more item, the bytes of a wp_origin_item. False: they are none, or no memory. */
bool origin_learn(PyObject *origin, const uint8_t *bytes, size_t size);
int origin_add_type(PyObject *module);
PyObject *origin_unpickle(PyObject *module, PyObject *items);
extern const char origin_unpickle__doc__[];

/* ---- writer.c ---- */

int writer_add_type(PyObject *module);

/* ---- field.c ---- */

PyObject *field_new(module_state *state, Packet *packet, uint32_t node);
int field_add_type(PyObject *module);
PyObject *field_unpickle(PyObject *module, PyObject *arguments);
extern const char field_unpickle__doc__[];

/* ---- dissector.c ---- */

int dissector_add_type(PyObject *module);
/* In the child of a fork: the session cannot go on here. */
void dissector_after_fork(void);
wp_slot *dissector_slot(Dissector *dissector, unsigned slot);
/* The packet no longer needs its slot. */
void dissector_release(Dissector *dissector, unsigned slot);
/* ---- table.c, table_batch.c ---- */

PyObject *table_batch_new(module_state *state, PyObject *plan, wp_batch *batch);   /* takes over the batch */
int table_add_types(PyObject *module);
int table_batch_add_type(PyObject *module);
/* Plan of a TablePlan, batch of a TableBatch: borrowed. NULL with a TypeError for other objects. */
wp_plan *table_plan_of(module_state *state, PyObject *plan);
wp_batch *table_batch_of(module_state *state, PyObject *batch);

/* FilterError with a line and a caret under the mistake in the filter, a str. */
void raise_filter(module_state *state, PyObject *filter, const wp_error *error);

/* ---- display_filter.c ---- */

int display_filter_add_type(PyObject *module);
/* Packet.matches(): a str or a DisplayFilter. */
PyObject *packet_matches(PyObject *packet, PyObject *filter);
extern const char packet_matches__doc__[];

/* ---- registry.c ---- */

PyObject *registry_list(PyObject *module, PyObject *what);
PyObject *registry_strings(PyObject *module, PyObject *id);
extern const char registry_list__doc__[], registry_strings__doc__[];

/* ---- library_facts.c: functions of the module ---- */

PyObject *library_versions(PyObject *module, PyObject *ignored);
PyObject *library_plugins(PyObject *module, PyObject *ignored);
PyObject *library_features(PyObject *module, PyObject *ignored);
PyObject *library_choose_plugins(PyObject *module, PyObject *given);
PyObject *library_has_plugins(PyObject *module, PyObject *ignored);
extern const char library_versions__doc__[], library_plugins__doc__[], library_features__doc__[],
    library_choose_plugins__doc__[], library_has_plugins__doc__[];
/* The keyword plugins=: True, False, or None, which chooses nothing. Raises: -1. */
int plugins_choose(module_state *state, PyObject *given);

/* ---- nearest.c ---- */

/* Raises class(f"{what} 'name'; did you mean ...?") with the names nearest to it, of a list of str. */
void raise_unknown_name(PyObject *class, const char *what, PyObject *name, PyObject *names);

/* ---- small help ---- */

/* By an interned name: Python's cache of types remembers each other str that it is asked with as a new one. */
static inline PyObject *
get_attribute(PyObject *object, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *value = key == NULL ? NULL : PyObject_GetAttr(object, key);
    Py_XDECREF(key);
    return value;
}

static inline bool
has_attribute(PyObject *object, const char *name)
{
    PyObject *value = get_attribute(object, name);
    if (value == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(value);
    return value != NULL;
}

static inline PyObject *
raise_status(module_state *state, wp_status status, const wp_error *error, PyObject *name)
{
    return wp_raise(&state->errors, status, error, name);
}

#endif
