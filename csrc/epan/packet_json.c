/* packet_json.c - Packet.to_json: the live tree, or the kept copy where there is one, through engine/json_writer.c into
 * a str; and what the command line prints for -T fields.
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

/* Writes the packet of state->json.outline; `line`: see write_packet. */
static wp_status
write_outline(wp_json_space *space, const wp_json_options *options, bool line, wp_error *error)
{
    wp_status status = WP_OK;
    wp_text_reset(&space->out);
    if (line && options->style == WP_JSON_EK) {
        status = wp_json_write_ek_index(space, error);
        wp_text_char(&space->out, '\n');
    }
    if (status == WP_OK) {
        status = wp_json_write(space, options, error);
    }
    if (line) {
        wp_text_char(&space->out, '\n');
    }
    return status == WP_OK && space->out.failed ? wp_fail(error, WP_EMEMORY, "out of memory") : status;
}

static wp_status
write_live(wp_json_space *space, const Packet *self, const proto_node *root, const wp_json_options *options, bool line,
           wp_error *error)
{
    return wp_outline_live_locked(&space->outline, root, &self->frame, wp_resolution_now_locked())
               ? write_outline(space, options, line, error)
               : wp_fail(error, WP_EMEMORY, "out of memory");
}

static wp_status
write_kept(wp_json_space *space, const Packet *self, const wp_json_options *options, bool line, wp_error *error)
{
    const bool asks = options->style != WP_JSON_WISHPY;
    if (asks) {
        epan_lock();
    }
    const wp_status status = wp_outline_kept(&space->outline, self->block)
                                 ? write_outline(space, options, line, error)
                                 : wp_fail(error, WP_EMEMORY, "out of memory");
    if (asks) {
        wp_epan_unlock();
    }
    return status;
}

/* Writes the packet into state->json.out; `line`: as the command line wants it, with tshark's index line for "ek" and
 * the end of the line. Raises: -1. */
static int
write_packet(Packet *self, const wp_json_options *options, bool line)
{
    module_state *state = state_of_type(Py_TYPE(self));
    int collector;
    wp_error error;
    wp_status status;
    const proto_node *root = options->raw ? NULL : packet_open_live(self, &collector);
    if (root != NULL) {
        status = write_live(&state->json, self, root, options, line, &error);
        packet_close_live(collector);
    } else {
        if ((options->raw ? packet_need_rest(self) : packet_need_tree(self)) < 0) {
            return -1;
        }
        status = write_kept(&state->json, self, options, line, &error);
    }
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
        return -1;
    }
    return 0;
}

/* The character at *at, which is valid UTF-8; *at goes behind it. */
static Py_UCS4
next_character(const uint8_t **at)
{
    const uint8_t lead = *(*at)++;
    int more = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    Py_UCS4 character = more == 0 ? lead : lead & (0x3fu >> more);
    for (; more > 0; more--) {
        character = character << 6 | (*(*at)++ & 0x3f);
    }
    return character;
}

static bool
is_ascii_32(const uint8_t *at)
{
    uint64_t words[4];
    memcpy(words, at, sizeof words);
    return ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) == 0;
}

/* Valid UTF-8 to a str's characters, by 32 bytes where they are ASCII. */
#define DEFINE_COPY(name, character)                                                                                   \
    static void name(character *restrict to, const uint8_t *at, const uint8_t *end)                                   \
    {                                                                                                                  \
        while (at < end) {                                                                                             \
            for (; end - at >= 32 && is_ascii_32(at); at += 32, to += 32) {                                            \
                for (int i = 0; i < 32; i++) {                                                                         \
                    to[i] = at[i];                                                                                     \
                }                                                                                                      \
            }                                                                                                          \
            for (int i = 0; i < 32 && at < end; i++) {                                                                 \
                *to++ = (character)next_character(&at);                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_COPY(copy_latin1, Py_UCS1)
DEFINE_COPY(copy_ucs2, Py_UCS2)
DEFINE_COPY(copy_ucs4, Py_UCS4)

/* What Python's own decoder would have to find out in two passes and a copy, the writer knows: how many characters
 * there are, and how wide. A "·" of tcp.flags.str is in nearly every packet. */
static PyObject *
text_to_str(const wp_text *text)
{
    const uint8_t lead = text->highest_lead;
    const Py_UCS4 widest = lead == 0 ? 0x7f : lead < 0xc4 ? 0xff : lead < 0xf0 ? 0xffff : 0x10ffff;
    PyObject *str = PyUnicode_New((Py_ssize_t)(text->used - text->continuations), widest);
    if (str == NULL) {
        return NULL;
    }
    const uint8_t *at = (const uint8_t *)text->data, *const end = at + text->used;
    if (widest == 0x7f) {
        memcpy(PyUnicode_1BYTE_DATA(str), at, text->used);
    } else if (widest == 0xff) {
        copy_latin1(PyUnicode_1BYTE_DATA(str), at, end);
    } else if (widest == 0xffff) {
        copy_ucs2(PyUnicode_2BYTE_DATA(str), at, end);
    } else {
        copy_ucs4(PyUnicode_4BYTE_DATA(str), at, end);
    }
    return str;
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
    return text_to_str(&state_of_type(Py_TYPE(op))->json.out);
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
    return text_to_str(&state_of_type(Py_TYPE(op))->json.out);
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
        pick = (wp_pick){.kind = WP_PICK_FIELD, .key = wp_field_by_id(ids.ids[0])->same_name};
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
