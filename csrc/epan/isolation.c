/* isolation.c - where a Dissector is to live: in this process or in a worker, and within which bounds. */
#include "worker.h"

static const char *const bound_names[] = {"on_crash", "frame_timeout", "memory_limit", "worker_user"};

/* PyDict_GetItemString() would take an error for a keyword that is not there. */
int
keyword_find(PyObject *keywords, const char *name, PyObject **value)
{
    PyObject *key = PyUnicode_FromString(name);
    *value = key == NULL ? NULL : PyDict_GetItemWithError(keywords, key);
    Py_XDECREF(key);
    return *value != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* Moves an item from one dict to another; 1 where it was there. */
static int
move(PyObject *from, PyObject *to, const char *name)
{
    PyObject *value;
    const int found = keyword_find(from, name, &value);
    if (found <= 0) {
        return found;
    }
    return PyDict_SetItemString(to, name, value) < 0 || PyDict_DelItemString(from, name) < 0 ? -1 : 1;
}

static int
take_bounds(PyObject *rest, isolation *where)
{
    for (size_t i = 0; i < sizeof bound_names / sizeof *bound_names; i++) {
        const int moved = move(rest, where->bounds, bound_names[i]);
        if (moved < 0) {
            return -1;
        }
        if (moved == 1 && where->here) {
            PyErr_Format(PyExc_ValueError, "%s is about workers: it does not go together with isolated=False",
                         bound_names[i]);
            return -1;
        }
        where->worker = where->worker || moved == 1;   /* who sets bounds wants them kept */
    }
    return 0;
}

static int
take_isolated(PyObject *rest, isolation *where)
{
    PyObject *isolated;
    const int found = keyword_find(rest, "isolated", &isolated);
    if (found <= 0) {
        return found;
    }
    if (isolated != Py_None && !PyBool_Check(isolated)) {
        PyErr_Format(PyExc_TypeError, "isolated must be True, False or None, not %R", isolated);
        return -1;
    }
    where->worker = isolated == Py_True;
    where->here = isolated == Py_False;
    return PyDict_DelItemString(rest, "isolated");
}

/* For the process, this one and its workers. */
static int
take_plugins(PyObject *rest, module_state *state)
{
    PyObject *plugins;
    const int found = keyword_find(rest, "plugins", &plugins);
    if (found <= 0) {
        return found;
    }
    return plugins_choose(state, plugins) < 0 ? -1 : PyDict_DelItemString(rest, "plugins");
}

/* What can be read only once must last for a second try, in a worker. */
static int
settle_iterators(PyObject *rest)
{
    PyObject *items = PyDict_Items(rest);
    int result = items == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *name = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0);
        PyObject *value = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 1);
        if (PyIter_Check(value) && PyUnicode_CompareWithASCIIString(name, "source") != 0) {
            PyObject *list = PySequence_List(value);
            result = list == NULL ? -1 : PyDict_SetItem(rest, name, list);
            Py_XDECREF(list);
        }
    }
    Py_XDECREF(items);
    return result;
}

PyObject *
isolation_parse(module_state *state, PyObject *kwargs, isolation *where)
{
    *where = (isolation){.bounds = PyDict_New()};
    PyObject *rest = kwargs == NULL ? PyDict_New() : PyDict_Copy(kwargs);
    if (rest == NULL || where->bounds == NULL || take_isolated(rest, where) < 0 || take_bounds(rest, where) < 0
        || take_plugins(rest, state) < 0 || settle_iterators(rest) < 0) {
        Py_CLEAR(rest);
        isolation_clear(where);
    }
    return rest;
}

bool
isolation_may_move(const isolation *where, module_state *state)
{
    return !where->here && !where->worker && PyErr_ExceptionMatches(state->errors.classes[WP_EBUSY]);
}

void
isolation_clear(isolation *where)
{
    Py_CLEAR(where->bounds);
}
