/* field_names.c - from the field names that people write to Wireshark's field ids. The GIL is held. */
#include "state.h"

#include <fnmatch.h>

#include "../engine/library.h"
#include "../engine/registry.h"

/* A new bytes object with the ids, empty where no such field exists. */
static PyObject *
ids_from_registry(const char *name)
{
    uint32_t ids[WP_SAME_NAME_MAX];
    epan_lock();
    size_t count = wp_registry_find_locked(name, ids);
    wp_epan_unlock();
    return PyBytes_FromStringAndSize((const char *)ids, (Py_ssize_t)(count * sizeof *ids));
}

int
field_names_look_up(module_state *state, PyObject *name, field_ids *ids)
{
    ids->count = 0;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a field name must be str, not %.100s", Py_TYPE(name)->tp_name);
        return -1;
    }
    PyObject *known = PyDict_GetItemWithError(state->names, name);   /* borrowed from the dict, which keeps it */
    if (known == NULL) {
        if (PyErr_Occurred() || epan_start(state) < 0) {
            return -1;
        }
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(name, &length);
        if (text != NULL && strlen(text) != (size_t)length) {
            return 0;   /* no name has a NUL in it */
        }
        PyObject *found = text == NULL ? NULL : ids_from_registry(text);
        if (found == NULL) {
            return -1;
        }
        /* Unknown names are not kept: a plugin or a table of the user's may bring them later. */
        int result = PyBytes_GET_SIZE(found) == 0 ? 0 : PyDict_SetItem(state->names, name, found);
        known = result < 0 || PyBytes_GET_SIZE(found) == 0 ? NULL : found;
        Py_DECREF(found);
        if (known == NULL) {
            return result;
        }
    }
    ids->ids = (const uint32_t *)PyBytes_AS_STRING(known);
    ids->count = (size_t)PyBytes_GET_SIZE(known) / sizeof(uint32_t);
    return 0;
}

int
field_names_raise_unknown(module_state *state, PyObject *name)
{
    const char *nearest[WP_NEAREST];
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        return -1;
    }
    size_t count;
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    count = wp_registry_nearest_locked(text, nearest);
    wp_epan_unlock();
    Py_END_ALLOW_THREADS
    wp_error error;
    char hint[256] = "";
    for (size_t i = 0; i < count; i++) {
        const size_t used = strlen(hint);
        snprintf(hint + used, sizeof hint - used, "%s'%s'",
                 i == 0 ? "; did you mean " : i + 1 == count ? " or " : ", ", nearest[i]);
    }
    wp_fail(&error, WP_EFIELD, "no field or protocol is called '%.200s'%s%s", text, hint, count > 0 ? "?" : "");
    raise_status(state, WP_EFIELD, &error, name);
    return -1;
}

int
field_names_find(module_state *state, PyObject *name, field_ids *ids)
{
    if (field_names_look_up(state, name, ids) < 0) {
        return -1;
    }
    return ids->count > 0 ? 0 : field_names_raise_unknown(state, name);
}

/* ---- patterns ---- */

typedef struct {
    const char *pattern;   /* borrowed */
    uint32_t *ids;         /* owned by the caller of expand */
    size_t count, room;
    bool no_memory;
} collection;

static bool
collect(collection *c, uint32_t id)
{
    if (c->count == c->room) {
        size_t room = c->room == 0 ? 64 : 2 * c->room;
        uint32_t *ids = realloc(c->ids, room * sizeof *ids);
        if (ids == NULL) {
            c->no_memory = true;
            return false;
        }
        c->ids = ids;
        c->room = room;
    }
    c->ids[c->count++] = id;
    return true;
}

static bool
collect_matching(const char *name, uint32_t id, void *collection_)
{
    collection *c = collection_;
    if (fnmatch(c->pattern, name, 0) != 0) {
        return true;
    }
    uint32_t ids[WP_SAME_NAME_MAX];   /* defines the fields in the table, this one among them */
    return wp_registry_find_locked(name, ids) == 0 || collect(c, id);
}

static int
expand_pattern(module_state *state, PyObject *name, const char *text, collection *c)
{
    const size_t before = c->count;
    c->pattern = text;
    Py_BEGIN_ALLOW_THREADS
    wp_epan_lock();
    wp_registry_each_locked(collect_matching, c);
    wp_epan_unlock();
    Py_END_ALLOW_THREADS
    if (c->no_memory) {
        PyErr_NoMemory();
        return -1;
    }
    return c->count > before ? 0 : field_names_raise_unknown(state, name);
}

static int
expand_one(module_state *state, PyObject *name, collection *c)
{
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a field name must be str, not %.100s", Py_TYPE(name)->tp_name);
        return -1;
    }
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        return -1;
    }
    if (strpbrk(text, "*?[") != NULL) {
        return expand_pattern(state, name, text, c);
    }
    field_ids ids;
    if (field_names_find(state, name, &ids) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ids.count; i++) {
        if (!collect(c, ids.ids[i])) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

int
field_names_expand(module_state *state, PyObject *names, uint32_t **ids, size_t *count)
{
    collection c = {0};
    int result = -1;
    if (PyUnicode_Check(names)) {
        PyErr_SetString(PyExc_TypeError, "fields must be an iterable of names, not one str: write [name]");
        return -1;
    }
    PyObject *list = epan_start(state) < 0 ? NULL : PySequence_List(names);
    if (list == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        if (expand_one(state, PyList_GET_ITEM(list, i), &c) < 0) {
            goto done;
        }
    }
    *ids = c.ids;
    *count = c.count;
    c.ids = NULL;
    result = 0;

done:
    Py_DECREF(list);
    free(c.ids);
    return result;
}

/* Somebody may just now, without the GIL, read ids out of the old dict: it is kept in the new one, under no name. */
void
field_names_forget(module_state *state)
{
    PyObject *fresh = PyDict_New();
    PyObject *old = state->names;
    if (fresh == NULL || (PyDict_GET_SIZE(old) > 0 && PyDict_SetItem(fresh, Py_None, old) < 0)) {
        PyErr_Clear();
        Py_XDECREF(fresh);
        return;
    }
    state->names = fresh;
    Py_DECREF(old);
}
