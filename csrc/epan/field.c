/* field.c - Field: one line of a packet's tree. It holds its Packet, and with it the kept copy, and knows a node. */
#include "state.h"

#include "../engine/registry.h"

typedef struct {
    PyObject_HEAD
    Packet *packet;   /* owned; its block stands */
    uint32_t node;
} Field;

PyObject *
field_new(module_state *state, Packet *packet, uint32_t node)
{
    Field *self = PyObject_New(Field, state->FieldType);
    if (self == NULL) {
        return NULL;
    }
    Py_INCREF(packet);
    self->packet = packet;
    self->node = node;
    return (PyObject *)self;
}

static void
Field_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    Py_DECREF(((Field *)op)->packet);
    PyObject_Free(op);
    Py_DECREF(type);
}

static inline const wp_block *
block_of(PyObject *op)
{
    return ((Field *)op)->packet->block;
}

static inline void
view(PyObject *op, wp_field *field)
{
    wp_block_field(block_of(op), ((Field *)op)->node, field);
}

static PyObject *
Field_name(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    PyObject *name = field_key(field.def);
    Py_XINCREF(name);
    return name;
}

static PyObject *
Field_title(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return text_to_python(wp_field_title(field.def));
}

static PyObject *
Field_value(PyObject *op, void *Py_UNUSED(closure))
{
    const wp_block *block = block_of(op);
    const wp_cursor here = wp_cursor_kept(block, ((Field *)op)->node, block->node_count);
    return value_to_python(&here);
}

static PyObject *
Field_type(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return text_to_python(wp_registry_type_name(field.def->id));
}

static PyObject *
Field_text(PyObject *op, void *Py_UNUSED(closure))
{
    return field_label(((Field *)op)->packet, ((Field *)op)->node);
}

static PyObject *
Field_display(PyObject *op, void *Py_UNUSED(closure))
{
    return field_display(((Field *)op)->packet, ((Field *)op)->node);
}

static PyObject *
Field_offset(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return PyLong_FromLong(field.start);
}

static PyObject *
Field_length(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return PyLong_FromLong(field.length);
}

static PyObject *
Field_hidden(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return PyBool_FromLong(field.flags & WP_FIELD_HIDDEN);
}

static PyObject *
Field_generated(PyObject *op, void *Py_UNUSED(closure))
{
    wp_field field;
    view(op, &field);
    return PyBool_FromLong(field.flags & WP_FIELD_GENERATED);
}

/* The data source that the field lies in; NULL without an exception where it lies in none. */
static const wp_block_source *
source_of(PyObject *op, int *failed)
{
    wp_field field;
    *failed = packet_need_rest(((Field *)op)->packet) < 0;
    if (*failed) {
        return NULL;
    }
    view(op, &field);
    const wp_rest *rest = wp_block_rest(block_of(op));
    if (field.source >= rest->source_count) {
        return NULL;
    }
    return (const wp_block_source *)(const void *)((const char *)block_of(op) + rest->sources) + field.source;
}

static PyObject *
Field_raw(PyObject *op, void *Py_UNUSED(closure))
{
    int failed;
    const wp_block_source *source = source_of(op, &failed);
    if (failed) {
        return NULL;
    }
    wp_field field;
    view(op, &field);
    if (source == NULL) {
        Py_RETURN_NONE;
    }
    /* A damaged frame's fields may reach beyond what was captured. */
    const int64_t start = field.start < 0 ? (int64_t)source->length + field.start : field.start;
    const int64_t end = start + (field.length < 0 ? 0 : field.length);
    const int64_t top = end > source->length ? source->length : end;
    const char *bytes = (const char *)block_of(op) + source->bytes;
    return start < 0 || start >= top ? PyBytes_FromStringAndSize(NULL, 0)
                        : PyBytes_FromStringAndSize(bytes + start, (Py_ssize_t)(top - start));
}

static PyObject *
Field_source(PyObject *op, void *Py_UNUSED(closure))
{
    int failed;
    const wp_block_source *source = source_of(op, &failed);
    if (failed) {
        return NULL;
    }
    return text_to_python(source == NULL ? NULL : wp_block_text(block_of(op), source->name));
}

static PyObject *
Field_source_index(PyObject *op, void *Py_UNUSED(closure))
{
    int failed;
    const wp_block_source *source = source_of(op, &failed);
    if (failed) {
        return NULL;
    }
    if (source == NULL) {
        Py_RETURN_NONE;
    }
    wp_field field;
    view(op, &field);
    return PyLong_FromUnsignedLong(field.source);
}

static PyObject *
Field_children(PyObject *op, void *Py_UNUSED(closure))
{
    Field *self = (Field *)op;
    PyObject *list = PyList_New(0);   /* may set off the collector, which may move the block */
    const wp_node *nodes = wp_block_nodes(block_of(op));
    const uint32_t end = nodes[self->node].end;
    for (uint32_t i = self->node + 1; list != NULL && i < end; i = nodes[i].end) {
        PyObject *child = field_new(state_of_type(Py_TYPE(op)), self->packet, i);
        if (child == NULL || PyList_Append(list, child) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(child);
    }
    return list;
}

static PyObject *
Field_repr(PyObject *op)
{
    PyObject *name = Field_name(op, NULL);
    PyObject *text = Field_text(op, NULL);
    PyObject *result = name == NULL || text == NULL ? NULL : PyUnicode_FromFormat("<Field %U: %U>", name, text);
    Py_XDECREF(name);
    Py_XDECREF(text);
    return result;
}

static PyObject *
Field_str(PyObject *op)
{
    return Field_text(op, NULL);
}

/* Two Fields are equal when they are the same line of the same Packet. */
static PyObject *
Field_richcompare(PyObject *op, PyObject *other, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(op) != Py_TYPE(other)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    const Field *a = (Field *)op, *b = (Field *)other;
    const bool same = a->packet == b->packet && a->node == b->node;
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t
Field_hash(PyObject *op)
{
    const Field *self = (Field *)op;
    const Py_hash_t hash = (Py_hash_t)((uintptr_t)self->packet >> 4) * 1000003 + self->node;
    return hash == -1 ? -2 : hash;
}

PyDoc_STRVAR(Field_reduce__doc__, "__reduce__($self, /)\n--\n\nHelper for pickle: the packet and the place in it.");

static PyObject *
Field_reduce(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *module = PyImport_ImportModule("wishpy._epan");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, "_field_of_packet");
    Py_XDECREF(module);
    if (function == NULL) {
        return NULL;
    }
    return Py_BuildValue("N(Ok)", function, ((Field *)op)->packet, (unsigned long)((Field *)op)->node);
}

const char field_unpickle__doc__[] =
"_field_of_packet($module, packet, node, /)\n--\n\n"
"Make the Field of a pickle; ValueError where the packet has no such node.";

PyObject *
field_unpickle(PyObject *module, PyObject *args)
{
    module_state *state = state_of(module);
    Packet *packet;
    unsigned long node;
    if (!PyArg_ParseTuple(args, "O!k:_field_of_packet", state->PacketType, &packet, &node)
        || packet_need_tree(packet) < 0) {
        return NULL;
    }
    if (node >= packet->block->node_count) {
        PyErr_SetString(PyExc_ValueError, "the packet has no such field");
        return NULL;
    }
    return field_new(state, packet, (uint32_t)node);
}

static PyMethodDef Field_methods[] = {
    {"__reduce__", Field_reduce, METH_NOARGS, Field_reduce__doc__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Field_getset[] = {
    {"name", Field_name, NULL, "The filter name, 'ip.src'; '' for a line of text with no field behind it.", NULL},
    {"title", Field_title, NULL, "Wireshark's title of the field, 'Source Address'.", NULL},
    {"value", Field_value, NULL, "The native value; of a protocol or a line of text, its children as a dict or None.",
     NULL},
    {"raw", Field_raw, NULL, "The field's bytes in its data source, as far as captured; None where it has no source.",
     NULL},
    {"text", Field_text, NULL, "The line that Wireshark's tree shows, 'Type: IPv4 (0x0800)'.", NULL},
    {"display", Field_display, NULL, "The value as tshark -T json prints it, '0x0800'; None where it prints none.",
     NULL},
    {"type", Field_type, NULL, "Wireshark's type, 'FT_UINT16'.", NULL},
    {"offset", Field_offset, NULL, "Where it begins in its data source, in bytes.", NULL},
    {"length", Field_length, NULL, "How many bytes of its data source it covers.", NULL},
    {"source", Field_source, NULL, "Name of its data source, 'Frame (60 bytes)'; None where it has none.", NULL},
    {"source_index", Field_source_index, NULL, "Where that data source is in packet.data_sources; None where it has none.",
     NULL},
    {"children", Field_children, NULL, "The Fields below it, in order.", NULL},
    {"hidden", Field_hidden, NULL, "True where Wireshark does not show it.", NULL},
    {"generated", Field_generated, NULL, "True where it is no part of the bytes but was concluded from them.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(Field__doc__, "One line of a packet's tree. Fields come from a Packet; they cannot be made by hand.");

static PyType_Slot Field_slots[] = {
    {Py_tp_doc, (void *)Field__doc__},
    {Py_tp_dealloc, Field_dealloc},
    {Py_tp_repr, Field_repr},
    {Py_tp_str, Field_str},
    {Py_tp_richcompare, Field_richcompare},
    {Py_tp_hash, Field_hash},
    {Py_tp_methods, Field_methods},
    {Py_tp_getset, Field_getset},
    {0, NULL},
};

/* No container for the garbage collector: a Field refers to its Packet, which refers to nothing. */
static PyType_Spec Field_spec = {
    .name = "wishpy._epan.Field",
    .basicsize = sizeof(Field),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Field_slots,
};

int
field_add_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Field_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    state_of(module)->FieldType = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddObjectRef(module, "Field", type);
}
