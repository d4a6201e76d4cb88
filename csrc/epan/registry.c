/* registry.c - what Wireshark knows, as lists of tuples for wishpy/registry.py. The GIL is held, and the epan lock
 * while a list is filled. */
#include "state.h"

#include "../engine/library.h"
#include "../engine/registry_facts.h"

static PyObject *
text(const char *given)
{
    return given == NULL ? Py_NewRef(Py_None) : PyUnicode_DecodeUTF8(given, (Py_ssize_t)strlen(given), "replace");
}

/* Steals the tuple, which may be NULL with an exception; then the list is given up. */
static bool
append(PyObject *list, PyObject *tuple)
{
    const bool done = tuple != NULL && PyList_Append(list, tuple) == 0;
    Py_XDECREF(tuple);
    return done;
}

static bool
add_field(const wp_field_facts *facts, void *list)
{
    return append(list, Py_BuildValue("(IO&O&ssO&s)", facts->id, text, facts->name, text, facts->title, facts->type,
                                      facts->base, text, facts->description, facts->protocol));
}

static bool
add_protocol(const wp_protocol_facts *facts, void *list)
{
    return append(list, Py_BuildValue("(O&O&O&O)", text, facts->name, text, facts->title, text, facts->short_name,
                                      facts->enabled ? Py_True : Py_False));
}

static bool
add_preference(const wp_preference_facts *facts, void *list)
{
    return append(list, Py_BuildValue("(sO&sO&O&O&)", facts->name, text, facts->title, facts->type, text,
                                      facts->standard, text, facts->value, text, facts->description));
}

static bool
add_string(const wp_string_facts *facts, void *dict)
{
    PyObject *key = PyLong_FromLongLong(facts->value), *value = text(facts->text);
    const bool done = key != NULL && value != NULL && PyDict_SetDefault(dict, key, value) != NULL;   /* the first one */
    Py_XDECREF(key);
    Py_XDECREF(value);
    return done;
}

static PyObject *
finished(PyObject *container)
{
    if (PyErr_Occurred()) {
        Py_CLEAR(container);
    }
    return container;
}

const char registry_list__doc__[] =
    "_registry(what, /)\n--\n\nHelper for wishpy.registry: a list of tuples, of 'fields', 'protocols' or 'preferences'.";

PyObject *
registry_list(PyObject *module, PyObject *what)
{
    if (epan_start(state_of(module)) < 0) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    if (list == NULL || !PyUnicode_Check(what)) {
        return list;
    }
    epan_lock();
    if (PyUnicode_CompareWithASCIIString(what, "fields") == 0) {
        wp_registry_fields_locked(add_field, list);
    } else if (PyUnicode_CompareWithASCIIString(what, "protocols") == 0) {
        wp_registry_protocols_locked(add_protocol, list);
    } else {
        wp_registry_preferences_locked(add_preference, list);
    }
    wp_epan_unlock();
    return finished(list);
}

const char registry_strings__doc__[] =
    "_registry_strings(id, /)\n--\n\nHelper for wishpy.registry: the value strings of a field, a dict.";

PyObject *
registry_strings(PyObject *module, PyObject *id)
{
    (void)module;
    const unsigned long number = PyLong_AsUnsignedLong(id);
    PyObject *dict = PyErr_Occurred() ? NULL : PyDict_New();
    if (dict != NULL) {
        epan_lock();
        wp_registry_strings_locked((uint32_t)number, add_string, dict);
        wp_epan_unlock();
    }
    return dict == NULL ? NULL : finished(dict);
}
