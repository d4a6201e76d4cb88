/* library_facts.c - versions, plugins and features as Python objects, for wishpy/about.py, and the choice of plugins. */
#include "state.h"

#include <glib.h>

#include "../engine/library.h"

const char library_versions__doc__[] =
    "_library_versions($module, /)\n--\n\nHelper for wishpy.about: versions by name. Does not start libwireshark.";

PyObject *
library_versions(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    int loaded[3], built[3];
    wp_library_version(&loaded[0], &loaded[1], &loaded[2]);
    wp_library_built_for(&built[0], &built[1], &built[2]);
    return Py_BuildValue("{s:N,s:N,s:N}", "libwireshark",
                         PyUnicode_FromFormat("%d.%d.%d", loaded[0], loaded[1], loaded[2]), "libwireshark_built",
                         PyUnicode_FromFormat("%d.%d.%d", built[0], built[1], built[2]), "glib",
                         PyUnicode_FromFormat("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version));
}

/* Appends a new reference, which may be NULL with an exception; then *list is given up. */
static void
append(PyObject **list, PyObject *item)
{
    if (*list != NULL && (item == NULL || PyList_Append(*list, item) < 0)) {
        Py_CLEAR(*list);
    }
    Py_XDECREF(item);
}

static void
append_plugin(const wp_plugin_facts *facts, void *list_)
{
    PyObject **list = list_;
    if (*list != NULL) {
        append(list, Py_BuildValue("(NNNN)", text_to_python(facts->name), text_to_python(facts->version),
                                   text_to_python(facts->type), text_to_python(facts->path)));
    }
}

const char library_plugins__doc__[] =
    "_library_plugins($module, /)\n--\n\nHelper for wishpy.about: (name, version, type, path) of each plugin loaded.";

PyObject *
library_plugins(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    if (epan_start(state_of(module)) < 0) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    epan_lock();
    wp_library_plugins_locked(append_plugin, &list);
    wp_epan_unlock();
    return list;
}

static void
append_feature(const char *feature, void *list_)
{
    PyObject **list = list_;
    if (*list != NULL) {
        append(list, text_to_python(feature));
    }
}

const char library_features__doc__[] =
    "_library_features($module, /)\n--\n\nHelper for wishpy.about: what libwireshark was compiled with and without.";

PyObject *
library_features(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *list = PyList_New(0);
    wp_library_features(append_feature, &list);
    return list;
}

/* ---- the choice ---- */

int
plugins_choose(module_state *state, PyObject *given)
{
    wp_error error;
    if (given == Py_None) {
        return 0;
    }
    if (!PyBool_Check(given)) {
        PyErr_Format(PyExc_TypeError, "plugins must be True, False or None, not %R", given);
        return -1;
    }
    const wp_status status = wp_library_choose_plugins(given == Py_True, &error);
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
        return -1;
    }
    return 0;
}

const char library_choose_plugins__doc__[] =
    "_choose_plugins($module, plugins, /)\n--\n\nThe keyword plugins=, for the process. Raises SessionError.";

PyObject *
library_choose_plugins(PyObject *module, PyObject *given)
{
    if (plugins_choose(state_of(module), given) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

const char library_has_plugins__doc__[] = "_has_plugins($module, /)\n--\n\nDoes this process load plugins, or will it?";

PyObject *
library_has_plugins(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(wp_library_has_plugins());
}
