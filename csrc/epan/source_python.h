/* source_python.h - frames out of Python objects: a queue, an iterable, one item. The GIL is held throughout. */
#ifndef WISHPY_EPAN_SOURCE_PYTHON_H
#define WISHPY_EPAN_SOURCE_PYTHON_H

#include "state.h"

#include "../engine/record.h"

/* Where items come from. All zero: nowhere. */
typedef struct {
    PyObject *get;        /* owned: a queue's bound get; or NULL */
    PyObject *iterator;   /* owned: or NULL */
    int linktype;         /* of items that do not say; -1: they must */
} python_source;

/* The record points into the item's bytes for as long as this is held. All zero: nothing held. */
typedef struct {
    PyObject *item;       /* owned */
    Py_buffer bytes;
    wp_record record;
} python_record;

/* 1: `source` is a queue or an iterable, and is ready; 0: it is something else; -1: raised. */
int python_source_open(python_source *self, PyObject *source);
int python_source_traverse(python_source *self, visitproc visit, void *arg);
void python_source_clear(python_source *self);

/* Waits for the next item and reads it. 1: there it is, to be released; 0: the end; -1: raised, what the queue or the
 * iterable raised as it is. */
int python_source_next(python_source *self, python_record *next);

/* A RawPacket, (header, bytes) or bytes; `linktype` is that of items that do not say, -1: they must. Raises: -1. */
int python_record_from_item(python_record *self, PyObject *item, int linktype);

/* The bytes-like `data` as a record with no time and of this link type. Raises: -1. */
int python_record_from_bytes(python_record *self, PyObject *data, int linktype);
void python_record_release(python_record *self);

/* datetime (aware), int or float seconds, into the record; None leaves it without a time. Raises: -1. */
int python_record_set_time(wp_record *record, PyObject *time);
void python_record_set_time_ns(wp_record *record, long long time_ns);
/* What dissect() was told; None each for what was not. Raises: -1. */
int python_record_set_facts(wp_record *record, PyObject *time, PyObject *time_ns, PyObject *length);

/* A name or number of a link type; *linktype is untouched for None. Raises ValueError with the nearest names: -1. */
int linktype_from_python(PyObject *given, int *linktype);

#endif
