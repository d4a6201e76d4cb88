/* to_python.c - from a kept packet to Python objects. The GIL is held throughout; the epan lock only for the texts
 * that Wireshark writes (label, display).
 *
 * What makes this fast: the dict keys of a field are made once per process and kept in the field table, hashed and
 * interned; and so is the last value of each field, since neighbouring packets mostly have the same addresses, names
 * and numbers. Both live in wp_field_def.cache:
 *   cache[KEY], cache[KEY_TREE]   str, "ip.src" and "ip.src_tree"
 *   cache[VALUE]                  the object made last
 *   cache[VALUE_RAW]              bytes it was made from, where cached_number cannot say it exactly */
#include "state.h"

#include <arpa/inet.h>
#include <datetime.h>
#include <math.h>

#include "../engine/address_text.h"
#include "../engine/library.h"

enum { KEY, KEY_TREE, VALUE, VALUE_RAW };

int
to_python_init(void)
{
    PyDateTime_IMPORT;   /* a static pointer of this file */
    return PyDateTimeAPI == NULL ? -1 : 0;
}

/* ---- keys ---- */

static PyObject *
make_key(wp_field_def *def, int which)
{
    PyObject *key = PyUnicode_FromFormat(which == KEY ? "%s" : "%s_tree", def->name);
    if (key != NULL) {
        PyUnicode_InternInPlace(&key);
        def->cache[which] = key;
    }
    return key;
}

PyObject *
field_key(wp_field_def *def)
{
    PyObject *key = def->cache[KEY];
    return key != NULL ? key : make_key(def, KEY);
}

static inline PyObject *
tree_key(wp_field_def *def)
{
    PyObject *key = def->cache[KEY_TREE];
    return key != NULL ? key : make_key(def, KEY_TREE);
}

/* ---- text ---- */

static PyObject *
string_to_python(const uint8_t *bytes, uint32_t length)
{
    return PyUnicode_DecodeUTF8((const char *)bytes, (Py_ssize_t)length, "replace");
}

PyObject *
text_to_python(const char *text)
{
    if (text == NULL) {
        Py_RETURN_NONE;
    }
    return string_to_python((const uint8_t *)text, (uint32_t)strlen(text));
}

static const char hex[] = "0123456789abcdef";

static char *
put_hex(char *at, const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    return at;
}

static PyObject *
colon_hex_to_python(const uint8_t *bytes, unsigned count)
{
    char text[3 * 8];
    char *at = text;
    for (unsigned i = 0; i < count; i++) {
        at = put_hex(at, bytes + i, 1);
        *at++ = ':';
    }
    return PyUnicode_FromStringAndSize(text, at - text - 1);
}

static PyObject *
ipv4_to_python(uint32_t address)
{
    char text[16];
    char *at = text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const unsigned part = address >> shift & 0xff;
        if (part >= 100) {
            *at++ = (char)('0' + part / 100);
        }
        if (part >= 10) {
            *at++ = (char)('0' + part / 10 % 10);
        }
        *at++ = (char)('0' + part % 10);
        *at++ = '.';
    }
    return PyUnicode_FromStringAndSize(text, at - text - 1);
}

static PyObject *
ipv6_to_python(const uint8_t *bytes)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, bytes, text, sizeof text);   /* what libwsutil calls as well */
    return PyUnicode_FromString(text);
}

static PyObject *
guid_to_python(const uint8_t *bytes)
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    char text[36];
    char *at = text;
    for (size_t i = 0; i < sizeof groups; i++) {
        at = put_hex(at, bytes, groups[i]);
        bytes += groups[i];
        if (i + 1 < sizeof groups) {
            *at++ = '-';
        }
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}

static PyObject *
eui64_to_python(uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return colon_hex_to_python(bytes, 8);
}

static PyObject *
ipxnet_to_python(const wp_value *value)
{
    char text[WP_ADDRESS_TEXT_SIZE];
    const size_t size = wp_address_text(WP_IPXNET, value, text);
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)size);
}

/* ---- times ---- */

/* Days since the epoch to a date of the proleptic Gregorian calendar, as Howard Hinnant's civil_from_days does it. */
static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const unsigned of_era = (unsigned)(days - era * 146097);
    const unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * y + y / 4 - y / 100);
    const unsigned m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)((int64_t)y + era * 400 + (*month <= 2));
}

enum { SECONDS_PER_DAY = 86400 };
static const int64_t first_second = INT64_C(-62135596800);   /* of year 1, */
static const int64_t last_second = INT64_C(253402300799);    /* and of year 9999: what datetime can hold */

PyObject *
time_to_python(int64_t seconds, int32_t nanoseconds)
{
    if (nanoseconds < 0 || nanoseconds > 999999999) {   /* a damaged frame; Wireshark carries over alike */
        seconds += nanoseconds / 1000000000;
        nanoseconds %= 1000000000;
        if (nanoseconds < 0) {
            nanoseconds += 1000000000;
            seconds -= 1;
        }
    }
    if (seconds < first_second || seconds > last_second) {
        Py_RETURN_NONE;
    }
    int64_t days = seconds / SECONDS_PER_DAY;
    int rest = (int)(seconds % SECONDS_PER_DAY);
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    return PyDateTimeAPI->DateTime_FromDateAndTime(year, month, day, rest / 3600, rest / 60 % 60, rest % 60,
                                                   nanoseconds / 1000, PyDateTime_TimeZone_UTC,
                                                   PyDateTimeAPI->DateTimeType);
}

/* ---- values ---- */

static inline PyObject *
new_reference(PyObject *object)
{
    Py_INCREF(object);
    return object;
}

/* Puts a fresh object into the field's memory and hands it on. */
static inline PyObject *
remember(wp_field_def *def, PyObject *object, uint64_t number)
{
    if (object != NULL) {
        PyObject *before = def->cache[VALUE];
        def->cache[VALUE] = new_reference(object);
        def->cached_number = number;
        Py_XDECREF(before);
    }
    return object;
}

static inline PyObject *
remembered_number(const wp_field_def *def, uint64_t number)
{
    return def->cache[VALUE] != NULL && def->cached_number == number ? new_reference(def->cache[VALUE]) : NULL;
}

static PyObject *
number_to_python(wp_field_def *def, uint64_t number)
{
    if (number <= 256) {   /* Python keeps these itself */
        return PyLong_FromLong((long)number);
    }
    PyObject *known = remembered_number(def, number);
    return known != NULL ? known : remember(def, PyLong_FromUnsignedLongLong(number), number);
}

static PyObject *
address_number_to_python(wp_field_def *def, uint64_t number)
{
    PyObject *known = remembered_number(def, number);
    if (known != NULL) {
        return known;
    }
    return remember(def, def->kind == WP_IPV4 ? ipv4_to_python((uint32_t)number) : eui64_to_python(number), number);
}

static PyObject *
ether_to_python(wp_field_def *def, const wp_value *value)
{
    uint64_t number = 0;
    if (value->length != 6) {
        Py_RETURN_NONE;
    }
    memcpy(&number, value->bytes, 6);
    PyObject *known = remembered_number(def, number);
    return known != NULL ? known : remember(def, colon_hex_to_python(value->bytes, 6), number);
}

/* Are these the value's bytes? It may have none, and then no memory either. */
static inline bool
is_value(const char *bytes, Py_ssize_t length, const wp_value *value)
{
    return length == (Py_ssize_t)value->length && (length == 0 || memcmp(bytes, value->bytes, value->length) == 0);
}

/* The memory of a string is the string: what is ASCII can be compared as it lies there. */
static PyObject *
remembered_string(const wp_field_def *def, const wp_value *value)
{
    PyObject *known = def->cache[VALUE];
    if (known != NULL && PyUnicode_IS_COMPACT_ASCII(known)
        && is_value((const char *)PyUnicode_1BYTE_DATA(known), PyUnicode_GET_LENGTH(known), value)) {
        return new_reference(known);
    }
    return NULL;
}

enum { LONGEST_REMEMBERED = 64 };

static PyObject *
text_value_to_python(wp_field_def *def, const wp_value *value)
{
    PyObject *known = remembered_string(def, value);
    if (known != NULL) {
        return known;
    }
    PyObject *text = string_to_python(value->bytes, value->length);
    return value->length <= LONGEST_REMEMBERED ? remember(def, text, 0) : text;
}

static bool
is_raw(const wp_field_def *def, const wp_value *value)
{
    PyObject *raw = def->cache[VALUE_RAW];
    return raw != NULL && is_value(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw), value);
}

/* In a kept copy the text was written along; of a live tree, with the lock held, Wireshark writes it now. */
static PyObject *
other_to_python(const wp_field *field)
{
    if (field->value.text != NULL) {
        return text_to_python(field->value.text);
    }
    char *text;
    wp_error error;
    if (wp_field_display_locked(field, wp_resolution_now_locked(), WP_DISPLAY_OF_JSON, &text, &error) != WP_OK) {
        return PyErr_NoMemory();
    }
    PyObject *result = text_to_python(text == NULL ? "" : text);
    free(text);
    return result;
}

/* For kinds whose text says nothing easy about the bytes: they are kept beside it. */
static PyObject *
identifier_to_python(const wp_field *field)
{
    wp_field_def *def = field->def;
    const wp_value *value = &field->value;
    if (is_raw(def, value)) {
        return new_reference(def->cache[VALUE]);
    }
    PyObject *text = def->kind == WP_IPV6   ? ipv6_to_python(value->bytes)
                     : def->kind == WP_GUID ? guid_to_python(value->bytes)
                                            : other_to_python(field);
    PyObject *raw = text == NULL ? NULL : PyBytes_FromStringAndSize((const char *)value->bytes, value->length);
    if (raw == NULL) {
        Py_XDECREF(text);
        return NULL;
    }
    PyObject *before = def->cache[VALUE_RAW];
    def->cache[VALUE_RAW] = raw;
    remember(def, text, 0);
    Py_XDECREF(before);
    return text;
}

static PyObject *
bytes_to_python(wp_field_def *def, const wp_value *value)
{
    PyObject *known = def->cache[VALUE];
    if (known != NULL && is_value(PyBytes_AS_STRING(known), PyBytes_GET_SIZE(known), value)) {
        return new_reference(known);
    }
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)value->bytes, value->length);
    return value->length <= LONGEST_REMEMBERED ? remember(def, bytes, 0) : bytes;
}

/* A field's value where it has one; NULL without an exception where it has none (a protocol, a line of text). */
static inline __attribute__((always_inline)) PyObject *
plain_value(const wp_field *field)
{
    wp_field_def *def = field->def;
    const wp_value *value = &field->value;
    switch ((wp_kind)def->kind) {
    case WP_BOOL:
        return PyBool_FromLong(value->number != 0);
    case WP_UINT:
        return number_to_python(def, value->number);
    case WP_INT:
        return PyLong_FromLongLong((long long)value->number);
    case WP_FLOAT:
        return PyFloat_FromDouble(value->real);
    case WP_FLOAT16:
        return PyFloat_FromDouble(wp_ieee11073(value->number, 2));
    case WP_FLOAT32:
        return PyFloat_FromDouble(wp_ieee11073(value->number, 4));
    case WP_ABSTIME:
        return time_to_python(value->time.seconds, value->time.nanoseconds);
    case WP_RELTIME:
        return PyFloat_FromDouble(wp_seconds(value->time.seconds, value->time.nanoseconds));
    case WP_STRING:
        return text_value_to_python(def, value);
    case WP_BYTES:
        return bytes_to_python(def, value);
    case WP_IPV4:
    case WP_EUI64:
        return address_number_to_python(def, value->number);
    case WP_ETHER:
        return ether_to_python(def, value);
    case WP_IPV6:
    case WP_GUID:
    case WP_OTHER:
        return identifier_to_python(field);
    case WP_IPXNET:
        return ipxnet_to_python(value);
    default:
        return NULL;
    }
}

static inline bool
has_value(const wp_field_def *def)
{
    return def->kind != WP_NONE && def->kind != WP_PROTOCOL;
}

/* ---- trees ----
 * Written once for both kinds of tree, and compiled twice: `live` is a constant in each, which takes the questions after
 * the kind out of the loop over the fields. */

#define BOTH_KINDS static inline __attribute__((always_inline))

static PyObject *live_layer(wp_cursor first);
static PyObject *kept_layer(wp_cursor first);

BOTH_KINDS PyObject *
children_to_python(const wp_cursor *here, const bool live)
{
    if (!wp_cursor_nested(here)) {
        Py_RETURN_NONE;
    }
    return live ? live_layer(wp_cursor_children(here)) : kept_layer(wp_cursor_children(here));
}

static int
get_field(const wp_cursor *here, wp_field *field)
{
    if (!wp_cursor_field(here, field)) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* A line of text is its own key. Borrowed; of a line of text it is owned by *text, which is given back in the end. */
static inline PyObject *
key_of(const wp_field *field, PyObject **text)
{
    *text = NULL;
    if (field->def->text_only) {
        return *text = text_to_python(field->label == NULL ? "" : field->label);
    }
    return field_key(field->def);
}

static int
put_repeat(PyObject *dict, PyObject *key, PyObject *found, PyObject *value)
{
    if (PyList_CheckExact(found)) {
        return PyList_Append(found, value);
    }
    PyObject *list = PyList_New(2);
    if (list == NULL) {
        return -1;
    }
    PyList_SET_ITEM(list, 0, new_reference(found));
    PyList_SET_ITEM(list, 1, new_reference(value));
    const int result = PyDict_SetItem(dict, key, list);
    Py_DECREF(list);
    return result;
}

/* Puts a value under a key; a second one makes it a list. No native value is a list itself, so that a list found
 * there is always one of repeats. Steals `value`. Returns 1 where the key was there before, -1 with an exception. */
static inline int
put(PyObject *dict, PyObject *key, PyObject *value)
{
    if (value == NULL) {
        return -1;
    }
    const Py_ssize_t before = PyDict_GET_SIZE(dict);
    PyObject *found = PyDict_SetDefault(dict, key, value);   /* borrowed */
    int result = found == NULL ? -1 : 0;
    if (found != NULL && PyDict_GET_SIZE(dict) == before) {
        result = put_repeat(dict, key, found, value) < 0 ? -1 : 1;
    }
    Py_DECREF(value);
    return result;
}

/* As key_of. */
static inline PyObject *
tree_key_of(const wp_field *field, PyObject *key, PyObject **text)
{
    *text = NULL;
    if (field->def->text_only) {
        return *text = PyUnicode_FromFormat("%U_tree", key);
    }
    return tree_key(field->def);
}

enum { IRREGULAR = 2 };   /* some of the fields of one name have children and some have not: see careful_layer */

/* The children of a field that has a value of its own, under its name with "_tree". */
BOTH_KINDS int
put_tree(PyObject *dict, const wp_cursor *here, PyObject *key, const wp_field *field, bool repeated, const bool live)
{
    const bool nested = wp_cursor_nested(here);
    PyObject *text, *tree = tree_key_of(field, key, &text);
    if (tree == NULL) {
        return -1;
    }
    int result = 0;
    if (repeated && nested != (PyDict_GetItemWithError(dict, tree) != NULL)) {
        result = PyErr_Occurred() ? -1 : IRREGULAR;
    } else if (nested) {
        result = put(dict, tree, children_to_python(here, live));
    }
    Py_XDECREF(text);
    return result;
}

/* One field into its dict. 0 or 1 on success, IRREGULAR, or -1 with an exception. */
BOTH_KINDS int
put_field(PyObject *dict, const wp_cursor *here, PyObject *key, const wp_field *field, const bool live)
{
    if (!has_value(field->def)) {
        return put(dict, key, children_to_python(here, live));
    }
    const int repeated = put(dict, key, plain_value(field));
    if (repeated < 0 || (repeated == 0 && !wp_cursor_nested(here))) {
        return repeated;
    }
    return put_tree(dict, here, key, field, repeated == 1, live);
}

static PyObject *
any_children(const wp_cursor *here)
{
    return children_to_python(here, here->block == NULL);
}

/* Has a field of this key, among these siblings, any children? */
static int
any_nested(wp_cursor here, PyObject *key)
{
    for (; wp_cursor_ok(&here); wp_cursor_next(&here)) {
        wp_field field;
        if (!wp_cursor_nested(&here)) {
            continue;
        }
        PyObject *text = NULL, *other = get_field(&here, &field) < 0 ? NULL : key_of(&field, &text);
        const int same = other == NULL ? -1 : PyUnicode_Compare(other, key) == 0;
        Py_XDECREF(text);
        if (same != 0) {
            return same;
        }
    }
    return 0;
}

static int
put_carefully(PyObject *dict, wp_cursor first, const wp_cursor *here, PyObject *key, const wp_field *field)
{
    if (!has_value(field->def)) {
        return put(dict, key, any_children(here));
    }
    if (put(dict, key, plain_value(field)) < 0) {
        return -1;
    }
    const int nested = any_nested(first, key);
    if (nested <= 0) {
        return nested;
    }
    PyObject *text, *tree = tree_key_of(field, key, &text);
    const int result = tree == NULL ? -1 : put(dict, tree, any_children(here));
    Py_XDECREF(text);
    return result;
}

/* As tshark groups by name where it is not the same for all of the name: each has its place in the "_tree" list, and
 * that list stands right behind the values. Slow and rare. */
static int
careful_layer(PyObject *dict, wp_cursor first)
{
    for (wp_cursor here = first; wp_cursor_ok(&here); wp_cursor_next(&here)) {
        wp_field field;
        PyObject *text = NULL, *key = get_field(&here, &field) < 0 ? NULL : key_of(&field, &text);
        const int status = key == NULL ? -1 : put_carefully(dict, first, &here, key, &field);
        Py_XDECREF(text);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

BOTH_KINDS int
quick_layer(PyObject *dict, wp_cursor here, const bool live)
{
    for (; wp_cursor_ok(&here); wp_cursor_next(&here)) {
        wp_field field;
        PyObject *text, *key = get_field(&here, &field) < 0 ? NULL : key_of(&field, &text);
        if (key == NULL) {
            return -1;
        }
        const int status = put_field(dict, &here, key, &field, live);
        Py_XDECREF(text);
        if (status < 0 || status == IRREGULAR) {
            return status;
        }
    }
    return 0;
}

BOTH_KINDS PyObject *
layer_to_dict(wp_cursor first, const bool live)
{
    if (live != (first.block == NULL)) {
        __builtin_unreachable();
    }
    PyObject *dict = PyDict_New();
    if (dict == NULL || Py_EnterRecursiveCall(" while making a packet's dict")) {
        Py_XDECREF(dict);
        return NULL;
    }
    int status = quick_layer(dict, first, live);
    if (status == IRREGULAR) {
        PyDict_Clear(dict);
        status = careful_layer(dict, first);
    }
    Py_LeaveRecursiveCall();
    if (status < 0) {
        Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *
live_layer(wp_cursor first)
{
    return layer_to_dict(first, true);
}

static PyObject *
kept_layer(wp_cursor first)
{
    return layer_to_dict(first, false);
}

PyObject *
live_to_dict(const proto_node *root)
{
    return live_layer(wp_cursor_live(root));
}

/* A new dict or list may set off the garbage collector (to Python 3.11), and what that runs may ask the same packet for
 * more, which moves its block: so the collector rests meanwhile. For a live tree its opener has seen to that. */

PyObject *
block_to_dict(const wp_block *block)
{
    const int collector = PyGC_Disable();
    PyObject *dict = kept_layer(wp_cursor_kept(block, 0, block->node_count));
    if (collector) {
        PyGC_Enable();
    }
    return dict;
}

PyObject *
value_to_python(const wp_cursor *here)
{
    wp_field field;
    if (get_field(here, &field) < 0) {
        return NULL;
    }
    if (has_value(field.def)) {
        return plain_value(&field);
    }
    const int collector = PyGC_Disable();
    PyObject *children = any_children(here);
    if (collector) {
        PyGC_Enable();
    }
    return children;
}

/* ---- what Wireshark writes ----
 * Waiting for the lock lets go of the GIL, and then another thread may add the rest to the packet's block, which
 * moves it. So the block is only looked at once the lock is held. */

PyObject *
field_display(const Packet *packet, uint32_t node)
{
    char *text = NULL;
    wp_error error;
    wp_field field;
    epan_lock();
    wp_block_field(packet->block, node, &field);
    wp_status status =
        wp_field_display_locked(&field, packet->block->resolution, WP_DISPLAY_OF_JSON, &text, &error);
    wp_epan_unlock();
    if (status != WP_OK) {
        return status == WP_EMEMORY ? PyErr_NoMemory() : (PyErr_SetString(PyExc_ValueError, error.message), NULL);
    }
    PyObject *result = text_to_python(text);
    free(text);
    return result;
}

PyObject *
field_label(const Packet *packet, uint32_t node)
{
    wp_field field;
    char label[WP_LABEL_SIZE];
    wp_block_field(packet->block, node, &field);
    if (field.label != NULL) {
        return text_to_python(field.label);
    }
    epan_lock();
    wp_block_field(packet->block, node, &field);
    wp_field_label_locked(&field, packet->block->resolution, label);
    wp_epan_unlock();
    return text_to_python(label);
}
