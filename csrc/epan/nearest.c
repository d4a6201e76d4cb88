/* nearest.c - the exception for a name that does not exist, with the names that may have been meant. */
#include "state.h"

void
raise_unknown_name(PyObject *class, const char *what, PyObject *name, PyObject *names)
{
    PyObject *module = PyImport_ImportModule("wishpy.nearest");
    PyObject *message = module == NULL ? NULL : PyObject_CallMethod(module, "message", "sOO", what, name, names);
    if (message != NULL) {
        PyErr_SetObject(class, message);
    }
    Py_XDECREF(message);
    Py_XDECREF(module);
}
