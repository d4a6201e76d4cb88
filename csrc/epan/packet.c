/* packet.c - Packet: a dissected frame that stays valid for as long as it is referenced.
 *
 * A fresh Packet is live: its tree is still in its dissector's slot, and nothing was copied. The first question about
 * the tree copies it (packet_need_tree), the first about bytes or columns adds the rest (packet_need_rest), and a
 * Packet that is still referenced when its slot is needed again is cut loose with both (packet_keep). A slot is
 * only ever taken away with the GIL held, so with the GIL a live tree is safe to copy. */
#include "worker.h"

#include "../engine/library.h"
#include "../engine/registry.h"

PyObject *
packet_new_live(module_state *state, Dissector *dissector, unsigned slot, const wp_frame *frame, PyObject *origin)
{
    Packet *self = PyObject_New(Packet, state->PacketType);   /* owns its type from here on */
    if (self == NULL) {
        return NULL;
    }
    self->block = NULL;
    self->live = dissector;
    self->lender = NULL;
    self->slot = slot;
    self->look_ups = 0;
    self->origin = Py_NewRef(origin);
    self->frame = *frame;
    return (PyObject *)self;
}

static void
Packet_dealloc(PyObject *op)
{
    Packet *self = (Packet *)op;
    PyTypeObject *type = Py_TYPE(op);
    if (self->live != NULL) {
        dissector_release(self->live, self->slot);
    }
    if (self->lender != NULL) {
        worker_link_return(self->lender, self->slot);
    }
    free(self->block);
    Py_DECREF(self->origin);
    PyObject_Free(op);
    Py_DECREF(type);
}

/* ---- copying ---- */

static int
raise_lost(void)
{
    PyErr_SetString(PyExc_MemoryError, "there was no memory to keep this packet when its turn came");
    return -1;
}

static int
raise_copy_error(Packet *self, wp_status status, const wp_error *error)
{
    raise_status(state_of_type(Py_TYPE(self)), status, error, NULL);
    return -1;
}

int
packet_need_tree(Packet *self)
{
    if (self->block != NULL || self->lender != NULL) {
        return self->block != NULL ? 0 : worker_link_fetch(self);
    }
    wp_error error;
    wp_status status = WP_OK;
    epan_lock();   /* may let go of the GIL: the packet may have been kept meanwhile */
    if (self->block == NULL && self->live != NULL) {
        status = wp_slot_copy_locked(dissector_slot(self->live, self->slot), &self->block, &error);
    }
    wp_epan_unlock();
    if (status != WP_OK) {
        return raise_copy_error(self, status, &error);
    }
    return self->block == NULL ? raise_lost() : 0;
}

int
packet_need_rest(Packet *self)
{
    if (packet_need_tree(self) < 0) {
        return -1;
    }
    if (self->block->rest != 0) {
        return 0;
    }
    wp_error error;
    wp_status status = WP_OK;
    epan_lock();
    if (self->block->rest == 0 && self->live != NULL) {
        status = wp_slot_finish_locked(dissector_slot(self->live, self->slot), &self->block, &error);
    }
    wp_epan_unlock();
    if (status != WP_OK) {
        return raise_copy_error(self, status, &error);
    }
    return self->block->rest == 0 ? raise_lost() : 0;
}

int
packet_keep(Packet *self)
{
    if (packet_need_rest(self) < 0) {
        return -1;
    }
    packet_lose(self);
    return 0;
}

void
packet_lose(Packet *self)
{
    if (self->live != NULL) {
        dissector_release(self->live, self->slot);
        self->live = NULL;
    }
    if (self->lender != NULL) {
        worker_link_return(self->lender, self->slot);
        self->lender = NULL;
    }
}

/* ---- finding fields ---- */

/* Index of the first node at or after `from` that is one of these, or the node count. */
static uint32_t
find_node(const wp_block *block, const field_ids *ids, uint32_t from)
{
    const wp_node *nodes = wp_block_nodes(block);
    if (ids->count == 1) {   /* nearly always */
        const uint32_t id = ids->ids[0];
        while (from < block->node_count && nodes[from].field != id) {
            from++;
        }
        return from;
    }
    while (from < block->node_count && !field_ids_have(ids, nodes[from].field)) {
        from++;
    }
    return from;
}

static int
raise_absent(Packet *self, PyObject *name)
{
    wp_error error;
    const char *text = PyUnicode_AsUTF8(name);
    if (text != NULL) {
        wp_fail(&error, WP_EFIELD, "frame %u has no field '%.200s'", self->frame.number, text);
        raise_status(state_of_type(Py_TYPE(self)), WP_EFIELD, &error, name);
    }
    return -1;
}

/* ---- the live tree ----
 * A few questions are cheaper to answer from the live tree than from a copy of all of it. While one is open, the epan
 * lock is held, the GIL is kept and the garbage collector rests, so that no other code of Python's can run and end
 * the session under it. */

enum { LIVE_LOOK_UPS = 12 };   /* about as many as a copy costs */

const proto_node *
packet_open_live(Packet *self, int *collector)
{
    if (self->live == NULL || self->block != NULL) {
        return NULL;
    }
    epan_lock();   /* may let go of the GIL: the packet may have been kept meanwhile */
    const proto_node *root = NULL;
    if (self->live != NULL && self->block == NULL) {
        root = wp_slot_tree(dissector_slot(self->live, self->slot));
    }
    if (root == NULL) {
        wp_epan_unlock();
        return NULL;
    }
    *collector = PyGC_Disable();
    return root;
}

void
packet_close_live(int collector)
{
    if (collector) {
        PyGC_Enable();
    }
    wp_epan_unlock();
}

static const proto_node *
find_live(const proto_node *root, const field_ids *ids)
{
    const proto_node *node = root->first_child;
    for (; node != NULL; node = wp_live_walk(root, node)) {
        const field_info *fi = WSC_FINFO(node);
        if (fi != NULL && field_ids_have(ids, (uint32_t)fi->hfinfo->id)) {
            break;
        }
    }
    return node;
}

typedef enum { WANT_VALUE, WANT_PRESENCE } wanted;

/* The first field of these: its value, or True; NULL without an exception where the packet has none. */
static PyObject *
look_up(Packet *self, const field_ids *ids, wanted what)
{
    int collector;
    PyObject *result = NULL;
    const proto_node *root = self->look_ups < LIVE_LOOK_UPS ? packet_open_live(self, &collector) : NULL;
    if (root != NULL) {
        self->look_ups++;
        const wp_cursor here = {.node = find_live(root, ids)};
        if (here.node != NULL) {
            result = what == WANT_PRESENCE ? PyBool_FromLong(1) : value_to_python(&here);
        }
        packet_close_live(collector);
        return result;
    }
    if (packet_need_tree(self) < 0) {
        return NULL;
    }
    const wp_cursor here = wp_cursor_kept(self->block, find_node(self->block, ids, 0), self->block->node_count);
    if (!wp_cursor_ok(&here)) {
        return NULL;
    }
    return what == WANT_PRESENCE ? PyBool_FromLong(1) : value_to_python(&here);
}

PyDoc_STRVAR(Packet_get__doc__,
"get($self, name, default=None, /)\n--\n\n"
"Return the value of the first field with this filter name, or default where the packet has none.");

static PyObject *
Packet_get(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    field_ids ids;
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "get expected 1 or 2 arguments, got %zd", count);
        return NULL;
    }
    if (field_names_look_up(state_of_type(Py_TYPE(op)), args[0], &ids) < 0) {
        return NULL;
    }
    PyObject *value = look_up((Packet *)op, &ids, WANT_VALUE);
    if (value == NULL && !PyErr_Occurred()) {
        value = count == 2 ? args[1] : Py_None;
        Py_INCREF(value);
    }
    return value;
}

static PyObject *
Packet_subscript(PyObject *op, PyObject *name)
{
    field_ids ids;
    if (field_names_find(state_of_type(Py_TYPE(op)), name, &ids) < 0) {
        return NULL;
    }
    PyObject *value = look_up((Packet *)op, &ids, WANT_VALUE);
    if (value == NULL && !PyErr_Occurred()) {
        raise_absent((Packet *)op, name);
    }
    return value;
}

static int
Packet_contains(PyObject *op, PyObject *name)
{
    field_ids ids;
    if (field_names_look_up(state_of_type(Py_TYPE(op)), name, &ids) < 0) {
        return -1;
    }
    PyObject *found = look_up((Packet *)op, &ids, WANT_PRESENCE);
    Py_XDECREF(found);
    return found != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* All nodes of a name, each made into an object by `make`. */
static PyObject *
all_of(Packet *self, PyObject *name, PyObject *(*make)(Packet *self, uint32_t node))
{
    field_ids ids;
    if (field_names_find(state_of_type(Py_TYPE(self)), name, &ids) < 0 || packet_need_tree(self) < 0) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (uint32_t node = find_node(self->block, &ids, 0); list != NULL && node < self->block->node_count;
         node = find_node(self->block, &ids, node + 1)) {
        PyObject *item = make(self, node);
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *
value_of(Packet *self, uint32_t node)
{
    const wp_cursor here = wp_cursor_kept(self->block, node, self->block->node_count);
    return value_to_python(&here);
}

static PyObject *
field_of(Packet *self, uint32_t node)
{
    return field_new(state_of_type(Py_TYPE(self)), self, node);
}

PyDoc_STRVAR(Packet_get_all__doc__,
"get_all($self, name, /)\n--\n\n"
"Return the values of all fields with this filter name, in the order of the tree: a list, maybe empty.\n\n"
"Raises FieldError (a KeyError) where Wireshark has no such field.");

static PyObject *
Packet_get_all(PyObject *op, PyObject *name)
{
    return all_of((Packet *)op, name, value_of);
}

PyDoc_STRVAR(Packet_find_all__doc__,
"find_all($self, name, /)\n--\n\n"
"Return all Fields with this filter name, in the order of the tree: a list, maybe empty.\n\n"
"Raises FieldError (a KeyError) where Wireshark has no such field.");

static PyObject *
Packet_find_all(PyObject *op, PyObject *name)
{
    return all_of((Packet *)op, name, field_of);
}

PyDoc_STRVAR(Packet_find__doc__,
"find($self, name, /)\n--\n\n"
"Return the first Field with this filter name, or None where the packet has none.\n\n"
"Raises FieldError (a KeyError) where Wireshark has no such field.");

static PyObject *
Packet_find(PyObject *op, PyObject *name)
{
    Packet *self = (Packet *)op;
    field_ids ids;
    if (field_names_find(state_of_type(Py_TYPE(op)), name, &ids) < 0 || packet_need_tree(self) < 0) {
        return NULL;
    }
    const uint32_t node = find_node(self->block, &ids, 0);
    if (node == self->block->node_count) {
        Py_RETURN_NONE;
    }
    return field_of(self, node);
}

PyDoc_STRVAR(Packet_keys__doc__,
"keys($self, /)\n--\n\n"
"Return the filter names of all fields in the packet, each once, in the order of the tree: a list of str.");

static PyObject *
Packet_keys(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Packet *self = (Packet *)op;
    PyObject *result = NULL;
    PyObject *seen = packet_need_tree(self) < 0 ? NULL : PyDict_New();
    if (seen == NULL) {
        return NULL;
    }
    const wp_node *nodes = wp_block_nodes(self->block);
    for (uint32_t i = 0; i < self->block->node_count; i++) {
        wp_field_def *def = wp_field_by_id(nodes[i].field);
        PyObject *key = def->text_only ? NULL : field_key(def);
        if (!def->text_only && (key == NULL || PyDict_SetItem(seen, key, Py_None) < 0)) {
            goto done;
        }
    }
    result = PyDict_Keys(seen);

done:
    Py_DECREF(seen);
    return result;
}

/* ---- the tree ---- */

static PyObject *
top_fields(Packet *self)
{
    PyObject *list = PyList_New(0);   /* may set off the collector, which may move the block */
    const wp_node *nodes = wp_block_nodes(self->block);
    for (uint32_t i = 0; list != NULL && i < self->block->node_count; i = nodes[i].end) {
        PyObject *field = field_of(self, i);
        if (field == NULL || PyList_Append(list, field) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(field);
    }
    return list;
}

static PyObject *
Packet_tree_getter(PyObject *op, void *Py_UNUSED(closure))
{
    return packet_need_tree((Packet *)op) < 0 ? NULL : top_fields((Packet *)op);
}

PyDoc_STRVAR(Packet_to_dict__doc__,
"to_dict($self, /)\n--\n\n"
"Return the whole packet as nested dicts of native values, keyed as tshark -T json keys them:\n"
"{'frame': {...}, 'eth': {...}, ...}. A field with children has its value under its name and its\n"
"children under name + '_tree'; a name that occurs again makes a list. With fields= the dict is flat.");

static PyObject *
Packet_to_dict(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Packet *self = (Packet *)op;
    int collector;
    const proto_node *root = packet_open_live(self, &collector);
    if (root != NULL) {
        PyObject *dict = live_to_dict(root);
        packet_close_live(collector);
        return dict;
    }
    if (packet_need_tree(self) < 0) {
        return NULL;
    }
    return block_to_dict(self->block);
}

/* ---- what the frame says ---- */

static PyObject *
Packet_number(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(((Packet *)op)->frame.number);
}

static PyObject *
Packet_length(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(((Packet *)op)->frame.length);
}

static PyObject *
Packet_captured_length(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(((Packet *)op)->frame.captured_length);
}

static PyObject *
Packet_time(PyObject *op, void *Py_UNUSED(closure))
{
    const wp_frame *frame = &((Packet *)op)->frame;
    if (!frame->has_time) {
        Py_RETURN_NONE;
    }
    return time_to_python(frame->seconds, frame->nanoseconds);
}

static PyObject *
Packet_time_ns(PyObject *op, void *Py_UNUSED(closure))
{
    const wp_frame *frame = &((Packet *)op)->frame;
    const int64_t limit = INT64_MAX / 1000000000 - 1;
    if (!frame->has_time) {
        Py_RETURN_NONE;
    }
    if (frame->seconds < limit && frame->seconds > -limit) {
        return PyLong_FromLongLong((long long)frame->seconds * 1000000000 + frame->nanoseconds);
    }
    PyObject *seconds = PyLong_FromLongLong(frame->seconds);   /* a damaged file: more than 64 bits hold */
    PyObject *billion = PyLong_FromLong(1000000000);
    PyObject *rest = PyLong_FromLong(frame->nanoseconds);
    PyObject *product = seconds == NULL || billion == NULL ? NULL : PyNumber_Multiply(seconds, billion);
    PyObject *sum = product == NULL || rest == NULL ? NULL : PyNumber_Add(product, rest);
    Py_XDECREF(seconds);
    Py_XDECREF(billion);
    Py_XDECREF(rest);
    Py_XDECREF(product);
    return sum;
}

static PyObject *
Packet_linktype(PyObject *op, void *Py_UNUSED(closure))
{
    const int dlt = wp_registry_linktype(((Packet *)op)->frame.encapsulation);
    if (dlt < 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong(dlt);
}

static PyObject *
rest_text(PyObject *op, size_t member)
{
    Packet *self = (Packet *)op;
    if (packet_need_rest(self) < 0) {
        return NULL;
    }
    uint32_t at;
    memcpy(&at, (const char *)wp_block_rest(self->block) + member, sizeof at);
    return text_to_python(wp_block_text(self->block, at));
}

static PyObject *
Packet_comment(PyObject *op, void *Py_UNUSED(closure))
{
    return rest_text(op, offsetof(wp_rest, comment));
}

static PyObject *
Packet_crash(PyObject *op, void *Py_UNUSED(closure))
{
    Packet *self = (Packet *)op;
    if (!self->frame.left_out || self->block == NULL || self->block->node_count == 0) {
        Py_RETURN_NONE;
    }
    wp_field field;
    wp_block_field(self->block, 0, &field);
    return text_to_python(field.label);
}

static PyObject *
Packet_interface(PyObject *op, void *Py_UNUSED(closure))
{
    return rest_text(op, offsetof(wp_rest, interface_name));
}

static PyObject *
Packet_protocols(PyObject *op, void *Py_UNUSED(closure))
{
    PyObject *stack = rest_text(op, offsetof(wp_rest, protocols));
    if (stack == NULL || PyUnicode_GET_LENGTH(stack) == 0) {
        Py_XDECREF(stack);
        return stack == NULL ? NULL : PyList_New(0);
    }
    PyObject *colon = PyUnicode_FromString(":");
    PyObject *list = colon == NULL ? NULL : PyUnicode_Split(stack, colon, -1);
    Py_XDECREF(colon);
    Py_DECREF(stack);
    return list;
}

const uint8_t *
packet_bytes(Packet *self, size_t *size)
{
    *size = self->frame.captured_length;
    if (self->live != NULL) {   /* with the GIL held the slot stays ours: no copy is needed in between */
        return wp_slot_bytes(dissector_slot(self->live, self->slot));
    }
    if (packet_need_rest(self) < 0) {
        return NULL;
    }
    const wp_rest *rest = wp_block_rest(self->block);
    if (rest->source_count == 0) {
        *size = 0;
        return (const uint8_t *)rest;
    }
    const wp_block_source *source = (const void *)((const char *)self->block + rest->sources);
    return (const uint8_t *)self->block + source->bytes;
}

static PyObject *
Packet_data(PyObject *op, void *Py_UNUSED(closure))
{
    size_t size;
    const uint8_t *bytes = packet_bytes((Packet *)op, &size);
    return bytes == NULL ? NULL : PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
}

/* ---- columns ---- */

static const wp_block_column *
columns_of(Packet *self, uint32_t *count)
{
    const wp_rest *rest = wp_block_rest(self->block);
    *count = rest->column_count;
    return (const void *)((const char *)self->block + rest->columns);
}

static PyObject *
Packet_columns(PyObject *op, void *Py_UNUSED(closure))
{
    Packet *self = (Packet *)op;
    PyObject *dict = packet_need_rest(self) < 0 ? NULL : PyDict_New();
    if (dict == NULL) {
        return NULL;
    }
    uint32_t count;
    const wp_block_column *columns = columns_of(self, &count);
    for (uint32_t i = 0; i < count; i++) {
        PyObject *title = text_to_python(wp_block_text(self->block, columns[i].title));
        PyObject *text = text_to_python(wp_block_text(self->block, columns[i].text));
        const int status = title == NULL || text == NULL ? -1 : PyDict_SetItem(dict, title, text);
        Py_XDECREF(title);
        Py_XDECREF(text);
        if (status < 0) {
            Py_CLEAR(dict);
            break;
        }
    }
    return dict;
}

/* The text of a column by its title, one of Wireshark's default ones. */
static PyObject *
Packet_column(PyObject *op, void *title)
{
    Packet *self = (Packet *)op;
    if (packet_need_rest(self) < 0) {
        return NULL;
    }
    uint32_t count;
    const wp_block_column *columns = columns_of(self, &count);
    for (uint32_t i = 0; i < count; i++) {
        const char *known = wp_block_text(self->block, columns[i].title);
        if (known != NULL && strcmp(known, title) == 0) {
            return text_to_python(wp_block_text(self->block, columns[i].text));
        }
    }
    Py_RETURN_NONE;
}

/* ---- pickling ---- */

/* What another process needs to find the same field: by the id here, (name, type, title, bit mask). */
static int
add_identity(PyObject *identities, uint32_t id)
{
    const wp_field_def *def = wp_field_by_id(id);
    PyObject *key = PyLong_FromUnsignedLong(id);
    PyObject *identity = Py_BuildValue("(sssK)", def->name, wp_registry_type_name(id), wp_field_title(def),
                                       (unsigned long long)wp_field_more_of(def)->bitmask);
    const int status = key == NULL || identity == NULL ? -1 : PyDict_SetItem(identities, key, identity);
    Py_XDECREF(key);
    Py_XDECREF(identity);
    return status;
}

PyDoc_STRVAR(Packet_reduce__doc__, "__reduce__($self, /)\n--\n\nHelper for pickle: the kept copy as bytes.");

static PyObject *
Packet_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Packet *self = (Packet *)op;
    PyObject *identities = packet_need_rest(self) < 0 ? NULL : PyDict_New();
    if (identities == NULL) {
        return NULL;
    }
    const wp_node *nodes = wp_block_nodes(self->block);
    for (uint32_t i = 0; i < self->block->node_count; i++) {
        if (add_identity(identities, nodes[i].field) < 0) {
            Py_DECREF(identities);
            return NULL;
        }
    }
    PyObject *result = NULL;
    PyObject *module = PyImport_ImportModule("wishpy._epan");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, "_packet_from_block");
    if (function != NULL) {
        result = Py_BuildValue("N(y#OO)", function, (const char *)self->block, (Py_ssize_t)self->block->size,
                               identities, self->origin);
    }
    Py_XDECREF(module);
    Py_DECREF(identities);
    return result;
}

/* How well a field here fits one of another process: 3 in all, 2 but for the mask, 1 by name and type, 0 not. */
static int
fitness(uint32_t id, const char *type, const char *title, unsigned long long mask)
{
    const wp_field_def *def = wp_field_by_id(id);
    if (strcmp(wp_registry_type_name(id), type) != 0) {
        return 0;
    }
    if (strcmp(wp_field_title(def), title) != 0) {
        return 1;
    }
    return wp_field_more_of(def)->bitmask == mask ? 3 : 2;
}

static int64_t
text_only_id(void)
{
    epan_lock();
    const int64_t id = wp_registry_text_only_locked();
    wp_epan_unlock();
    if (id < 0) {
        PyErr_NoMemory();
    }
    return id;
}

/* The id that a field of another process has here; -1 with an exception where it has none. Several fields may fit;
 * where the number is the same as there, in the same build of Wireshark, it is that one. */
static int64_t
local_id(module_state *state, PyObject *identity, uint32_t id_there)
{
    const char *name, *type, *title;
    unsigned long long mask;
    if (!PyTuple_Check(identity) || !PyArg_ParseTuple(identity, "sssK", &name, &type, &title, &mask)) {
        return -1;
    }
    if (*name == '\0') {
        return text_only_id();
    }
    field_ids ids;
    if (field_names_look_up(state, PyTuple_GET_ITEM(identity, 0), &ids) < 0) {
        return -1;
    }
    int64_t best = -1;
    int best_fitness = 0;
    for (size_t i = 0; i < ids.count; i++) {
        const int fits = 2 * fitness(ids.ids[i], type, title, mask);
        const int bonus = fits > 0 && ids.ids[i] == id_there;
        if (fits + bonus > best_fitness) {
            best = ids.ids[i];
            best_fitness = fits + bonus;
        }
    }
    if (best < 0) {
        PyErr_Format(PyExc_ValueError, "the packet has a field '%s' of type %s, which this process does not know",
                     name, type);
    }
    return best;
}

static int
relocate_fields(module_state *state, wp_block *block, size_t size, PyObject *identities)
{
    wp_node *nodes = (wp_node *)(block + 1);
    if (size < sizeof *block || block->node_count > (size - sizeof *block) / sizeof *nodes) {
        PyErr_SetString(PyExc_ValueError, "not the bytes of a packet");
        return -1;
    }
    for (uint32_t i = 0; i < block->node_count; i++) {
        PyObject *key = PyLong_FromUnsignedLong(nodes[i].field);
        PyObject *identity = key == NULL ? NULL : PyDict_GetItemWithError(identities, key);   /* borrowed */
        Py_XDECREF(key);
        if (identity == NULL) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_ValueError, "a field of the packet is not described");
            }
            return -1;
        }
        const int64_t id = local_id(state, identity, nodes[i].field);
        if (id < 0) {
            return -1;
        }
        nodes[i].field = (uint32_t)id;
    }
    return 0;
}

const char packet_unpickle__doc__[] =
"_packet_from_block($module, block, fields, origin, /)\n--\n\n"
"Make the Packet of a pickle. Every offset is checked: ValueError for bytes that are none of a packet's.";

PyObject *
packet_unpickle(PyObject *module, PyObject *args)
{
    module_state *state = state_of(module);
    Py_buffer bytes;
    PyObject *identities, *origin, *result = NULL;
    if (!PyArg_ParseTuple(args, "y*O!O!:_packet_from_block", &bytes, &PyDict_Type, &identities, state->OriginType,
                          &origin)) {
        return NULL;
    }
    wp_block *block = malloc(bytes.len > 0 ? (size_t)bytes.len : 1);
    if (block == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    memcpy(block, bytes.buf, (size_t)bytes.len);
    if (epan_start(state) < 0 || relocate_fields(state, block, (size_t)bytes.len, identities) < 0) {
        goto done;
    }
    if (!wp_block_check(block, (size_t)bytes.len)) {
        PyErr_SetString(PyExc_ValueError, "not the bytes of a packet");
        goto done;
    }
    result = packet_new_live(state, NULL, 0, &block->frame, origin);
    if (result != NULL) {
        ((Packet *)result)->block = block;
        block = NULL;
    }

done:
    PyBuffer_Release(&bytes);
    free(block);
    return result;
}

/* ---- for people ---- */

static PyObject *
Packet_repr(PyObject *op)
{
    PyObject *parts[4] = {NULL, NULL, NULL, NULL}, *result = NULL;
    static const char *const titles[4] = {"Source", "Destination", "Protocol", "Info"};
    bool complete = true;   /* a user's columns may be others */
    for (size_t i = 0; i < 4; i++) {
        parts[i] = Packet_column(op, (void *)titles[i]);
        if (parts[i] == NULL) {
            goto done;
        }
        complete = complete && parts[i] != Py_None;
    }
    const wp_frame *frame = &((Packet *)op)->frame;
    if (!complete) {
        result = PyUnicode_FromFormat("<Packet %u, %u bytes>", frame->number, frame->length);
    } else {
        result = PyUnicode_FromFormat("<Packet %u: %U -> %U %U %u %U>", frame->number, parts[0], parts[1], parts[2],
                                      frame->length, parts[3]);
    }

done:
    for (size_t i = 0; i < 4; i++) {
        Py_XDECREF(parts[i]);
    }
    return result;
}

/* A function of wishpy.text: what is only for people is written in Python. */
static PyObject *
call_text(const char *function, PyObject *op, PyObject *argument)
{
    PyObject *module = PyImport_ImportModule("wishpy.text");
    PyObject *result = module == NULL ? NULL
                       : argument == NULL ? PyObject_CallMethod(module, function, "O", op)
                                          : PyObject_CallMethod(module, function, "OO", op, argument);
    Py_XDECREF(module);
    return result;
}

static PyObject *
Packet_str(PyObject *op)
{
    return call_text("tree_text", op, NULL);
}

static PyObject *
print_with(const char *function, PyObject *op, PyObject *args, PyObject *kwargs, const char *format)
{
    static char *names[] = {"file", NULL};
    PyObject *file = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &file)) {
        return NULL;
    }
    return call_text(function, op, file);
}

PyDoc_STRVAR(Packet_show__doc__,
"show($self, /, file=None)\n--\n\n"
"Print the tree as Wireshark shows it, to sys.stdout or to file. str(packet) is the same text.");

static PyObject *
Packet_show(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return print_with("show", op, args, kwargs, "|O:show");
}

PyDoc_STRVAR(Packet_hexdump__doc__,
"hexdump($self, /, file=None)\n--\n\n"
"Print the frame's bytes, and those of its other data sources, in hexadecimal and ASCII.");

static PyObject *
Packet_hexdump(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return print_with("hexdump", op, args, kwargs, "|O:hexdump");
}

PyDoc_STRVAR(Packet_html__doc__,
"_repr_html_($self, /)\n--\n\n"
"Return the packet for a notebook: its line in Wireshark's list, its tree to be unfolded, and its bytes.");

static PyObject *
Packet_html(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *module = PyImport_ImportModule("wishpy.html");
    PyObject *result = module == NULL ? NULL : PyObject_CallMethod(module, "packet_html", "O", op);
    Py_XDECREF(module);
    return result;
}

/* ---- the type ---- */

static PyMethodDef Packet_methods[] = {
    {"get", (PyCFunction)(void (*)(void))Packet_get, METH_FASTCALL, Packet_get__doc__},
    {"get_all", Packet_get_all, METH_O, Packet_get_all__doc__},
    {"find", Packet_find, METH_O, Packet_find__doc__},
    {"find_all", Packet_find_all, METH_O, Packet_find_all__doc__},
    {"keys", Packet_keys, METH_NOARGS, Packet_keys__doc__},
    {"matches", packet_matches, METH_O, packet_matches__doc__},
    {"to_dict", Packet_to_dict, METH_NOARGS, Packet_to_dict__doc__},
    {"to_json", (PyCFunction)(void (*)(void))Packet_to_json, METH_VARARGS | METH_KEYWORDS, Packet_to_json__doc__},
    {"_json_line", Packet_json_line, METH_VARARGS, Packet_json_line__doc__},
    {"_json_0_1", Packet_json_0_1, METH_VARARGS, Packet_json_0_1__doc__},
    {"_fields_line", Packet_fields_line, METH_VARARGS, Packet_fields_line__doc__},
    {"_repr_html_", Packet_html, METH_NOARGS, Packet_html__doc__},
    {"show", (PyCFunction)(void (*)(void))Packet_show, METH_VARARGS | METH_KEYWORDS, Packet_show__doc__},
    {"hexdump", (PyCFunction)(void (*)(void))Packet_hexdump, METH_VARARGS | METH_KEYWORDS, Packet_hexdump__doc__},
    {"__reduce__", Packet_reduce, METH_NOARGS, Packet_reduce__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Packet_getset[] = {
    {"number", Packet_number, NULL, "The frame number, from 1 on.", NULL},
    {"length", Packet_length, NULL, "Bytes on the wire.", NULL},
    {"captured_length", Packet_captured_length, NULL, "Bytes captured.", NULL},
    {"time", Packet_time, NULL,
     "When it was captured: aware datetime in UTC, cut to microseconds; None where the file has no time.", NULL},
    {"time_ns", Packet_time_ns, NULL, "When it was captured: int, nanoseconds since the epoch; or None.", NULL},
    {"linktype", Packet_linktype, NULL, "libpcap's link-type number (DLT_*), None where libpcap has none.", NULL},
    {"interface", Packet_interface, NULL, "The interface's name; None where the file does not tell.", NULL},
    {"comment", Packet_comment, NULL, "The packet's first comment, or None.", NULL},
    {"crash", Packet_crash, NULL, "None; with on_crash='skip', why this frame was left out: then it has bytes alone.", NULL},
    {"data", Packet_data, NULL, "The captured bytes.", NULL},
    {"data_sources", packet_data_sources, NULL, packet_data_sources__doc__, NULL},
    {"expert", packet_expert, NULL, packet_expert__doc__, NULL},
    {"follow", packet_follow, NULL, packet_follow__doc__, NULL},
    {"protocols", Packet_protocols, NULL, "The protocol stack, ['eth', 'ethertype', 'ip', 'udp', 'dns'].", NULL},
    {"columns", Packet_columns, NULL, "Wireshark's columns: dict of title to text.", NULL},
    {"protocol", Packet_column, NULL, "The Protocol column.", "Protocol"},
    {"source", Packet_column, NULL, "The Source column.", "Source"},
    {"destination", Packet_column, NULL, "The Destination column.", "Destination"},
    {"info", Packet_column, NULL, "The Info column.", "Info"},
    {"layers", Packet_tree_getter, NULL, "The top-level layers in order: a list of Field.", NULL},
    {"tree", Packet_tree_getter, NULL, "The whole tree: its top-level Fields, which have children.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(Packet__doc__,
"A dissected frame. packet['ip.src'] is the first field of that filter name as a native value.\n\n"
"A Packet stays valid for as long as it is referenced, also after its Dissector was closed, and can be\n"
"pickled. Packets come from a Dissector; they cannot be made by hand.");

static PyType_Slot Packet_slots[] = {
    {Py_tp_doc, (void *)Packet__doc__},
    {Py_tp_dealloc, Packet_dealloc},
    {Py_tp_repr, Packet_repr},
    {Py_tp_str, Packet_str},
    {Py_tp_methods, Packet_methods},
    {Py_tp_getset, Packet_getset},
    {Py_mp_subscript, Packet_subscript},
    {Py_sq_contains, Packet_contains},
    {0, NULL},
};

/* Not a container for the garbage collector: a Packet refers to no Python object but its type. */
static PyType_Spec Packet_spec = {
    .name = "wishpy._epan.Packet",
    .basicsize = sizeof(Packet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Packet_slots,
};

int
packet_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Packet_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->PacketType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "Packet", type);
}
