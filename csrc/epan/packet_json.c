/* packet_json.c - Packet.to_json: the kept copy through engine/json_writer.c into a str; and what the command line
 * prints for -T fields.
 *
 * All packets share one buffer (state->json), so the GIL stays with whoever writes. tshark's styles may have to ask
 * Wireshark how a value is written: the epan lock is taken first, which may let go of the GIL, and only then is the
 * packet's block looked at. */
#include "state.h"

#include "../engine/fields_writer.h"
#include "../engine/library.h"

static int
get_style(const char *name, wp_json_style *style)
{
    static const char *const names[] = {[WP_JSON_WISHPY] = "wishpy", [WP_JSON_TSHARK] = "tshark", [WP_JSON_EK] = "ek"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *style = (wp_json_style)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "style is '%.50s': it must be 'wishpy', 'tshark' or 'ek'", name);
    return -1;
}

static int
get_indent(PyObject *given, int *indent)
{
    *indent = -1;
    if (given == Py_None) {
        return 0;
    }
    const long value = PyLong_AsLong(given);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value < 0 || value > 1000) {
        PyErr_SetString(PyExc_ValueError, "indent must be None or a number from 0 to 1000");
        return -1;
    }
    *indent = (int)value;
    return 0;
}

/* Writes the packet into state->json.out; `line`: as the command line wants it, with tshark's index line for "ek" and
 * the end of the line. Raises: -1. */
static int
write_packet(Packet *self, const wp_json_options *options, bool line)
{
    module_state *state = state_of_type(Py_TYPE(self));
    const bool asks = options->style != WP_JSON_WISHPY;
    wp_error error;
    wp_status status = WP_OK;
    if ((options->raw ? packet_need_rest(self) : packet_need_tree(self)) < 0) {
        return -1;
    }
    if (asks) {
        epan_lock();
    }
    wp_text_reset(&state->json.out);
    if (line && options->style == WP_JSON_EK) {
        status = wp_json_write_ek_index(&state->json, self->block, &error);
        wp_text_char(&state->json.out, '\n');
    }
    if (status == WP_OK) {
        status = wp_json_write(&state->json, self->block, options, &error);
    }
    if (asks) {
        wp_epan_unlock();
    }
    if (line) {
        wp_text_char(&state->json.out, '\n');
    }
    if (status == WP_OK && state->json.out.failed) {
        status = wp_fail(&error, WP_EMEMORY, "out of memory");
    }
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
        return -1;
    }
    return 0;
}

const char Packet_to_json__doc__[] =
"to_json($self, /, style='wishpy', indent=None, raw=False)\n--\n\n"
"Return the packet as JSON: a str holding one object, always valid JSON and valid Unicode.\n\n"
"style   'wishpy': native numbers, booleans and null; times RFC 3339 in UTC with nanoseconds; bytes as\n"
"        colon-separated hexadecimal; keys and nesting those of to_dict();\n"
"        'tshark': what tshark -T json --no-duplicate-keys prints for it; 'ek': the document of tshark -T ek\n"
"indent  blanks per level; None puts everything on one line\n"
"raw     also the fields' bytes, under name + '_raw', as tshark -x does\n\n"
"Raises ValueError for an unknown style.";

PyObject *
Packet_to_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"style", "indent", "raw", NULL};
    const char *style = "wishpy";
    PyObject *indent = Py_None;
    int raw = 0;
    wp_json_options options = {.underscores = false};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|sOp:to_json", names, &style, &indent, &raw)
        || get_style(style, &options.style) < 0 || get_indent(indent, &options.indent) < 0) {
        return NULL;
    }
    options.raw = raw;
    if (write_packet((Packet *)op, &options, false) < 0) {
        return NULL;
    }
    const wp_text *out = &state_of_type(Py_TYPE(op))->json.out;
    return PyUnicode_DecodeUTF8(out->data, (Py_ssize_t)out->used, "strict");
}

const char Packet_json_line__doc__[] =
"_json_line($self, style, raw, /)\n--\n\n"
"Helper for the command line: to_json() as bytes with a line end; for 'ek' both of tshark's lines.";

PyObject *
Packet_json_line(PyObject *op, PyObject *args)
{
    const char *style;
    int raw;
    wp_json_options options = {.indent = -1};
    if (!PyArg_ParseTuple(args, "sp:_json_line", &style, &raw) || get_style(style, &options.style) < 0) {
        return NULL;
    }
    options.raw = raw;
    if (write_packet((Packet *)op, &options, true) < 0) {
        return NULL;
    }
    const wp_text *out = &state_of_type(Py_TYPE(op))->json.out;
    return PyBytes_FromStringAndSize(out->data, (Py_ssize_t)out->used);
}

const char Packet_json_0_1__doc__[] =
"_json_0_1($self, underscores, indent, /)\n--\n\n"
"Helper for wishpy 0.1's dissectors: to_json(), with underscores for the dots in the keys if so wished.";

PyObject *
Packet_json_0_1(PyObject *op, PyObject *args)
{
    int underscores;
    PyObject *indent;
    wp_json_options options = {.style = WP_JSON_WISHPY};
    if (!PyArg_ParseTuple(args, "pO:_json_0_1", &underscores, &indent) || get_indent(indent, &options.indent) < 0) {
        return NULL;
    }
    options.underscores = underscores;
    if (write_packet((Packet *)op, &options, false) < 0) {
        return NULL;
    }
    const wp_text *out = &state_of_type(Py_TYPE(op))->json.out;
    return PyUnicode_DecodeUTF8(out->data, (Py_ssize_t)out->used, "strict");
}

/* ---- -T fields ---- */

const char field_pick__doc__[] =
"_field_pick($module, name, /)\n--\n\n"
"Helper for the command line: a field as Packet._fields_line wants it, 8 bytes. Raises FieldError.";

PyObject *
field_pick(PyObject *module, PyObject *name)
{
    field_ids ids;
    wp_pick pick = {.kind = WP_PICK_TEXT};
    if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "text") != 0) {
        if (epan_start(state_of(module)) < 0 || field_names_find(state_of(module), name, &ids) < 0) {
            return NULL;
        }
        pick = (wp_pick){.kind = WP_PICK_FIELD, .key = wp_field_more_of(wp_field_by_id(ids.ids[0]))->same_name};
    }
    return PyBytes_FromStringAndSize((const char *)&pick, sizeof pick);
}

const char field_is_plain__doc__[] =
"_field_is_plain($module, name, /)\n--\n\n"
"Helper for the command line: has every field of this name a value of its own? A protocol has only its line in the\n"
"tree, and that is not made where only some fields are. Raises FieldError.";

PyObject *
field_is_plain(PyObject *module, PyObject *name)
{
    field_ids ids;
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "text") == 0) {
        Py_RETURN_FALSE;
    }
    if (epan_start(state_of(module)) < 0 || field_names_find(state_of(module), name, &ids) < 0) {
        return NULL;
    }
    bool plain = true;
    for (size_t i = 0; i < ids.count; i++) {
        plain = plain && wp_field_by_id(ids.ids[i])->kind != WP_PROTOCOL;
    }
    return PyBool_FromLong(plain);
}

const char Packet_fields_line__doc__[] =
"_fields_line($self, picks, separator, aggregator, quote, occurrence, /)\n--\n\n"
"Helper for the command line: the line of tshark -T fields, as bytes with a line end. picks is _field_pick()s one\n"
"behind the other; or 8 bytes (0, 0) for nothing and (3, n) for a column. The others are one byte each.";

PyObject *
Packet_fields_line(PyObject *op, PyObject *args)
{
    Packet *self = (Packet *)op;
    module_state *state = state_of_type(Py_TYPE(op));
    const char *picks;
    Py_ssize_t size;
    wp_fields_options options;
    wp_error error;
    if (!PyArg_ParseTuple(args, "y#cccc:_fields_line", &picks, &size, &options.separator, &options.aggregator,
                          &options.quote, &options.occurrence)
        || packet_need_rest(self) < 0) {
        return NULL;
    }
    wp_pick *aligned = PyMem_Malloc(size > 0 ? (size_t)size : 1);
    if (aligned == NULL) {
        return PyErr_NoMemory();
    }
    memcpy(aligned, picks, (size_t)size);
    options.picks = aligned;
    options.count = (size_t)size / sizeof *aligned;
    epan_lock();
    wp_text *out = &state->json.out;
    wp_text_reset(out);
    wp_status status = wp_fields_write_locked(self->block, &options, &state->json.scratch, out, &error);
    wp_epan_unlock();
    PyMem_Free(aligned);
    wp_text_char(out, '\n');
    if (status == WP_OK && out->failed) {
        status = wp_fail(&error, WP_EMEMORY, "out of memory");
    }
    return status == WP_OK ? PyBytes_FromStringAndSize(out->data, (Py_ssize_t)out->used)
                           : raise_status(state, status, &error, NULL);
}
