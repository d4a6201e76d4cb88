/* packet_facts.c - what a Packet knows beside its tree and its columns: the bytes that were dissected, expert
 * information, the streams that it belongs to. The records' classes are those of wishpy/records.py. */
#include "state.h"

/* One of wishpy.records. A new reference. */
static PyObject *
record_class(const char *name)
{
    PyObject *module = PyImport_ImportModule("wishpy.records");
    PyObject *class = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return class;
}

static PyObject *
text_at(const wp_block *block, uint32_t at)
{
    return text_to_python(wp_block_text(block, at));
}

/* Entry i of a table of the block's, or NULL with an exception. */
typedef PyObject *(*make_entry)(const wp_block *block, uint32_t i, PyObject *class);

/* A list of `count` entries. */
static PyObject *
list_of(Packet *self, uint32_t count, const char *class_name, make_entry make)
{
    PyObject *class = record_class(class_name);
    PyObject *list = class == NULL ? NULL : PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        PyObject *entry = make(self->block, i, class);
        if (entry == NULL || PyList_Append(list, entry) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
    }
    Py_XDECREF(class);
    return list;
}

/* ---- data sources ---- */

static PyObject *
data_source(const wp_block *block, uint32_t i, PyObject *class)
{
    const wp_block_source *source =
        (const wp_block_source *)(const void *)((const char *)block + wp_block_rest(block)->sources) + i;
    PyObject *name = text_at(block, source->name);
    PyObject *result = NULL;
    if (name != NULL) {
        result = PyObject_CallFunction(class, "Oy#", name, (const char *)block + source->bytes,
                                       (Py_ssize_t)source->length);
    }
    Py_XDECREF(name);
    return result;
}

const char packet_data_sources__doc__[] = "The bytes that fields lie in, a list of (name, data): 'Frame (60 bytes)', "
                                          "then what was reassembled, decrypted or\n"
                                          "decompressed. A Field's source_index is its place here.";

PyObject *
packet_data_sources(PyObject *op, void *Py_UNUSED(closure))
{
    Packet *self = (Packet *)op;
    return packet_need_rest(self) < 0
             ? NULL
             : list_of(self, wp_block_rest(self->block)->source_count, "DataSource", data_source);
}

/* ---- expert information ---- */

static PyObject *
expert_info(const wp_block *block, uint32_t i, PyObject *class)
{
    const wp_block_expert *expert =
        (const wp_block_expert *)(const void *)((const char *)block + wp_block_rest(block)->experts) + i;
    const uint32_t members[] = {expert->severity, expert->group, expert->summary, expert->protocol};
    PyObject *result = NULL;
    PyObject *arguments = PyTuple_New(4);
    for (Py_ssize_t k = 0; arguments != NULL && k < 4; k++) {
        PyObject *text = text_at(block, members[k]);
        if (text == NULL) {
            Py_CLEAR(arguments);
        } else {
            PyTuple_SET_ITEM(arguments, k, text);
        }
    }
    if (arguments != NULL) {
        result = PyObject_CallObject(class, arguments);
    }
    Py_XDECREF(arguments);
    return result;
}

const char packet_expert__doc__[] =
    "What Wireshark's experts say of the packet, a list of (severity, group, summary, protocol) in the order of the\n"
    "tree: ('Warning', 'Sequence', 'Previous segment(s) not captured (common at capture start)', 'TCP').";

PyObject *
packet_expert(PyObject *op, void *Py_UNUSED(closure))
{
    Packet *self = (Packet *)op;
    return packet_need_rest(self) < 0
             ? NULL
             : list_of(self, wp_block_rest(self->block)->expert_count, "ExpertInfo", expert_info);
}

/* ---- streams ---- */

static PyObject *
stream_key(const wp_block *block, const wp_block_follow *stream)
{
    if (stream->filter != 0) {
        return text_at(block, stream->filter);
    }
    return stream->numbers == 2 ? Py_BuildValue("(II)", stream->stream, stream->sub_stream)
                                : PyLong_FromUnsignedLong(stream->stream);
}

const char packet_follow__doc__[] =
    "The streams that the packet belongs to, a dict of what tshark -z follow takes: {'tcp': 0, 'http2': (0, 1)}.\n"
    "A protocol whose streams have no number has its display filter instead.";

PyObject *
packet_follow(PyObject *op, void *Py_UNUSED(closure))
{
    Packet *self = (Packet *)op;
    PyObject *dict = packet_need_rest(self) < 0 ? NULL : PyDict_New();
    if (dict == NULL) {
        return NULL;
    }
    const wp_rest *rest = wp_block_rest(self->block);
    const wp_block_follow *streams = (const void *)((const char *)self->block + rest->follows);
    for (uint32_t i = 0; dict != NULL && i < rest->follow_count; i++) {
        PyObject *name = text_at(self->block, streams[i].name);
        PyObject *key = stream_key(self->block, &streams[i]);
        if (name == NULL || key == NULL || PyDict_SetItem(dict, name, key) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(name);
        Py_XDECREF(key);
    }
    return dict;
}
