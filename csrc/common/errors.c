/* errors.c - from wp_status to a Python exception, in one place.
 * The GIL is held. Facts travel as attributes: path, errno, filter, position, span, field, frame. */
#include "errors.h"

static const char *const class_names[WP_STATUS_COUNT] = {   /* attributes of wishpy.errors */
    [WP_EFILE] = "FileError",
    [WP_EFILTER] = "FilterError",
    [WP_EFIELD] = "FieldError",
    [WP_EPREFERENCE] = "PreferenceError",
    [WP_ECAPTURE] = "CaptureError",
    [WP_EBUSY] = "SessionError",
    [WP_EKEYS] = "SessionError",
    [WP_ECRASH] = "DissectorCrash",
    [WP_ELIBRARY] = "Error",
};

int
wp_error_classes_load(wp_error_classes *classes)
{
    PyObject *module = PyImport_ImportModule("wishpy.errors");
    if (module == NULL) {
        return -1;
    }
    int result = 0;
    for (int i = 0; i < WP_STATUS_COUNT && result == 0; i++) {
        if (class_names[i] != NULL) {
            classes->classes[i] = PyObject_GetAttrString(module, class_names[i]);
            result = classes->classes[i] == NULL ? -1 : 0;
        }
    }
    Py_DECREF(module);
    return result;
}

void
wp_error_classes_clear(wp_error_classes *classes)
{
    for (int i = 0; i < WP_STATUS_COUNT; i++) {
        Py_CLEAR(classes->classes[i]);
    }
}

int
wp_error_classes_traverse(wp_error_classes *classes, visitproc visit, void *arg)
{
    for (int i = 0; i < WP_STATUS_COUNT; i++) {
        Py_VISIT(classes->classes[i]);
    }
    return 0;
}

/* The keyword arguments that the class of this status takes beside its message (see wishpy/errors.py). */
static PyObject *
facts_of(wp_status status, const wp_error *error, PyObject *name)
{
    if (name == NULL) {
        name = Py_None;
    }
    switch (status) {
    case WP_EFILE:
    case WP_ECAPTURE:
        return Py_BuildValue("{s:i,s:O}", "errno", error->error_number, "path", name);
    case WP_EFILTER:
        if (error->position < 0) {
            return Py_BuildValue("{s:O}", "filter", name);
        }
        return Py_BuildValue("{s:O,s:L,s:L}", "filter", name, "position", (long long)error->position,
                             "span", (long long)error->span);
    case WP_EFIELD:
        return Py_BuildValue("{s:O}", "field", name);
    case WP_EPREFERENCE:
        return Py_BuildValue("{s:O}", "preference", name);
    case WP_ECRASH:
        return Py_BuildValue("{s:O,s:K}", "path", name, "frame", (unsigned long long)error->frame);
    default:
        return PyDict_New();
    }
}

PyObject *
wp_raise(const wp_error_classes *classes, wp_status status, const wp_error *error, PyObject *name)
{
    if (PyErr_Occurred()) {
        return NULL;   /* a callback raised first: its exception is the cause */
    }
    if (status == WP_EMEMORY) {
        return PyErr_NoMemory();
    }
    PyObject *message = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    if (message == NULL) {
        return NULL;
    }
    PyObject *class = classes->classes[status];
    if (class == NULL) {
        PyErr_SetObject(PyExc_ValueError, message);
        Py_DECREF(message);
        return NULL;
    }
    PyObject *arguments = PyTuple_Pack(1, message);
    PyObject *facts = facts_of(status, error, name);
    PyObject *exception = NULL;
    if (arguments != NULL && facts != NULL) {
        exception = PyObject_Call(class, arguments, facts);
    }
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
    }
    Py_DECREF(message);
    Py_XDECREF(arguments);
    Py_XDECREF(facts);
    Py_XDECREF(exception);
    return NULL;
}
