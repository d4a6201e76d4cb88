/* errors.h - from wp_status to a Python exception. The classes live in wishpy/errors.py, shared by both modules. */
#ifndef WISHPY_ERRORS_H
#define WISHPY_ERRORS_H

#include <Python.h>

#include "../engine/status.h"

typedef struct {
    PyObject *classes[WP_STATUS_COUNT];   /* owned; NULL where the status is no error of its own class */
} wp_error_classes;

/* Imports wishpy.errors. Returns 0, or -1 with an exception. */
int wp_error_classes_load(wp_error_classes *classes);
void wp_error_classes_clear(wp_error_classes *classes);
int wp_error_classes_traverse(wp_error_classes *classes, visitproc visit, void *arg);

/* Raises the exception for an error status and returns NULL. `name` (borrowed, may be NULL) is the file, filter
 * or field the error is about; it becomes an attribute. An exception that is already set is kept. */
PyObject *wp_raise(const wp_error_classes *classes, wp_status status, const wp_error *error, PyObject *name);

#endif
