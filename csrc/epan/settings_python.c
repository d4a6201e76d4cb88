/* settings_python.c - Dissector's keywords that set something in libwireshark, as the engine takes them.
 * The GIL is held. */
#include "settings_python.h"

#include <errno.h>
#include <unistd.h>

#include "../engine/library.h"
#include "registry_lists.h"

/* ---- the list ---- */

/* A str's text, which must have no NUL in it; the str is kept. NULL with an exception. */
static const char *
keep_text(python_settings *self, PyObject *text)
{
    Py_ssize_t length;
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "a setting's name and text must be str, not %.100s", Py_TYPE(text)->tp_name);
        return NULL;
    }
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &length);
    if (bytes != NULL && strlen(bytes) != (size_t)length) {
        PyErr_SetString(PyExc_ValueError, "a setting has a NUL character in it");
        return NULL;
    }
    return bytes == NULL || PyList_Append(self->keep, text) < 0 ? NULL : bytes;
}

/* `value` may be NULL for kinds that have none. */
static int
add(python_settings *self, wp_setting_kind kind, PyObject *name, PyObject *value)
{
    if (self->count == self->room) {
        const size_t room = self->room == 0 ? 8 : 2 * self->room;
        wp_setting *list = realloc(self->list, room * sizeof *list);
        if (list == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->list = list;
        self->room = room;
    }
    wp_setting *setting = &self->list[self->count];
    *setting = (wp_setting){.kind = kind, .name = keep_text(self, name)};
    if (setting->name == NULL || (value != NULL && (setting->value = keep_text(self, value)) == NULL)) {
        return -1;
    }
    self->count++;
    return 0;
}

/* The same, and drops the value, which may be NULL with an exception. */
static int
add_made(python_settings *self, wp_setting_kind kind, PyObject *name, PyObject *value)
{
    const int result = value == NULL ? -1 : add(self, kind, name, value);
    Py_XDECREF(value);
    return result;
}

/* Calls `each` for every item of a dict. */
static int
each_pair(python_settings *self, PyObject *given, const char *keyword,
          int (*each)(python_settings *self, PyObject *name, PyObject *value))
{
    if (given == Py_None) {
        return 0;
    }
    if (!PyMapping_Check(given) || PyUnicode_Check(given) || !has_attribute(given, "items")) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict, not %.100s", keyword, Py_TYPE(given)->tp_name);
        return -1;
    }
    PyObject *items = PyMapping_Items(given);
    int result = items == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *name, *value;
        result = PyArg_ParseTuple(PyList_GET_ITEM(items, i), "OO", &name, &value) ? each(self, name, value) : -1;
    }
    Py_XDECREF(items);
    return result;
}

/* ---- preferences ---- */

/* One record of a table: its columns, quoted as Wireshark's files have them. A new str. */
static PyObject *
quote_columns(PyObject *columns)
{
    PyObject *module = PyImport_ImportModule("wishpy.nearest");
    PyObject *text = module == NULL ? NULL : PyObject_CallMethod(module, "table_record", "(O)", columns);
    Py_XDECREF(module);
    return text;
}

/* A table's records: one str, or a list of str or of columns. */
static int
add_table(python_settings *self, PyObject *name, PyObject *value)
{
    self->fields = true;
    if (PyUnicode_Check(value)) {
        return add(self, WP_SET_PREFERENCE, name, value);
    }
    if (!PyList_Check(value) && !PyTuple_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a table's value is a record (str) or a list of records, not %.100s",
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PySequence_Fast_GET_SIZE(value); i++) {
        PyObject *record = PySequence_Fast_GET_ITEM(value, i);
        result = PyUnicode_Check(record) ? add(self, WP_SET_PREFERENCE, name, record)
                                         : add_made(self, WP_SET_PREFERENCE, name, quote_columns(record));
    }
    return result;
}

static int
add_preference(python_settings *self, PyObject *name, PyObject *value)
{
    const char *text = keep_text(self, name);
    if (text == NULL) {
        return -1;
    }
    self->resolution |= strncmp(text, "nameres.", 8) == 0;
    if (strncmp(text, "uat:", 4) == 0) {
        return add_table(self, name, value);
    }
    if (PyBool_Check(value)) {
        return add_made(self, WP_SET_PREFERENCE, name, PyUnicode_FromString(value == Py_True ? "TRUE" : "FALSE"));
    }
    if (PyLong_Check(value)) {
        return add_made(self, WP_SET_NUMBER, name, PyNumber_ToBase(value, 10));
    }
    if (PyUnicode_Check(value)) {
        return add(self, WP_SET_PREFERENCE, name, value);
    }
    if (has_attribute(value, "__fspath__")) {
        return add_made(self, WP_SET_PREFERENCE, name, PyOS_FSPath(value));
    }
    PyErr_Format(PyExc_TypeError, "preference %R: a value is bool, int or str, not %.100s", name,
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* The file must be there, or decryption would silently not happen. */
static int
add_keylog(module_state *state, python_settings *self, PyObject *path)
{
    PyObject *encoded = NULL, *decoded = NULL, *name = NULL;
    int result = -1;
    if (path == Py_None) {
        return 0;
    }
    if (!PyUnicode_FSConverter(path, &encoded) || !PyUnicode_FSDecoder(path, &decoded)) {
        goto done;
    }
    if (access(PyBytes_AS_STRING(encoded), R_OK) != 0) {
        wp_error error;
        const int reason = errno;
        wp_fail(&error, WP_EFILE, "tls_keylog: %.500s: %s", PyBytes_AS_STRING(encoded), strerror(reason));
        error.error_number = reason;
        raise_status(state, WP_EFILE, &error, path);
        goto done;
    }
    name = PyUnicode_FromString("tls.keylog_file");
    result = name == NULL ? -1 : add(self, WP_SET_PREFERENCE, name, decoded);

done:
    Py_XDECREF(encoded);
    Py_XDECREF(decoded);
    Py_XDECREF(name);
    return result;
}

/* ---- the others ---- */

static int
add_decode_as(python_settings *self, PyObject *rule, PyObject *protocol)
{
    return add(self, WP_SET_DECODE_AS, rule, protocol);
}

static int
add_column(python_settings *self, PyObject *title, PyObject *format)
{
    return add(self, WP_SET_COLUMN, title, format);
}

static int
add_names(python_settings *self, PyObject *given, const char *keyword, wp_setting_kind kind)
{
    if (given == Py_None) {
        return 0;
    }
    if (PyUnicode_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s must be an iterable of names, not one str: write (name,)", keyword);
        return -1;
    }
    PyObject *list = PySequence_List(given);
    int result = list == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(list); i++) {
        result = add(self, kind, PyList_GET_ITEM(list, i), NULL);
    }
    Py_XDECREF(list);
    return result;
}

int
python_settings_read(module_state *state, python_settings *self, const settings_keywords *given)
{
    self->keep = PyList_New(0);
    if (self->keep == NULL) {
        return -1;
    }
    if (given->profile != Py_None && add(self, WP_SET_PROFILE, given->profile, NULL) < 0) {
        return -1;
    }
    self->resolution = self->fields = given->profile != Py_None;
    return each_pair(self, given->preferences, "preferences", add_preference) < 0
                   || add_keylog(state, self, given->tls_keylog) < 0
                   || each_pair(self, given->decode_as, "decode_as", add_decode_as) < 0
                   || add_names(self, given->disable, "disable", WP_SET_DISABLE) < 0
                   || add_names(self, given->enable, "enable", WP_SET_ENABLE) < 0
                   || each_pair(self, given->columns, "columns", add_column) < 0
               ? -1
               : 0;
}

void
python_settings_release(python_settings *self)
{
    free(self->list);
    self->list = NULL;
    Py_CLEAR(self->keep);
}

/* ---- what went wrong ---- */

/* The name that is wrong, up to the length in *length. */
static const char *
wrong_name(wp_wrong wrong, const wp_setting *setting, int *length)
{
    static const char custom[] = "%Cus:";
    const bool in_value = wrong == WP_WRONG_CHOICE || wrong == WP_WRONG_COLUMN || wrong == WP_WRONG_FIELD;
    const char *name = in_value ? setting->value : setting->name;
    *length = (int)strlen(name);
    if (wrong == WP_WRONG_FIELD && strncmp(name, custom, strlen(custom)) == 0) {
        name += strlen(custom);
        *length = (int)strcspn(name, ":");
    }
    return name;
}

/* The names of which one may have been meant; NULL with or without an exception where there are none. */
static PyObject *
candidates(wp_wrong wrong, const wp_setting *setting, const char *name)
{
    switch (wrong) {
    case WP_WRONG_PREFERENCE:
        return registry_names(WP_NAME_PREFERENCE);
    case WP_WRONG_PROTOCOL:
        return registry_names(WP_NAME_PROTOCOL);
    case WP_WRONG_COLUMN:
        return registry_names(WP_NAME_COLUMN);
    case WP_WRONG_FIELD:
        return registry_nearest_fields(name);
    case WP_WRONG_TABLE:
        return registry_names(WP_NAME_TABLE);
    case WP_WRONG_CHOICE:
        return registry_choices(setting->name);
    default:
        return NULL;
    }
}

static bool
name_now(const char *name, char *now, size_t room)
{
    epan_lock();
    const bool renamed = wp_preference_name_now_locked(name, now, room);
    wp_epan_unlock();
    return renamed;
}

/* "message; did you mean ...?" in place of the message. */
static int
add_nearest(wp_error *error, const wp_setting *setting, wp_wrong wrong)
{
    int length, result = -1;
    const char *start = wrong_name(wrong, setting, &length);
    PyObject *bytes = PyBytes_FromStringAndSize(start, length);
    if (bytes == NULL) {
        return -1;
    }
    const char *name = PyBytes_AS_STRING(bytes);
    char now[200];
    if (wrong == WP_WRONG_PREFERENCE && name_now(name, now, sizeof now)) {
        name = now;
    }
    PyObject *names = candidates(wrong, setting, name);
    PyObject *module = names == NULL ? NULL : PyImport_ImportModule("wishpy.nearest");
    PyObject *hint = module == NULL ? NULL : PyObject_CallMethod(module, "hint", "sO", name, names);
    const char *text = hint == NULL ? NULL : PyUnicode_AsUTF8(hint);
    if (text != NULL) {
        const size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, "%s", text);
        result = 0;
    }
    Py_DECREF(bytes);
    Py_XDECREF(names);
    Py_XDECREF(module);
    Py_XDECREF(hint);
    return result;
}

void
python_settings_raise(module_state *state, const python_settings *self, wp_status status, const wp_error *given)
{
    wp_error error = *given;
    const wp_setting *setting = &self->list[given->position];
    if (given->span != WP_WRONG_VALUE && add_nearest(&error, setting, (wp_wrong)given->span) < 0 && PyErr_Occurred()) {
        return;
    }
    PyObject *name = PyUnicode_FromString(setting->name);
    if (name != NULL) {
        raise_status(state, status, &error, name);
    }
    Py_XDECREF(name);
}
