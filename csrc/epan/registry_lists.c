/* registry_lists.c - lists of the names that Wireshark knows, to suggest the right one from. */
#include "registry_lists.h"

#include "../engine/library.h"
#include "../engine/registry.h"

static void
append(const char *name, void *list_)
{
    PyObject **list = list_;
    PyObject *text = *list == NULL ? NULL : PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
    if (*list != NULL && (text == NULL || PyList_Append(*list, text) < 0)) {
        Py_CLEAR(*list);   /* the rest is passed over */
    }
    Py_XDECREF(text);
}

PyObject *
registry_names(wp_name_kind kind)
{
    PyObject *list = PyList_New(0);
    epan_lock();
    wp_registry_names_locked(kind, append, &list);
    wp_epan_unlock();
    return list;
}

PyObject *
registry_choices(const char *rule)
{
    PyObject *list = PyList_New(0);
    char *table = strdup(rule);
    if (table == NULL) {
        Py_XDECREF(list);
        return PyErr_NoMemory();
    }
    table[strcspn(table, "= ,")] = '\0';
    epan_lock();
    wp_registry_choices_locked(table, append, &list);
    wp_epan_unlock();
    free(table);
    return list;
}

PyObject *
registry_nearest_fields(const char *name)
{
    const char *nearest[WP_NEAREST];
    PyObject *list = PyList_New(0);
    epan_lock();
    const size_t count = wp_registry_nearest_locked(name, nearest);
    wp_epan_unlock();
    for (size_t i = 0; i < count; i++) {
        append(nearest[i], &list);
    }
    return list;
}
